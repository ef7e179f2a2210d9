// Package sweep runs sweeps: a card is read into cells, cells are grouped into packs, and packs are trained and evaluated
// into results, which a ledger keeps. A cell's result is a function of its description alone.
package sweep

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lockstep/graph"
	"lockstep/internal/memory"
)

// Options choose how a sweep runs, never what it gives.
type Options struct {
	Engine     graph.Engine
	PackCells  int           // most cells in a pack; 0: 64
	Memory     int64         // bytes that a pack may take; 0: most of what is available
	Progress   Progress      // may be nil
	Checkpoint time.Duration // between two checkpoints of a pack at work; 0: 30 s
}

// Progress is told how far a sweep is. Calls come from one goroutine; an error ends the sweep.
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
}

const (
	defaultPackCells  = 64
	defaultCheckpoint = 30 * time.Second
	evalRows          = 512 // rows evaluated at once
)

// runner runs packs.
type runner struct {
	Options
	keep   func(Result) error // takes the result of a cell that has ended
	ledger *Ledger            // nil: nothing is kept on disk
	saving
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
	r := &runner{Options: o, keep: func(res Result) error {
		results[place[res.ID]] = res
		return nil
	}}
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
	packs, err := planPacks(cells, cmp.Or(r.PackCells, defaultPackCells))
	if err != nil {
		return err
	}
	if packs, err = fit(packs, r.Engine, cmp.Or(r.Memory, memory.Available()/10*8)); err != nil {
		return err
	}
	for _, p := range packs {
		if err := r.work(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// done hands over the result of a cell that has ended.
func (r *runner) done(res Result) error {
	if err := r.keep(res); err != nil {
		return err
	}
	if r.Progress != nil {
		return r.Progress.Done(res)
	}
	return nil
}
