package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"lockstep/analysis/curvature"
	"lockstep/bench"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
)

// curved is a case: gradients of the mean cross-entropy of 128 rows, or its Hessian or Gauss-Newton matrix times vectors, of packs of models.
type curved struct{ bench.CurvatureSpec }

func (c curved) String() string { return "curvature/" + c.CurvatureSpec.String() }

// curvedCases are those of all networks: numbers of models ascending from 1, and of vectors.
func curvedCases(models, vectors []int) (all []curved) {
	for _, name := range bench.CurvatureModels() {
		for _, n := range models {
			all = append(all, curved{bench.CurvatureSpec{Model: name, What: bench.Gradient, Models: n, Vectors: 1}})
		}
		for _, what := range []string{bench.Hessian, bench.GGN} {
			for _, k := range vectors {
				for _, n := range models {
					for _, kept := range []bool{false, true} {
						all = append(all, curved{bench.CurvatureSpec{Model: name, What: what, Models: n, Vectors: k, Kept: kept}})
					}
				}
			}
		}
	}
	return all
}

// derived is a case made ready on a side.
type derived struct {
	burst    burst // counts products
	made     prepared
	products func(ctx context.Context) ([]float32, error) // f32[models, vectors, D]
	release  func() error
}

// deriver is a side that differentiates. way tells how, where it has several.
type deriver interface {
	derive(ctx context.Context, c curved, way string) (derived, error)
}

// curvedSides are the sides by their names in records; one line per entry.
var curvedSides = []struct {
	name, way string
	is        func(s *sides, i int) (deriver, int)
	takes     func(c curved) bool
}{
	{"lockstep", "", func(s *sides, i int) (deriver, int) { return []*ours{s.ternary, s.single}[i], os.Getpid() }, func(curved) bool { return true }},
	{"jax", "vmap, jit", func(s *sides, i int) (deriver, int) { return s.jax[i], s.jax[i].pid() }, func(curved) bool { return true }},
	{"torch", "double backward", ofTorch, func(c curved) bool { return c.Vectors == 1 && !(c.Kept && c.What == bench.GGN) }},
	{"torch func", "func", ofTorch, func(c curved) bool { return c.Vectors == 1 && !c.Kept }},
	{"curvlinops", "curvlinops", ofTorch, func(c curved) bool { return c.Vectors == 1 && !c.Kept && c.What != bench.Gradient }},
}

func ofTorch(s *sides, i int) (deriver, int) { return s.torch[i], s.torch[i].pid() }

// curvedRounds is how many times these cases are measured at most: there are many.
const curvedRounds = 5

// writeCurvature makes the losses that are differentiated, and writes the files of them.
func (o options) writeCurvature(ctx context.Context, e graph.Engine, in *inputs, folder string) error {
	models, vectors := 0, 0
	for _, c := range o.curvature {
		models, vectors = max(models, c.Models), max(vectors, c.Vectors)
	}
	in.losses = map[string]*curvature.Objective{}
	if models == 0 {
		return in.writeLosses(folder, 0)
	}
	for _, name := range bench.CurvatureModels() {
		l, err := bench.CurvatureObjective(ctx, e, name, models, o.rows)
		if err != nil {
			return err
		}
		in.losses[name] = l
	}
	return in.writeLosses(folder, vectors)
}

// writeLosses writes the files that curvature.py reads into a folder, with so many vectors a model.
func (in *inputs) writeLosses(folder string, vectors int) error {
	type facts struct {
		Shapes [][]int `json:"shapes"`
		Heads  int     `json:"heads"`
	}
	all := map[string]facts{}
	for name, l := range in.losses {
		f, D := facts{}, l.Model.D()
		for _, p := range l.Model.Params() {
			f.Shapes, f.Heads = append(f.Shapes, p.Shape), max(f.Heads, p.Heads)
		}
		all[name] = f
		theta, v := op.New(op.T(op.F32, op.Shared, len(l.Theta), D)), op.New(op.T(op.F32, op.Shared, len(l.Theta), vectors, D))
		for m, t := range l.Theta {
			copy(theta.W[m*D:], op.Float32s(op.S(D), t...).W)
			for k := range vectors {
				copy(v.W[(m*vectors+k)*D:], op.Float32s(op.S(D), bench.CurvatureVector(m, k, D)...).W)
			}
		}
		for what, t := range map[string]op.Tensor{"x": l.X, "y": l.Y, "theta": theta, "v": v} {
			if err := data.WriteNPY(filepath.Join(folder, name+"_"+what+".npy"), t); err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "curvature.json"), text, 0o666)
}

// derive makes the product's program ready: vectors, parameters and products stay in the pack.
func (o *ours) derive(ctx context.Context, c curved, _ string) (d derived, err error) {
	start := time.Now()
	w, err := bench.NewProducts(ctx, o.engine, o.data.losses[c.Model], c.CurvatureSpec)
	if err != nil {
		return d, err
	}
	d.release = w.Close
	d.made = prepared{Way: "a program", Seconds: time.Since(start).Seconds()}
	d.products = func(ctx context.Context) (all []float32, err error) {
		if err := w.Run(ctx, 1); err != nil {
			return nil, err
		}
		for cell := range c.Cells() {
			one, err := w.Of(cell)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	var p pace
	d.burst = func(ctx context.Context, length time.Duration) (float64, time.Duration, error) {
		return p.timed(ctx, length, float64(c.Cells()), w.Run)
	}
	return d, nil
}

// request is what a peer is told of a case.
func (c curved) request(do string) map[string]any {
	what := c.What
	if c.Kept {
		what += "-kept"
	}
	return map[string]any{"do": do, "model": c.Model, "what": what, "models": c.Models, "vectors": c.Vectors}
}

func (p *process) derive(_ context.Context, c curved, way string) (d derived, err error) {
	id := c.String() + " " + way
	r := c.request("derive")
	r["id"], r["way"] = id, way
	if err := p.ask(r, &d.made); err != nil {
		return d, err
	}
	d.burst = p.burst(id)
	d.release = func() error { return p.ask(map[string]any{"do": "forget", "id": id}, &struct{}{}) }
	d.products = func(context.Context) ([]float32, error) {
		b, err := p.file(map[string]any{"do": "products", "id": id})
		t := op.New(op.T(op.F32, op.Shared, len(b)/4))
		op.PutWords(t.W, b)
		return t.F(), err
	}
	return d, nil
}

// truth are the products in float64.
func (p *process) truth(c curved) ([]float64, error) {
	b, err := p.file(c.request("truth"))
	all := make([]float64, len(b)/8)
	for i := range all {
		all[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return all, err
}

// file asks for a file, and takes it away.
func (p *process) file(request map[string]any) ([]byte, error) {
	var r struct{ File string }
	if err := p.ask(request, &r); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(r.File)
	return b, errors.Join(err, os.Remove(r.File))
}

// farthest is the largest of the distances of vectors of n numbers from what they should be, each by the length of the latter, in Euclidean norms.
func farthest[T float32 | float64](got []float32, want []T, n int) (most float64, err error) {
	if len(got) != len(want) {
		return 0, fmt.Errorf("%d numbers; want %d", len(got), len(want))
	}
	for from := 0; from < len(got); from += n {
		var off, size float64
		for i := from; i < from+n; i++ {
			d, w := float64(got[i])-float64(want[i]), float64(want[i])
			off, size = off+d*d, size+w*w
		}
		most = max(most, math.Sqrt(off/size)) // of a NaN it is NaN
	}
	return most, nil
}

// alike is the largest distance between float32 products that rounding explains: of the order of 1e-6 each from those in float64.
const alike = 1e-4

// measureCurvature takes one case after the other: makes it ready on all sides, holds what these compute against each other, measures it, and
// lets it go. A product of 16 models and 8 vectors each takes hundreds of megabytes on every side.
func measureCurvature(ctx context.Context, o options, s *sides, w *watch, emit func(any) error, say func(string)) error {
	first := map[string][]byte{} // the words of the first vector's product, by case, side and threads
	for _, c := range o.curvature {
		if !o.wants(c) && !o.only.MatchString(bitsCase) {
			continue
		}
		say("making ready " + c.String())
		cases, release, err := curvatureCase(ctx, o, s, c, first, emit)
		if err == nil && o.wants(c) {
			err = rounds(ctx, min(o.rounds, curvedRounds), cases, w, say, emit)
		}
		if err = errors.Join(err, release()); err != nil {
			return err
		}
		debug.FreeOSMemory()
	}
	return nil
}

// curvatureCase makes a case ready on all sides, on all threads and on one, and holds what these compute against each other: products that differ from lockstep's
// are of another problem, and not to be timed.
func curvatureCase(ctx context.Context, o options, s *sides, c curved, first map[string][]byte, emit func(any) error) (cases [][]*entry, release func() error, err error) {
	var all []func() error
	release = func() (err error) {
		for _, f := range all {
			err = errors.Join(err, f())
		}
		return err
	}
	name := func(c curved, side string, threads int) string { return fmt.Sprint(c, side, threads) }
	var want []float32
	var truth []float64
	if !c.Kept && c.Vectors == 1 {
		if truth, err = s.torch[0].truth(c); err != nil {
			return nil, release, err
		}
	}
	n := s.ternary.data.losses[c.Model].Model.D()
	for i, threads := range slices.Compact([]int{o.threads, 1}) {
		if i > 0 && (c.Kept || c.Vectors > 1) {
			continue
		}
		var entries []*entry
		for _, side := range curvedSides {
			if !side.takes(c) {
				continue
			}
			fail := func(err error) ([][]*entry, func() error, error) {
				return nil, release, fmt.Errorf("%v, %s: %w", c, side.name, err)
			}
			is, pid := side.is(s, i)
			d, err := is.derive(ctx, c, side.way)
			if err != nil {
				return fail(err)
			}
			all = append(all, d.release)
			got, err := d.products(ctx)
			if err != nil {
				return fail(err)
			}
			if want == nil {
				want = got
			}
			if err := holdAgainst(c, side.name, i == 0, got, want, truth, n, emit); err != nil {
				return fail(err)
			}
			first[name(c, side.name, threads)] = op.Bytes(op.Float32s(op.S(n), got[:n]...).W)
			if err := compareProducts(c, side.name, threads, o.threads, func(c curved, threads int) []byte { return first[name(c, side.name, threads)] }, emit); err != nil {
				return nil, release, err
			}
			entries = append(entries, rate(c.String(), side.name, threads, pid, "products/s", 1, d.burst, d.made, min(o.burst, 300*time.Millisecond)))
		}
		cases = append(cases, entries)
	}
	return cases, release, nil
}

// holdAgainst tells, of a side on all threads, how far its products are from lockstep's, and from those in float64 if there are any. Error: they are another problem's.
func holdAgainst(c curved, side string, tell bool, got, want []float32, truth []float64, n int, emit func(any) error) (err error) {
	a := agreement{Case: "agree/" + c.String(), Side: side}
	if a.Relative, err = farthest(got, want, n); err != nil {
		return err
	}
	if !(a.Relative < alike) {
		return fmt.Errorf("a product is %.3g of its length away from lockstep's; want less than %v: it computes something else", a.Relative, alike)
	}
	if tell && side != "lockstep" {
		err = emit(a)
	}
	if err != nil || !tell || truth == nil {
		return err
	}
	a.Case = "deviation/" + c.CurvatureSpec.String()
	if a.Relative, err = farthest(got, truth, n); err != nil {
		return err
	}
	return emit(a)
}

// compareProducts tells how the first product of a case, on all threads, differs from that of the same vector of a model alone, and with no other
// vector; and that on one from that on all.
func compareProducts(c curved, side string, threads, all int, words func(c curved, threads int) []byte, emit func(any) error) error {
	type beside struct {
		what, of string
		other    curved
		threads  int
	}
	one, alone := c, c
	one.Models, alone.Vectors = 1, 1
	for _, b := range []beside{{"pack", "the model alone", one, threads}, {"vectors", "one vector", alone, threads}, {"threads", "the same on all threads", c, all}} {
		was, is := words(b.other, b.threads), words(c, threads)
		if was == nil || b.other == c && b.threads == threads || b.other != c && threads != all {
			continue
		}
		d := difference{Case: fmt.Sprintf("bits/curvature/%s/%v", b.what, c.CurvatureSpec), Side: side, Of: len(is) / 4, Against: b.of}
		var err error
		if d.Words, d.Bits, err = differ(is, was); err == nil {
			err = emit(d)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", side, d.Case, err)
		}
	}
	return nil
}
