package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lockstep/graph"
	"lockstep/sweep"
)

// SweepSpec is a whole sweep on the digits, from cells to results, without a ledger: nine dimensions of the subspace and the
// full space, for each of some seeds, as in studies/intrinsic-digits.toml.
type SweepSpec struct {
	Layers []int `json:"layers"`
	Seeds  int   `json:"seeds"`
	Steps  int   `json:"steps"` // of each cell
	Batch  int   `json:"batch"`
}

func sweepCases() []*Case {
	s := &SweepSpec{Layers: []int{64, 64, 64, 10}, Seeds: 3, Steps: 100, Batch: 128}
	return []*Case{{Name: "sweep/digits-w64/cells=30", Cells: 30, Unit: "cells/s", sweep: s}}
}

func (s *SweepSpec) cells() ([]sweep.Cell, error) {
	card, err := sweep.ParseCard("bench", fmt.Appendf(nil, `
name  = "bench"
seeds = {range = [0, %d]}
steps = %d
batch = %d
data  = {name = "digits"}
model = {init = "he", layers = [{type = "linear", out = %d}, {type = "relu"}, {type = "linear", out = %d}, {type = "relu"}, {type = "linear", out = %d}]}
rule  = {type = "adam", lr = 0.1}
map   = {type = "ternary", d = "$d"}

[[arms]]
name = "subspace"
axes = {d = [10, 25, 50, 75, 100, 125, 150, 200, 300]}

[[arms]]
name = "baseline"
map  = {type = "identity"}
rule = {lr = 0.003}
`, s.Seeds-1, s.Steps, s.Batch, s.Layers[1], s.Layers[2], s.Layers[3]))
	if err != nil {
		return nil, err
	}
	return card.Cells()
}

// openSweep makes a case of a whole sweep ready: one execution is all of it.
func (c *Case) openSweep(ctx context.Context, o *Options) (*workload, error) {
	cells, err := c.sweep.cells()
	if err != nil {
		return nil, err
	}
	packs, err := sweep.Programs(cells, len(cells))
	if err != nil {
		return nil, err
	}
	w := &workload{sets: 1, cached: true, close: func() error { return nil }}
	for _, p := range packs {
		need, err := o.need([]*graph.Program{p.Step, p.Setup}, len(p.Cells), p.Groups)
		if err != nil {
			return nil, err
		}
		w.bytes = max(w.bytes, need.Bytes)
		if err := c.tryOne(ctx, p.Cells[:1], o, w); err != nil {
			return nil, err
		}
	}
	w.run = func(ctx context.Context, n int) error {
		for range n {
			if _, err := sweep.Run(ctx, cells, sweep.Options{Engine: o.Engine}); err != nil {
				return err
			}
		}
		return nil
	}
	return w, nil
}

// tryOne takes a cell of a pack through one step, which says what runs it; and whether all steps, which no engine does faster for
// more cells, would take much too long.
func (c *Case) tryOne(ctx context.Context, cell []sweep.Cell, o *Options, w *workload) (err error) {
	t, err := sweep.NewTraining(ctx, cell, o.Engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	w.kernels = append(w.kernels, t.Kernels()...)
	if err := t.Run(ctx, 1); err != nil { // which records, and touches memory for the first time
		return err
	}
	start := time.Now()
	if err := t.Run(ctx, 1); err != nil {
		return err
	}
	if least := time.Duration(c.sweep.Steps) * time.Since(start); least > patience*o.Time {
		return &Skip{fmt.Sprintf("the steps of one cell alone take %v; it has %v", least.Round(time.Millisecond), o.Time)}
	}
	return nil
}
