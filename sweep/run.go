// Package sweep runs sweeps: a card is read into cells, cells are grouped into packs, and packs are trained and evaluated
// into results, which a ledger keeps. A cell's result is a function of its description alone.
package sweep

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"lockstep/graph"
)

// Options choose how a sweep runs, never what it gives.
type Options struct {
	Engine     graph.Engine
	More       []graph.Engine // others of its kind, each on a device of its own: packs go to whichever is free
	PackCells  int            // most cells in a pack; 0: 64
	Memory     int64          // bytes that a pack may take; 0: what the engine that has least says is available
	Progress   Progress       // may be nil
	Checkpoint time.Duration  // between two checkpoints of a pack at work; 0: 30 s
	Snapshots  *Snapshots     // takes the cells' parameters along the training; nil: nobody does
}

// Progress is told how far a sweep is. Calls come one at a time, from any goroutine; an error ends the sweep.
type Progress interface {
	// Skip tells of cells and steps that need not be done: an earlier run did them, or a cell diverged. best is the best
	// performance of those cells.
	Skip(cells, cellSteps int, best float64)
	// Advance tells of steps that were done.
	Advance(cellSteps int)
	// Done tells of a cell that has ended; with a ledger, its result is committed.
	Done(r Result) error
	// Saved tells of a checkpoint of so many cells.
	Saved(cells int)
	// Trouble tells of an error that the sweep gets over: a pack that is cut, or left to another engine. The steps that will be done once
	// more for it are skipped less: Skip tells of them with a negative number.
	Trouble(err error)
}

const (
	defaultPackCells  = 64
	defaultCheckpoint = 30 * time.Second
	evalRows          = 512 // rows evaluated at once
)

// serial hands calls to a Progress one at a time; nil is told nothing.
type serial struct {
	mu sync.Mutex
	to Progress
}

func (s *serial) tell(f func(Progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != nil {
		f(s.to)
	}
}

func (s *serial) Skip(cells, cellSteps int, best float64) {
	s.tell(func(p Progress) { p.Skip(cells, cellSteps, best) })
}
func (s *serial) Advance(cellSteps int) { s.tell(func(p Progress) { p.Advance(cellSteps) }) }
func (s *serial) Saved(cells int)       { s.tell(func(p Progress) { p.Saved(cells) }) }
func (s *serial) Trouble(err error)     { s.tell(func(p Progress) { p.Trouble(err) }) }
func (s *serial) Done(r Result) (err error) {
	s.tell(func(p Progress) { err = p.Done(r) })
	return err
}

// runner runs packs.
type runner struct {
	Options
	progress serial
	keep     func(Result) error // takes the result of a cell that has ended; calls come from any goroutine
	ledger   *Ledger            // nil: nothing is kept on disk
	saving
}

func newRunner(o Options, keep func(Result) error) *runner {
	return &runner{Options: o, progress: serial{to: o.Progress}, keep: keep}
}

// engines are all that packs are shared out to.
func (o Options) engines() []graph.Engine { return append([]graph.Engine{o.Engine}, o.More...) }

// engineName is what the ledger says of them, such as cuda, or 2 x cuda.
func (o Options) engineName() string {
	if len(o.More) == 0 {
		return o.Engine.Name()
	}
	return fmt.Sprintf("%d x %s", 1+len(o.More), o.Engine.Name())
}

// worker works packs off on one engine.
type worker struct {
	*runner
	engine graph.Engine
	took   time.Duration // to write the last checkpoint
	meter  meter
}

// Run trains and evaluates the cells, in packs of cells whose programs are the same but for d, and returns their results
// in the order of cells. On an error, or when ctx ends, it returns the results of the cells that have ended. Nothing is
// kept on disk: see RunTo.
func Run(ctx context.Context, cells []Cell, o Options) ([]Result, error) {
	place := map[string]int{}
	for i, c := range cells {
		place[c.ID()] = i
	}
	if len(place) != len(cells) {
		return nil, fmt.Errorf("%d cells, but only %d different ones", len(cells), len(place))
	}
	results := make([]Result, len(cells))
	r := newRunner(o, func(res Result) error {
		results[place[res.ID]] = res
		return nil
	})
	err := r.run(ctx, cells)
	if err != nil {
		ended := results[:0]
		for _, res := range results {
			if res.ID != "" {
				ended = append(ended, res)
			}
		}
		return ended, err
	}
	return results, nil
}

// run plans the packs and works them off.
func (r *runner) run(ctx context.Context, cells []Cell) error {
	engines := r.engines()
	each := (len(cells) + len(engines) - 1) / len(engines)
	packs, err := planPacks(cells, min(cmp.Or(r.PackCells, defaultPackCells), max(each, 1)))
	if err != nil {
		return err
	}
	for _, p := range packs {
		p.snapshots = r.Snapshots != nil
	}
	limit := r.Memory
	if limit == 0 {
		limit = math.MaxInt64
		for _, e := range engines {
			free, err := e.Available()
			if err != nil {
				return err
			}
			limit = min(limit, free)
		}
	}
	if packs, err = fit(spread(packs, len(engines)), r.Engine, limit); err != nil {
		return err
	}
	return r.share(ctx, packs, engines)
}

// done hands over the result of a cell that has ended.
func (r *runner) done(res Result) error {
	if err := r.keep(res); err != nil {
		return err
	}
	return r.progress.Done(res)
}
