package sweep

import (
	"context"
	"math"
	"time"
)

// training is how far a cell's training is.
type training struct {
	steps  int   // done
	frozen bool  // the loss of step steps was not finite
	kept   []int // LossSteps
	losses []Hex // of the first of them
}

// ahead is the number of steps from here to the next loss that is kept, that one included; 0 when training has ended.
func (t *training) ahead(total int) int {
	if t.frozen || t.steps >= total {
		return 0
	}
	return t.kept[len(t.losses)] + 1 - t.steps
}

// chunkTime is what a run of steps is to take at most, but for the losses that are kept, at which it ends in any case: who stops a sweep
// waits for the run at hand. A pack whose cells have dense bases of their own fetches each of them from memory once a run, so runs must
// not be short either.
const chunkTime = 500 * time.Millisecond

// train runs the training program until every cell has done its steps or is frozen, from where a checkpoint left it. When
// ctx ends it stops after the steps at hand, some half a second's work, or a single step, and writes a checkpoint.
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
	for chunk := 1; ; {
		n := j.ahead()
		if n == 0 {
			return nil
		}
		n = min(n, chunk)
		start := time.Now()
		if err := x.Run(context.WithoutCancel(ctx), n); err != nil {
			return err
		}
		if err := j.advance(n); err != nil {
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

// ahead is the number of steps that the pack may run before a loss must be read; 0 when all cells have ended.
func (j *job) ahead() (n int) {
	for i, c := range j.cells {
		if a := j.trains[i].ahead(c.Steps); a > 0 && (n == 0 || a < n) {
			n = a
		}
	}
	return n
}

// advance notes how far each cell is after n more steps: a cell that did not do them all is frozen.
func (j *job) advance(n int) error {
	cellSteps, lost := 0, 0
	for i, c := range j.cells {
		t := &j.trains[i]
		next := t.ahead(c.Steps)
		if next == 0 {
			continue
		}
		steps, err := j.word(stepDone, i)
		if err != nil {
			return err
		}
		did := int(steps) - t.steps
		cellSteps += did
		t.steps = int(steps)
		switch {
		case did < n:
			t.frozen = true
			lost += c.Steps - t.steps
		case did == next:
			loss, err := j.word(lastLoss, i)
			if err != nil {
				return err
			}
			t.losses = append(t.losses, Hex(math.Float32frombits(loss)))
		}
	}
	j.progress.Advance(cellSteps)
	if lost > 0 {
		j.progress.Skip(0, lost, 0)
	}
	return nil
}
