package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

// burst does something over and over for about so long: how much was done, and in what time.
type burst func(ctx context.Context, d time.Duration) (done float64, took time.Duration, err error)

// ours is lockstep: an engine, and the map of its subspaces.
type ours struct {
	engine  graph.Engine
	mapType string
	data    *inputs
	close   []func() error
}

// atOnce is half of the time that a sweep runs a pack for at least before it looks at it (sweep/train.go). The peers run as many steps at a time as they like.
const atOnce = 250 * time.Millisecond

// pace is how many steps are run at a time.
type pace struct{ steps int }

// timed runs steps of so many units each, until d has passed: as many at a time as a sweep would, or as take a quarter of d. It finds out
// how many that is, and keeps it for the next burst.
func (p *pace) timed(ctx context.Context, d time.Duration, unit float64, run func(ctx context.Context, steps int) error) (done float64, took time.Duration, err error) {
	if err := run(ctx, 1); err != nil { // its data are in the caches again
		return 0, 0, err
	}
	start := time.Now()
	for took < d {
		n := max(p.steps, 1)
		if err := run(ctx, n); err != nil {
			return 0, 0, err
		}
		done += float64(n) * unit
		if now := time.Since(start); now-took < min(atOnce, d/4) {
			p.steps = 2 * n
		}
		took = time.Since(start)
	}
	return done, took, nil
}

func (o *ours) train(ctx context.Context, w workload) (b burst, made prepared, err error) {
	start := time.Now()
	cells, err := w.cells(o.mapType)
	if err != nil {
		return nil, made, err
	}
	t, err := sweep.NewTraining(ctx, cells, o.engine)
	if err != nil {
		return nil, made, err
	}
	made = prepared{Way: cells[0].Map.Type + " map", Seconds: time.Since(start).Seconds()}
	o.close = append(o.close, t.Close)
	var p pace
	return func(ctx context.Context, d time.Duration) (done float64, took time.Duration, err error) {
		if err := t.Reset(ctx); err != nil { // each burst trains from the beginning, on every side
			return 0, 0, err
		}
		total := 0
		done, took, err = p.timed(ctx, d, float64(w.Cells), func(ctx context.Context, steps int) error {
			total += steps
			return t.Run(ctx, steps)
		})
		for i := range cells {
			if n, e := t.Steps(i); e != nil || n != total {
				return 0, 0, errors.Join(err, e, fmt.Errorf("%v: cell %d did %d of %d steps: its loss is not finite, and the time worthless", w, i, n, total))
			}
		}
		return done, took, err
	}, made, nil
}

// after is z of the first cell after so many steps.
func (o *ours) after(ctx context.Context, w workload, steps int) ([]byte, error) {
	cells, err := w.cells(o.mapType)
	if err != nil {
		return nil, err
	}
	t, err := sweep.NewTraining(ctx, cells, o.engine)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if err := t.Run(ctx, steps); err != nil {
		return nil, err
	}
	return t.Z(0)
}

// logits are those of the test rows by theta0 of seed 0, in batches of so many rows.
func (o *ours) logits(ctx context.Context, rows int) ([]byte, error) {
	cells, err := workload{full, 1}.cells(o.mapType)
	if err != nil {
		return nil, err
	}
	x, theta0, total := o.data.testX, o.data.theta0.At(1), o.data.testX.At(0)
	p, err := graph.Trace(func(b *graph.Builder) {
		theta, all := b.Input("theta", op.T(op.F32, op.Cell, theta0)), b.Input("x", x.Type)
		at := b.State("at", b.FillU(0), op.Shared)
		logits := b.State("logits", b.Fill(0, total, 10), op.Cell)
		index := b.Do(op.IAdd{}, b.Do(op.Broadcast{To: op.S(rows)}, at), b.Do(op.Iota{N: int32(rows)}))
		b.Next(logits, b.Do(op.PutRow{}, logits, cells[0].Model.Outputs(b, theta, b.Do(op.Gather{}, all, index)), at))
		b.Next(at, b.Do(op.IAdd{}, at, b.FillU(uint32(rows))))
	})
	if err != nil {
		return nil, err
	}
	pack, err := o.engine.NewPack(1, nil)
	if err != nil {
		return nil, err
	}
	defer pack.Close()
	if err := errors.Join(pack.Put("theta", op.T(op.F32, op.Cell, theta0), 0, op.Bytes(o.data.theta0.W[:theta0])), pack.Put("x", x.Type, 0, op.Bytes(x.W))); err != nil {
		return nil, err
	}
	if err := runOnce(ctx, pack, p, (total+rows-1)/rows); err != nil {
		return nil, err
	}
	words := make([]byte, 4*total*10)
	return words, pack.Read("logits", 0, words)
}

// runOnce compiles a program and runs it from its beginning.
func runOnce(ctx context.Context, pack graph.Pack, p *graph.Program, steps int) error {
	x, err := pack.Compile(p)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Reset(ctx); err != nil {
		return err
	}
	return x.Run(ctx, steps)
}

// matmul multiplies matrices that are states, so that each step does: what hangs on no state is computed once.
func (o *ours) matmul(_ context.Context, m product) (b burst, made prepared, err error) {
	t := op.T(op.F32, op.Cell, m.N, m.N)
	p, err := graph.Trace(func(b *graph.Builder) {
		x, y := b.State("x", b.Fill(0, m.N, m.N), op.Cell), b.State("y", b.Fill(0, m.N, m.N), op.Cell)
		b.Next(x, x)
		b.Next(y, y)
		b.Output("xy", b.Do(op.MatMul{}, x, y))
	})
	if err != nil {
		return nil, made, err
	}
	pack, err := o.engine.NewPack(m.Batch, nil)
	if err != nil {
		return nil, made, err
	}
	o.close = append(o.close, pack.Close)
	exe, err := pack.Compile(p)
	if err != nil {
		return nil, made, err
	}
	o.close = append(o.close, exe.Close)
	words := make([]uint32, t.Words())
	for i := range m.Batch {
		for j := range words {
			words[j] = math.Float32bits(element(i, j))
		}
		if err := errors.Join(pack.Write("x", i, op.Bytes(words)), pack.Write("y", i, op.Bytes(words))); err != nil {
			return nil, made, err
		}
	}
	var at pace
	return func(ctx context.Context, d time.Duration) (float64, time.Duration, error) {
		return at.timed(ctx, d, m.macs(), exe.Run)
	}, made, nil
}

// element j of matrix i of a product: anything of the size of 1.
func element(i, j int) float32 { return float32((i*7919+j*104729)%2003)/1001 - 1 }

// job runs the whole sweep, from its card to its results, without a ledger. accuracy is on the test set, of the baselines and of the
// largest d, means over the seeds.
func (o *ours) job(ctx context.Context, j job) (seconds float64, accuracy [2]float64, err error) {
	start := time.Now()
	cells, err := j.cells(o.mapType)
	if err != nil {
		return 0, accuracy, err
	}
	results, err := sweep.Run(ctx, cells, sweep.Options{Engine: o.engine})
	seconds = time.Since(start).Seconds()
	if err != nil {
		return 0, accuracy, err
	}
	largest, count := 0, [2]float64{}
	for _, r := range results {
		if r.D < r.Params {
			largest = max(largest, r.D)
		}
	}
	for _, r := range results {
		for k, d := range []int{r.Params, largest} {
			if r.D == d {
				accuracy[k] += *r.Derived.TestAccuracy
				count[k]++
			}
		}
	}
	return seconds, [2]float64{accuracy[0] / count[0], accuracy[1] / count[1]}, nil
}

// Close gives the packs back.
func (o *ours) Close() (err error) {
	for _, f := range o.close {
		err = errors.Join(err, f())
	}
	return err
}
