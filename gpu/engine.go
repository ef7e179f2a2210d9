package gpu

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"lockstep/graph"
	"lockstep/op"
)

// Engine runs packs on one card.
type Engine struct {
	mu     sync.Mutex
	thread *thread
	dev    device
	info   Info
	funcs  map[string]function
	broken error // what closed the context
	closed bool
}

var _ graph.Engine = (*Engine)(nil)

// Name is "cuda".
func (*Engine) Name() string { return "cuda" }

// Info describes the card.
func (e *Engine) Info() Info { return e.info }

// Close gives the card back. Packs must be closed before.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	err := e.thread.do(e.dev.close)
	e.thread.close()
	return err
}

// do runs f on the device's thread. An error that spoils the context spoils the engine.
func (e *Engine) do(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.New("cuda: the engine is closed")
	}
	if e.broken != nil {
		return fmt.Errorf("cuda: the engine is of no use since an earlier error: %w", e.broken)
	}
	err := e.thread.do(f)
	var de *Error
	if errors.As(err, &de) && de.sticky() {
		e.broken = err
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

// lower prepares a program: composites with a kernel stay whole.
func lower(p *graph.Program) *graph.Tape { return graph.Lower(p, Has) }

// Plan adds up the arrays of the programs, what they compute once, and the scratch of all cells.
func (e *Engine) Plan(ps []*graph.Program, cells int, groups graph.Groups) (graph.Memory, error) {
	s, err := slotsOf(cells, groups)
	if err != nil {
		return graph.Memory{}, err
	}
	var words int64
	names := map[string]bool{}
	add := func(name string, t op.Type) error {
		n, err := s.Count(t.Domain)
		if err == nil && (name == "" || !names[name]) {
			names[name] = true
			words += int64(n) * int64(graph.Stride(t))
		}
		return err
	}
	for _, p := range ps {
		t := lower(p)
		for _, in := range t.P.In {
			err = errors.Join(err, add(in.Name, t.P.Types[in.V]))
		}
		for _, st := range t.P.State {
			err = errors.Join(err, add(st.Name, t.P.Types[st.In]), add("", t.P.Types[st.In]))
		}
		for _, o := range t.P.Out {
			err = errors.Join(err, add(o.Name, t.P.OutType(o)))
		}
		for _, n := range slices.Concat(t.Once, t.Step) {
			for _, v := range n.Out {
				if t.Scratch.Off[v] < 0 && t.View[v].Of == 0 {
					err = errors.Join(err, add("", t.P.Types[v]))
				}
			}
		}
		var temp int64
		for _, n := range slices.Concat(t.Once, t.Step) {
			if t.View[n.Out[0]].Of != 0 {
				continue
			}
			in := make([]op.Type, len(n.In))
			for i, v := range n.In {
				in[i] = t.P.Types[v]
			}
			slots, e := s.Count(t.P.Types[n.Out[0]].Domain)
			if pl := planOf(n.Op, in); pl == nil {
				err = errors.Join(err, fmt.Errorf("cuda: %w for %s on %v", graph.ErrNoKernel, op.Describe(n.Op), in))
			} else {
				temp = max(temp, int64(pl.scratch)*int64(slots))
			}
			err = errors.Join(err, e)
		}
		words += int64(t.Scratch.Words)*int64(cells) + temp
	}
	return graph.Memory{Bytes: 4 * words, Executor: "stream"}, err
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
