package gpu

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"

	"lockstep/graph"
	"lockstep/op"
)

// Engine runs packs on one card.
type Engine struct {
	mu        sync.Mutex
	thread    *thread
	dev       device
	stage     *staging
	info      Info
	funcs     map[string]found
	blocking  bool   // wait for every launch
	executor  string // see Choose
	clustered clusterState
	given     [][]work // launches that the card was given since it was last waited for; a list that is replayed stands once
	broken    error    // what closed the engine before its time
	closed    bool
}

var _ graph.Engine = (*Engine)(nil)

// open makes an engine on the device that start opens, on the thread that will be its own.
func open(start func() (device, error)) (*Engine, error) {
	blocking := os.Getenv(blockingVariable)
	if !slices.Contains([]string{"", "0", "1"}, blocking) {
		return nil, fmt.Errorf("%s=%s: want 1, to wait for every launch, or 0", blockingVariable, blocking)
	}
	e := &Engine{thread: newThread(), funcs: map[string]found{}, blocking: blocking == "1"}
	err := e.thread.do(func() (err error) {
		if e.dev, err = start(); err != nil {
			return err
		}
		e.info = e.dev.info()
		if e.stage, err = newStaging(e.dev, stagingBytes); err != nil {
			err = errors.Join(err, e.dev.close())
		}
		return err
	})
	if err != nil {
		e.thread.close()
		return nil, err
	}
	if _, err := e.Choose(cmp.Or(os.Getenv(executorVariable), "auto")); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", executorVariable, err), e.Close())
	}
	if e.blocking && strings.HasPrefix(e.executor, "resident") {
		err := fmt.Errorf("%s=1 waits for every launch of the executor stream: %s=%s has no place beside it", blockingVariable, executorVariable, e.executor)
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Name is "cuda".
func (*Engine) Name() string { return "cuda" }

// Info describes the card as it was when the engine was opened.
func (e *Engine) Info() Info { return e.info }

// Available leaves the driver a tenth of the card's free memory: for the granules of its allocations, and for graphs.
func (e *Engine) Available() (bytes int64, err error) {
	err = e.do(func() error {
		bytes, err = e.dev.available()
		return err
	})
	return bytes / 10 * 9, err
}

// Close gives the card back. Packs must be closed before.
func (e *Engine) Close() (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.broken == nil {
		err = e.thread.do(e.dev.close)
	}
	e.thread.close()
	return err
}

// do runs f on the device's thread. An error that spoils the context closes the device: whatever is tried then says why.
func (e *Engine) do(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.New("cuda: the engine is closed")
	}
	if e.broken != nil {
		return fmt.Errorf("cuda: %s was closed by an earlier error: %w", e.info.Name, e.broken)
	}
	err := e.thread.do(f)
	var de *Error
	if errors.As(err, &de) && de.sticky() {
		if de.Launches == nil {
			de.Launches = launchesOf(e.given)
		}
		e.broken = err
		e.thread.do(e.dev.close) // each of its calls may fail as this one did; the context goes all the same
	}
	return err
}

// give notes launches that the card is given.
func (e *Engine) give(list []work) {
	if n := len(e.given); len(list) > 0 && (n == 0 || &e.given[n-1][0] != &list[0]) {
		e.given = append(e.given, list)
	}
}

// run launches a list. It runs on the device's thread, as do give and sync.
func (e *Engine) run(list []work) error {
	if !e.blocking {
		e.give(list)
	}
	for i := range list {
		w := list[i]
		if e.blocking {
			e.give(list[i : i+1])
		}
		err := e.dev.launch(w.f, w.grid, w.block, w.shared, w.cluster, w.args)
		var de *Error
		if errors.As(err, &de) && !de.sticky() { // refused; any other error may be an earlier launch's
			de.Launches = launchesOf([][]work{{w}})
		}
		if err == nil && e.blocking {
			err = e.sync()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sync waits for all that the card was given.
func (e *Engine) sync() error {
	err := e.stage.sync()
	if err == nil {
		e.given = e.given[:0]
	}
	return err
}

// planOf plans a node; nil: there is no kernel for it.
func planOf(o op.Op, in []op.Type) *plan {
	make := kernels[reflect.TypeOf(o)]
	if make == nil {
		return nil
	}
	out, err := o.Shape(in)
	if err != nil {
		return nil
	}
	return make(o, in, out)
}

// Has tells whether there is a kernel for the op on operands of the given types.
func Has(o op.Op, in []op.Type) bool { return planOf(o, in) != nil }

// Kernel tells whether there are kernels for the op's kind, whatever its operands.
func Kernel(o op.Op) bool { return kernels[reflect.TypeOf(o)] != nil }

// lower prepares a program: composites with a kernel stay whole.
func lower(p *graph.Program) *graph.Tape { return graph.Lower(p, Has) }

// Plan lays the programs out as Compile would, one after the other. It is what they take of the card's memory, but for the
// granules of the driver's allocations: those of the emulated driver are the 256 bytes that arrays are rounded to anyhow.
func (e *Engine) Plan(ps []*graph.Program, cells int, groups graph.Groups) (graph.Memory, error) {
	s, err := slotsOf(cells, groups)
	if err != nil {
		return graph.Memory{}, err
	}
	if err := e.do(func() error { e.hasClusters(); return nil }); err != nil { // layout asks
		return graph.Memory{}, err
	}
	p := newPack(e, cells, s)
	p.planned = true
	bytes := p.mostSlotMaps()
	for _, prog := range ps {
		x, err := p.layout(prog)
		if err != nil {
			return graph.Memory{}, err
		}
		maps.Copy(p.arrays, x.named)
		bytes += x.region.bytes
	}
	return graph.Memory{Bytes: bytes}, nil
}

// maxSlots is the most that the y axis of a grid takes.
const maxSlots = 65535

// slotsOf checks a pack's groups.
func slotsOf(cells int, groups graph.Groups) (*graph.Slots, error) {
	s, err := graph.NewSlots(cells, groups)
	if err == nil && cells > maxSlots {
		err = fmt.Errorf("a pack of %d cells; want at most %d", cells, maxSlots)
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	return s, nil
}
