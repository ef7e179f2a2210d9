package sweep

import (
	"context"
	"encoding/binary"
	"time"
)

// training is how far a cell's training is.
type training struct {
	steps  int     // done
	frozen bool    // the loss of step steps was not finite
	joules float64 // that the device has used for it; NaN: it does not tell
}

// ahead is the number of steps that are still to be done; 0 when training has ended.
func (t *training) ahead(total int) int {
	if t.frozen {
		return 0
	}
	return total - t.steps
}

// chunkTime is what a run of steps is to take at most before the sweep looks at how far its cells are. A pack whose cells have dense bases
// of their own fetches each of them from memory once a run, and a card waits for the host between two, so runs must not be short.
const chunkTime = time.Second

// train runs the training program until every cell has done its steps or is frozen, from where a checkpoint left it. When
// ctx ends it stops after the steps at hand, each cell after its own, and writes a checkpoint.
func (j *job) train(ctx context.Context) error {
	p, err := j.recipe.training(j.capacity)
	if err != nil {
		return err
	}
	x, err := j.start(ctx, p)
	if err != nil {
		return err
	}
	defer x.Close()
	for _, s := range p.State {
		j.states = append(j.states, state{s.Name, p.Types[s.In]})
	}
	if err := j.restore(); err != nil {
		return err
	}
	snap, err := j.newSnapshots(ctx)
	if err != nil {
		return err
	}
	defer snap.close()
	for chunk := 1; ; {
		if err := snap.take(ctx); err != nil {
			return err
		}
		n := min(j.ahead(), chunk, snap.ahead())
		if n == 0 {
			return nil
		}
		start := time.Now()
		err := x.Run(ctx, n)
		stopped := err != nil && err == ctx.Err()
		if err != nil && !stopped { // whether ctx has ended or not: what the pack holds is good for nothing
			return err
		}
		if err := j.advance(n, stopped); err != nil {
			return err
		}
		if took := time.Since(start); n == chunk && took < chunkTime/2 {
			chunk *= 2
		} else if took > 2*chunkTime {
			chunk = max(1, chunk/2)
		}
		if err := ctx.Err(); err != nil {
			if saved := j.checkpoint(); saved != nil {
				return saved
			}
			return err
		}
		if j.due() {
			if err := j.checkpoint(); err != nil {
				return err
			}
		}
	}
}

// ahead is the number of steps that a cell has still to do, the most of all cells; 0 when all have ended.
func (j *job) ahead() (n int) {
	for i, c := range j.cells {
		n = max(n, j.trains[i].ahead(c.Steps))
	}
	return n
}

// advance notes how far each cell is after a run of n steps. A cell that did not do them all is frozen, unless the run was stopped.
func (j *job) advance(n int, stopped bool) error {
	done := make([]byte, 4*len(j.cells))
	if err := j.pack.ReadAll(stepDone, done); err != nil {
		return err
	}
	cellSteps, lost, each := 0, 0, make([]int, len(j.cells))
	for i, c := range j.cells {
		t := &j.trains[i]
		did := int(binary.LittleEndian.Uint32(done[4*i:])) - t.steps
		if want := min(n, t.ahead(c.Steps)); did < want && !stopped {
			t.frozen = true
			lost += c.Steps - t.steps - did
		}
		cellSteps += did
		t.steps += did
		each[i] = did
	}
	j.spend(func(i int) int { return each[i] })
	j.progress.Advance(cellSteps)
	if lost > 0 {
		j.progress.Skip(0, lost, 0)
	}
	return nil
}
