package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"lockstep/analysis/curvature"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

// inputs are what all sides compute on, as lockstep's law gives it: a peer's cells have the same rows, the same theta0 and the same
// order of rows as lockstep's of the same seed, and that of seed 0 the same Gaussian basis, too. Other bases the peers draw themselves.
type inputs struct {
	x, y, testX, testY op.Tensor // f32[rows, 64], u32[rows, 1]
	theta0             op.Tensor // f32[seeds, D]
	basis0             op.Tensor // f32[d, D]
	batches            op.Tensor // u32[seeds, steps, batch]: rows of x
	jobBatches         op.Tensor // of the job

	losses map[string]*curvature.Objective // that are differentiated, by network
}

// makeInputs makes them for so many seeds, and for the job's seeds and steps.
func makeInputs(ctx context.Context, e graph.Engine, seeds int, j job) (in *inputs, err error) {
	set, err := data.Source{}.Open("digits")
	if err != nil {
		return nil, err
	}
	train, test := set.Split()
	in = &inputs{}
	in.x, in.y = pick(set, train)
	in.testX, in.testY = pick(set, test)
	order := func(seeds, steps int) op.Tensor {
		t := op.New(op.T(op.U32, op.Shared, seeds, steps, batch))
		o, s := op.Batch{N: int32(len(train)), B: batch}, op.T(op.U32, op.Shared)
		for i := range seeds * steps {
			key := op.Key(uint64(i/steps), "order")
			o.Law([]op.Tensor{{Type: op.T(op.U32, op.Shared, batch), W: t.W[i*batch : (i+1)*batch]}},
				[]op.Tensor{{Type: op.T(op.U32, op.Shared, 2), W: key[:]}, {Type: s, W: []uint32{uint32(i % steps)}}})
		}
		return t
	}
	in.batches = order(seeds, drawn)
	cells, err := j.cells("ternary")
	if err != nil {
		return nil, err
	}
	jobSeeds := 0
	for _, c := range cells {
		jobSeeds = max(jobSeeds, int(c.Seed)+1)
	}
	in.jobBatches = order(jobSeeds, j.steps)
	all := max(seeds, jobSeeds)
	if in.theta0, err = setUp(ctx, e, workload{full, all}, "theta0"); err != nil {
		return nil, err
	}
	in.basis0, err = setUp(ctx, e, workload{each, 1}, "basis")
	if err != nil {
		return nil, err
	}
	in.basis0.Shape = op.S(dim, in.theta0.At(1))
	return in, nil
}

// pick copies rows and labels.
func pick(set *data.Set, rows []int) (x, y op.Tensor) {
	x, y = op.Float32s(op.S(len(rows), set.In), make([]float32, len(rows)*set.In)...), op.New(op.T(op.U32, op.Shared, len(rows), 1))
	for i, r := range rows {
		copy(x.W[i*set.In:], op.Float32s(op.S(set.In), set.X[r*set.In:(r+1)*set.In]...).W)
		y.W[i] = set.Y[r]
	}
	return x, y
}

// setUp is what the cells' pack computes once for each seed, under its name, [seeds, ..]; in a subspace by the Gaussian map.
func setUp(ctx context.Context, e graph.Engine, w workload, name string) (t op.Tensor, err error) {
	cells, err := w.cells("gaussian")
	if err != nil {
		return t, err
	}
	_, setup, groups, err := sweep.TrainingPrograms(cells)
	if err != nil {
		return t, err
	}
	pack, err := e.NewPack(len(cells), groups)
	if err != nil {
		return t, err
	}
	defer pack.Close()
	for _, n := range setup.In { // key.theta and key.basis, the keys of the streams of that name
		for seed := range w.seeds() {
			k := op.Key(uint64(seed), n.Name[len("key."):])
			if err := pack.Put(n.Name, setup.Types[n.V], seed, op.Bytes(k[:])); err != nil {
				return t, err
			}
		}
	}
	if err := runOnce(ctx, pack, setup, 1); err != nil {
		return t, err
	}
	for _, o := range setup.Out {
		if o.Name != name {
			continue
		}
		words := setup.OutType(o).Words()
		t = op.New(op.T(op.F32, op.Shared, w.seeds(), words))
		b := make([]byte, 4*words)
		for i := range w.seeds() { // cell i is of seed i
			if err := pack.Read(name, i, b); err != nil {
				return t, err
			}
			op.PutWords(t.W[i*words:(i+1)*words], b)
		}
		return t, nil
	}
	return t, fmt.Errorf("the pack of %v computes no %q", w, name)
}

// write writes the files that peer.py reads into a folder.
func (in *inputs) write(folder string) (err error) {
	for name, t := range map[string]op.Tensor{
		"x": in.x, "y": in.y, "test_x": in.testX, "test_y": in.testY,
		"theta0": in.theta0, "basis0": in.basis0, "batches": in.batches, "job_batches": in.jobBatches,
	} {
		err = errors.Join(err, data.WriteNPY(filepath.Join(folder, name+".npy"), t))
	}
	return err
}
