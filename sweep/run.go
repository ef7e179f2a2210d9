// Package sweep runs sweeps: a card is read into cells, cells are grouped into packs, and packs are trained and evaluated
// into results. A cell's result is a function of its description alone.
package sweep

import (
	"cmp"
	"context"
	"time"

	"lockstep/graph"
	"lockstep/internal/memory"
)

// Options choose how a sweep runs, never what it gives.
type Options struct {
	Engine    graph.Engine
	PackCells int   // most cells in a pack; 0: 64
	Memory    int64 // bytes that a pack may take; 0: most of what is available
	Progress  Progress
}

// Progress is told how far a sweep is. Calls come from one goroutine; an error ends the sweep.
type Progress interface {
	Advance(cellSteps int)
	Done(results []Result) error
	// Skip tells of results that an earlier run had finished.
	Skip(results []Result) error
}

const (
	defaultPackCells = 64
	evalRows         = 512 // rows evaluated at once
	chunkTime        = 200 * time.Millisecond
)

// splitSeed is the seed of the split into training and test rows: the same for all cells, so that they are compared on
// the same rows.
const splitSeed = 0

// Run trains and evaluates the cells, in packs of cells whose programs are the same but for d, and returns their results
// in the order of cells. On an error, or when ctx ends, it returns the results of the packs that were finished.
func Run(ctx context.Context, cells []Cell, o Options) ([]Result, error) {
	packs, err := planPacks(cells, cmp.Or(o.PackCells, defaultPackCells))
	if err != nil {
		return nil, err
	}
	if packs, err = fit(packs, o.Engine, cmp.Or(o.Memory, memory.Available()/10*8)); err != nil {
		return nil, err
	}
	results := make([]Result, len(cells))
	done := make([]bool, len(cells))
	for _, p := range packs {
		var res []Result
		if res, err = p.run(ctx, o); err != nil {
			break
		}
		for i, r := range res {
			results[p.index[i]], done[p.index[i]] = r, true
		}
		if o.Progress != nil {
			if err = o.Progress.Done(res); err != nil {
				break
			}
		}
	}
	if err != nil {
		finished := results[:0]
		for i, r := range results {
			if done[i] {
				finished = append(finished, r)
			}
		}
		return finished, err
	}
	return results, nil
}
