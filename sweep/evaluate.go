package sweep

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Scores are what parameters do on a cell's data, declared.
type Scores struct {
	TrainLoss    Hex `json:"train_loss"` // mean over the training rows
	TrainCorrect int `json:"train_correct"`
	TrainRows    int `json:"train_rows"`
	TestLoss     Hex `json:"test_loss"` // NaN where there are no test rows
	TestCorrect  int `json:"test_correct"`
	TestRows     int `json:"test_rows"`
}

// mostEvaluated bounds the vectors of parameters that are in a pack at once.
const mostEvaluated = 16

// Evaluate holds vectors of parameters f32[D] of the cell's model against all rows of its data, as a sweep does at its end.
func (c Cell) Evaluate(ctx context.Context, e graph.Engine, thetas [][]float32) (all []Scores, err error) {
	for part := range slices.Chunk(thetas, mostEvaluated) {
		some, err := c.evaluate(ctx, e, part)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (c Cell) evaluate(ctx context.Context, e graph.Engine, thetas [][]float32) (all []Scores, err error) {
	plan, err := onePack(slices.Repeat([]Cell{c}, len(thetas)))
	if err != nil {
		return nil, err
	}
	j, err := plan.alone(e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.pack.Close()) }()
	train, test := j.set.Split()
	for name, rows := range map[string][]int{"train": train, "test": test} {
		if err := j.bindRows(name, rows); err != nil {
			return nil, err
		}
	}
	t := op.T(op.F32, op.Cell, c.Model.D())
	for i, theta := range thetas {
		if len(theta) != t.Len() {
			return nil, fmt.Errorf("cell (%s): parameters of %d numbers; its model has %d", c.Name(), len(theta), t.Len())
		}
		if err := j.pack.Put(thetaOut, t, i, appendFloats(nil, theta)); err != nil {
			return nil, err
		}
	}
	if err := j.evaluateAll(ctx, func(b *graph.Builder) op.Value { return b.Input(thetaOut, t) }); err != nil {
		return nil, err
	}
	for i := range thetas {
		d := Declared{TestLoss: Hex(math.Float32frombits(op.NaN))}
		if err := j.scores(i, &d); err != nil {
			return nil, err
		}
		all = append(all, Scores{d.TrainLoss, d.TrainCorrect, len(train), d.TestLoss, d.TestCorrect, len(test)})
	}
	return all, nil
}
