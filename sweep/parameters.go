package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"lockstep/data"
	"lockstep/model"
	"lockstep/op"
)

// Theta gives the parameters theta = M(z) of every cell as it stands, D entries each, in the order of the cells.
func (t *Training) Theta(ctx context.Context) ([][]float32, error) {
	j, D := t.job, t.job.recipe.model.D()
	if err := j.once(ctx)(j.recipe.parameters(j.capacity)); err != nil {
		return nil, err
	}
	all := make([][]float32, len(j.cells))
	for i := range all {
		x := op.New(op.T(op.F32, op.Cell, D))
		each := make([]byte, 4*D)
		if err := j.pack.Read(thetaOut, i, each); err != nil {
			return nil, err
		}
		op.PutWords(x.W, each)
		all[i] = x.F()
	}
	return all, nil
}

// Results evaluates every cell as it stands, and gives what Run would have given for it, had it stopped there.
func (t *Training) Results(ctx context.Context) ([]Result, error) {
	j := t.job
	j.trains = make([]training, len(j.cells))
	for i, c := range j.cells {
		steps, err := t.Steps(i)
		if err != nil {
			return nil, err
		}
		j.trains[i] = training{steps, steps < min(t.ran, c.Steps), math.NaN()}
	}
	if err := j.evaluateAll(ctx, j.recipe.trained(j.capacity)); err != nil {
		return nil, err
	}
	all := make([]Result, len(j.cells))
	for i := range all {
		var err error
		if all[i], err = j.result(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Losses are those of LossSteps that a cell has kept so far.
func (t *Training) Losses(cell int) ([]Hex, error) { return t.job.losses(cell) }

// Loss is what the cell's model is trained by.
func (c Cell) Loss() model.Loss { return model.Loss(c.set.Loss()) }

// TrainingRows are the rows that the cell trains on, in the order in which a sweep binds them: inputs f32[rows, in], of no words where
// the data have none, and targets, see model.Loss.Target.
func (c Cell) TrainingRows() (x, y op.Tensor) {
	set := c.set
	train, _ := set.Split()
	x, y = op.New(op.T(op.F32, op.Shared, len(train), set.In)), op.New(c.Loss().Target(len(train), set.Out()))
	for r, row := range train {
		for i := range set.In {
			x.SetF(r*set.In+i, set.X[row*set.In+i])
		}
		if set.Classes > 0 {
			y.W[r] = set.Y[row]
			continue
		}
		for i := range set.Targets {
			y.SetF(r*set.Targets+i, set.T[row*set.Targets+i])
		}
	}
	return x, y
}

// TestRows is the number of rows that the cell is tested on.
func (c Cell) TestRows() int { return c.set.Test() }

// DataName is what the cell is trained on, as a ledger names it: data.Set.Title.
func (c Cell) DataName() string { return c.set.Title() }

// Ended makes the cells of the card that the ledger in dir holds, and reads the results of those that have ended, by identity. Errors:
// those of Verify, for a ledger that is not of this build's cells.
func Ended(dir string, source data.Source) (*Card, []Cell, map[string]Result, error) {
	card, cells, err := plannedIn(dir, source)
	if err != nil {
		return nil, nil, nil, err
	}
	l, err := OpenLedger(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	results := map[string]Result{}
	for r, err := range l.Results() {
		if err != nil {
			return nil, nil, nil, err
		}
		results[r.ID] = r
	}
	return card, cells, results, nil
}

// Differences names the numbers in which declared results differ, each with what it is and what it should be.
func Differences(has, want Declared) (all []string, err error) {
	a, err := json.Marshal(has)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	compareJSON(string(a), string(b), func(path, has, want string) {
		all = append(all, fmt.Sprintf("%s is %s, not %s", strings.TrimPrefix(path, "."), short(has), short(want)))
	})
	return all, nil
}
