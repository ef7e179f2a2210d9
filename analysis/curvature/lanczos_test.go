package curvature_test

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/analysis/curvature"
)

// TestMultiplicities: known spectra come back with the right eigenvalues, each as often as it occurs, and no ghosts.
func TestMultiplicities(t *testing.T) {
	for name, counts := range map[string]map[float64]int{
		"all different": {9: 1, 7: 1, 5: 1, 4: 1, 2: 1, 1: 1, 0: 1, -1: 1, -3: 1, -8: 1},
		"1, 2 and 50":   {10: 1, 6: 2, 1: 50, -2: 2, -4: 1, 0: 4},
		"one":           {3: 20},
		"zero":          {0: 6},
		"far apart":     {1000: 1, 1: 3, 0.001: 2},
	} {
		want := spectrum(counts)
		s := session(t, dense(t, rotated(4, want)), curvature.Options{Seed: 3})
		all, err := s.Lanczos(context.Background(), len(want), curvature.Normal)
		if err != nil {
			t.Fatal(err)
		}
		r, err := all[0].Ritz()
		if err != nil {
			t.Fatal(err)
		}
		size := math.Max(math.Abs(want[0]), math.Abs(want[len(want)-1]))
		for i, v := range r {
			if !(math.Abs(v.Value-want[i]) <= 1e-5*size) {
				t.Errorf("%s: eigenvalue %d is %v; want %v", name, i, v.Value, want[i])
			}
		}
	}
}

// TestExtremes: a process much shorter than the matrix is large finds the outermost eigenvalues, and its error bounds hold.
func TestExtremes(t *testing.T) {
	want := decaying(200)
	a := rotated(5, want)
	s := session(t, dense(t, a), curvature.Options{Seed: 1})
	all, err := s.Lanczos(context.Background(), 30, curvature.Normal)
	if err != nil {
		t.Fatal(err)
	}
	r, err := all[0].Ritz()
	if err != nil {
		t.Fatal(err)
	}
	var e mat.EigenSym
	e.Factorize(a, false)
	exact := e.Values(nil)
	for i := range 5 {
		if w := exact[len(exact)-1-i]; math.Abs(r[i].Value-w) > 1e-5*10 {
			t.Errorf("eigenvalue %d from above is %v; want %v", i, r[i].Value, w)
		}
		if w := exact[i]; math.Abs(r[len(r)-1-i].Value-w) > 1e-4*10 {
			t.Errorf("eigenvalue %d from below is %v; want %v", i, r[len(r)-1-i].Value, w)
		}
	}
	sure := 0
	for _, v := range r {
		near := math.Inf(1)
		for _, w := range exact {
			near = math.Min(near, math.Abs(v.Value-w))
		}
		if near > v.Error+1e-5*10 {
			t.Errorf("no eigenvalue within %v of %v; the nearest is %v away", v.Error, v.Value, near)
		}
		if v.Error < 1e-3 {
			sure++
		}
	}
	if sure < 10 {
		t.Errorf("only %d of 30 Ritz values have an error below 1e-3", sure)
	}
}

// TestDensity: the density integrates to 1, and is near the exact one.
func TestDensity(t *testing.T) {
	want := decaying(150)
	for i := range want[60:] {
		want[60+i] = 3 + math.Sin(float64(i))
	}
	s := session(t, dense(t, rotated(6, want)), curvature.Options{Seed: 2, Vectors: 16})
	all, err := s.Lanczos(context.Background(), 60, curvature.Rademacher)
	if err != nil {
		t.Fatal(err)
	}
	d, err := curvature.NewDensity(all, 400, 0.03)
	if err != nil {
		t.Fatal(err)
	}
	step, whole, off, sigma := d.At[1]-d.At[0], 0., 0., d.Sigma
	for i, x := range d.At {
		exact := 0.
		for _, v := range want {
			z := (x - v) / sigma
			exact += math.Exp(-z*z/2) / (sigma * math.Sqrt(2*math.Pi)) / float64(len(want))
		}
		whole += d.Phi[i] * step
		off += math.Abs(d.Phi[i]-exact) * step
	}
	if math.Abs(whole-1) > 1e-3 {
		t.Errorf("the density integrates to %v; want 1", whole)
	}
	if off > 0.06 { // 16 vectors: the weights' noise is of the order of 1 / sqrt(16 * 150)
		t.Errorf("the density is off by %v in the mean; want at most 0.06", off)
	}
	// The effective dimension is a moment of it.
	c, exact := 0.5, 0.
	for _, v := range want {
		if v > 0 {
			exact += v / (v + c)
		}
	}
	e, err := curvature.EffectiveDimension(all, len(want), c)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Mean-exact) > 4*e.Error || !(e.Error < 0.05*exact) {
		t.Errorf("the effective dimension is %v +- %v; want %v", e.Mean, e.Error, exact)
	}
}
