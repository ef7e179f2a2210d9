package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

// TrainSpec is a training step of the digits study: an MLP in a random subspace or in all of its parameters, cross-entropy, Adam. The
// cells of a pack are of some seeds, as many of each; those of a seed differ in their learning rate.
type TrainSpec struct {
	Layers []int  `json:"layers"` // widths, the input's first
	Map    string `json:"map"`    // ternary, gaussian or identity
	D      int    `json:"d"`      // of the subspace; Params for the identity
	Batch  int    `json:"batch"`  // rows
	Seeds  int    `json:"seeds"`
	Rows   int    `json:"rows"` // of the training set
}

// Params is the number of the network's parameters.
func (t TrainSpec) Params() (n int) {
	for i, w := range t.Layers[1:] {
		n += t.Layers[i]*w + w
	}
	return n
}

func trainCases() (all []*Case) {
	for _, cells := range []int{1, 64, 256} {
		all = append(all, digits("train/digits-w64-d100", "ternary", 100, cells, min(cells, 4)))
	}
	return all
}

// digits is a case of the digits study at width 64.
func digits(name, theMap string, d, cells, seeds int) *Case {
	t := &TrainSpec{Layers: []int{64, 64, 64, 10}, Map: theMap, D: d, Batch: 128, Seeds: seeds, Rows: 1437}
	return &Case{Name: fmt.Sprintf("%s/cells=%d", name, cells), Cells: cells, Unit: "cell-steps/s", train: t}
}

// longest is the number of steps of a cell that never ends.
const longest = 1 << 24

// cells are those of a card, seeds fastest.
func (t *TrainSpec) cells(n int) ([]sweep.Cell, error) {
	rates := fmt.Sprintf("{log-range = [0.001, 0.1, %d]}", n/t.Seeds)
	if n == t.Seeds {
		rates = "[0.1]"
	}
	space := fmt.Sprintf("{type = %q, d = %d}", t.Map, t.D)
	if t.Map == "identity" {
		space = `{type = "identity"}`
	}
	card, err := sweep.ParseCard("bench", fmt.Appendf(nil, `
name  = "bench"
seeds = {range = [0, %d]}
steps = %d
batch = %d
data  = {name = "digits"}
model = {init = "he", layers = [{type = "linear", out = %d}, {type = "relu"}, {type = "linear", out = %d}, {type = "relu"}, {type = "linear", out = %d}]}
rule  = {type = "adam", lr = "$lr"}
map   = %s
axes  = {lr = %s}
`, t.Seeds-1, longest, t.Batch, t.Layers[1], t.Layers[2], t.Layers[3], space, rates))
	if err != nil {
		return nil, err
	}
	return card.Cells()
}

// work counts the products of a step. Bytes are those of z and its two moments, read and written, and of what the cells of a seed
// share: theta0 and P, codes or float32; rows of the batch are left out, which all cells take from one small table.
func (t *TrainSpec) work(p *graph.Program, cells int) Work {
	w := count(p, func(d op.Domain) int64 {
		switch d {
		case op.Cell:
			return int64(cells)
		case op.Seed:
			return int64(t.Seeds)
		}
		return 1
	})
	w.Words = int64(cells * 3 * t.D)
	shared := t.Params() // words of a seed
	switch t.Map {
	case "ternary":
		shared += t.D * op.RowWords(t.Params())
	case "gaussian":
		shared += t.D * t.Params()
	}
	w.Bytes = 8*w.Words + 4*int64(t.Seeds)*int64(shared)
	return w
}

// openTraining makes a case of training ready on an engine.
func (c *Case) openTraining(ctx context.Context, o *Options, peak graph.Peak) (w *workload, err error) {
	cells, err := c.train.cells(c.Cells)
	if err != nil {
		return nil, err
	}
	step, setup, groups, err := sweep.TrainingPrograms(cells)
	if err != nil {
		return nil, err
	}
	need, err := o.need([]*graph.Program{step, setup}, len(cells), groups)
	if err != nil {
		return nil, err
	}
	t, err := sweep.NewTraining(ctx, cells, o.Engine)
	if err != nil {
		return nil, err
	}
	w = &workload{work: c.train.work(step, c.Cells), sets: 1, bytes: need.Bytes, cached: need.Bytes < peak.Cache, kernels: t.Kernels(), run: t.Run, begin: t.Reset, close: t.Close}
	w.end = func(steps int) error {
		for i := range cells {
			if n, err := t.Steps(i); err != nil || n != steps {
				return errors.Join(err, fmt.Errorf("%s: cell %d did %d of %d steps: its loss is not finite, and the time worthless", c.Name, i, n, steps))
			}
		}
		return nil
	}
	if o.Check == nil || w.work.MACs/int64(c.Cells)*checkSteps > o.CheckWork {
		return w, nil
	}
	if err := c.checkTraining(ctx, o, t, cells[len(cells)-1]); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	w.checked, w.share = o.CheckName, 1
	return w, nil
}

const checkSteps = 3

// checkTraining compares z of the last cell with that of the same cell trained alone on another engine.
func (c *Case) checkTraining(ctx context.Context, o *Options, t *sweep.Training, last sweep.Cell) error {
	alone, err := sweep.NewTraining(ctx, []sweep.Cell{last}, o.Check)
	if err != nil {
		return err
	}
	defer alone.Close()
	if err := errors.Join(t.Run(ctx, checkSteps), alone.Run(ctx, checkSteps)); err != nil {
		return err
	}
	got, err := t.Z(c.Cells - 1)
	if err != nil {
		return err
	}
	want, err := alone.Z(0)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: after %d steps z of cell %d differs from the %s engine's: a kernel is wrong, and its time worthless", c.Name, checkSteps, c.Cells-1, o.CheckName)
	}
	return err
}
