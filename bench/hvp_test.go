package bench

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/op"
)

// Each step of a product computes all that hangs on the parameters, unless they are kept; either way, in any pack and with any number of vectors, it
// has the bits of the session that analyses multiply by.
func TestProducts(t *testing.T) {
	e := engine(t)
	for _, name := range CurvatureModels() {
		o, err := CurvatureObjective(t.Context(), e, name, 2, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{Hessian, GGN} {
			one := *o
			one.Kind, one.Theta = curvature.Kind(what), o.Theta[1:]
			a, err := one.Operator()
			if err != nil {
				t.Fatal(err)
			}
			s, err := curvature.New(e, a, curvature.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			want, err := s.Multiply(t.Context(), CurvatureVector(1, 1, a.N))
			if err != nil {
				t.Fatal(err)
			}
			least := int64(0)
			for _, kept := range []bool{true, false} {
				spec := CurvatureSpec{name, what, 2, 2, kept}
				w, err := NewProducts(t.Context(), e, o, spec)
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				for range 2 {
					if err := w.Run(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
				}
				got, err := w.Of(3)
				if err != nil || !slices.Equal(bytesOf(got), bytesOf(want)) {
					t.Errorf("%v: %v; it is not the session's product", spec, err)
				}
				_, p, err := curvatureProgram(o, spec)
				if err != nil {
					t.Fatal(err)
				}
				macs := count(p, func(op.Domain) int64 { return 1 }).MACs
				if !kept && macs < least*5/4 {
					t.Errorf("%v: a step has %d multiply-adds, and %d where the parameters are kept", spec, macs, least)
				}
				least = macs
				once := 0
				for _, n := range graph.Lower(p, func(op.Op, []op.Type) bool { return true }).Once {
					if _, ok := n.Op.(op.MatMul); ok {
						once++
					}
				}
				if (once > 0) != kept {
					t.Errorf("%v: %d products are computed once", spec, once)
				}
			}
		}
	}
	if _, err := CurvatureObjective(t.Context(), e, "mpl", 1, 1); err == nil || !strings.Contains(err.Error(), `nearest is "mlp"`) {
		t.Errorf("%v; want the nearest name", err)
	}
	if a, b := CurvatureVector(1, 0, 4), CurvatureVector(0, 1, 4); slices.Equal(a, b) {
		t.Error("two models have equal vectors")
	}
}

// A case is measured with the bits of the last model alone; a product that differs stops it.
func TestHVPCase(t *testing.T) {
	o := options(t, engine(t))
	o.Quick = true
	for _, name := range []string{"hvp/mlp/gradient/cells=1", "hvp/mlp/hessian/k=1/cells=16"} {
		o.Check = engine(t, "law")
		r, err := Measure(t.Context(), named(t, name), o, peak)
		if err != nil || r.Checked != "law" || r.Share != 1 || r.MACs <= 0 || r.Words != int64(r.Cells)*199210 || r.Rate <= 0 {
			t.Errorf("%+v, %v", r, err)
		}
		o.CheckWork = 1
		r, err = Measure(t.Context(), named(t, name), o, peak)
		if want := map[bool]string{true: "the model alone"}[r.Cells > 1]; err != nil || r.Checked != want {
			t.Errorf("%s: checked by %q, %v; want by %q", name, r.Checked, err, want)
		}
		o.CheckWork = 1 << 20
	}
	o.Check = otherBits{engine(t)}
	if _, err := Measure(t.Context(), named(t, "hvp/mlp/gradient/cells=1"), o, peak); err == nil || !strings.Contains(err.Error(), "a kernel is wrong") {
		t.Errorf("%v; want that a kernel is wrong", err)
	}
}

// otherBits is an engine that computes with a bit of its parameters changed.
type otherBits struct{ graph.Engine }

type otherPack struct{ graph.Pack }

func (e otherBits) NewPack(cells int, g graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, g)
	return otherPack{p}, err
}

func (p otherPack) Read(name string, cell int, dst []byte) error {
	err := p.Pack.Read(name, cell, dst)
	dst[8] ^= 1
	return err
}

// The comparison with gradients is by product, and leaves out what was not measured.
func TestWriteCurvature(t *testing.T) {
	var text strings.Builder
	results := []Result{
		{Case: "hvp/mlp/gradient/cells=16", Cells: 16, NS: 1600}, {Case: "hvp/mlp/gradient/cells=16", Cells: 16, NS: 160}, {Case: "hvp/mlp/gradient/cells=16", Cells: 16, NS: 16000},
		{Case: "hvp/mlp/hessian/k=8/cells=128", Cells: 128, NS: 32000}, {Case: "hvp/mlp/ggn-kept/k=1/cells=16", Cells: 16, NS: 2000},
		{Case: "hvp/transformer/ggn/k=1/cells=1", Cells: 1, NS: 7},
	}
	if err := errors.Join((Machine{Threads: 2}).writeCurvature(&text, results)); err != nil {
		t.Fatal(err)
	}
	if want := "# hvp/mlp, models 16, threads 2, time of a product / time of a gradient: ggn-kept/k=1 1.25, hessian/k=8 2.50\n"; text.String() != want {
		t.Errorf("%s; want %s", text.String(), want)
	}
}

// The gradient is the slope of the loss along a vector.
func TestGradient(t *testing.T) {
	e := engine(t)
	o, err := CurvatureObjective(t.Context(), e, "mlp", 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewProducts(t.Context(), e, o, CurvatureSpec{Model: "mlp", What: Gradient, Models: 1, Vectors: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Run(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	g, err := w.Of(0)
	if err != nil {
		t.Fatal(err)
	}
	v, slope := CurvatureVector(0, 0, w.Size), 0.
	for i := range v {
		slope += float64(g[i]) * float64(v[i])
	}
	const h = 1e-5
	if got := (loss64(o, v, h) - loss64(o, v, -h)) / (2 * h); math.Abs(got-slope) > 1e-4*math.Abs(got) {
		t.Errorf("the slope is %v, and by the gradient %v", got, slope)
	}
	if _, err := NewProducts(t.Context(), e, o, CurvatureSpec{Model: "mlp", What: Gradient, Models: 1, Vectors: 2}); err == nil {
		t.Error("a model has two gradients")
	}
}

// loss64 is the mean loss of the MLP at theta + h v, in float64.
func loss64(o *curvature.Objective, v []float32, h float64) (sum float64) {
	rows, layers := o.Y.At(0), []int{784, 200, 200, 10}
	for r := range rows {
		var x []float64
		for _, f := range o.X.F()[r*784 : (r+1)*784] {
			x = append(x, float64(f))
		}
		at := 0
		theta := func() float64 { at++; return float64(o.Theta[0][at-1]) + h*float64(v[at-1]) }
		for l, out := range layers[1:] {
			y := make([]float64, out)
			for i := range x {
				for j := range y {
					y[j] += x[i] * theta()
				}
			}
			for j := range y {
				if y[j] += theta(); l < 2 {
					y[j] = math.Tanh(y[j])
				}
			}
			x = y
		}
		all := 0.
		for _, z := range x {
			all += math.Exp(z)
		}
		sum += math.Log(all) - x[o.Y.W[r]]
	}
	return sum / float64(rows)
}
