package curvature_test

import (
	"context"
	"math"
	"slices"
	"strings"
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
	n, _ := a.Dims()
	for i := range n {
		for j := range i + 1 {
			a.SetSym(i, j, float64(float32(a.At(i, j)))) // as the products have it
		}
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
		if near > v.Error {
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

// TestErrors: the terms that an error is made of, of a T whose process began again, by hand.
func TestErrors(t *testing.T) {
	const rounding, broke = 0x1p-20, 0x1p-17
	r, err := curvature.Tridiagonal{Alpha: []float32{2, 2, 7}, Beta: []float32{1, 0, 0.25}, Scale: 8}.Ritz()
	if err != nil {
		t.Fatal(err)
	}
	// 7 has the vector e3, which the last Beta leaves; 3 and 1 have (1, +-1) / sqrt 2, at whose second place the process broke.
	for i, want := range []struct{ value, error, weight float64 }{
		{7, 0.25 + 8*rounding, 0}, {3, 8 * (rounding + broke/math.Sqrt2), 0.5}, {1, 8 * (rounding + broke/math.Sqrt2), 0.5},
	} {
		if v := r[i]; math.Abs(v.Value-want.value) > 1e-12 || math.Abs(v.Error-want.error) > 1e-12 || math.Abs(v.Weight-want.weight) > 1e-12 {
			t.Errorf("%+v; want %+v", v, want)
		}
	}
	// Of two processes of one step each, a density is the mean of two normal ones, and its standard error half their distance.
	one := func(a float32) curvature.Tridiagonal {
		return curvature.Tridiagonal{Alpha: []float32{a}, Beta: []float32{0}, Scale: 3}
	}
	d, err := curvature.NewDensity([]curvature.Tridiagonal{one(1), one(3)}, 50, 0.5)
	if err != nil || d.Sigma != 1 {
		t.Fatalf("sigma %v, %v; want half of 2", d.Sigma, err)
	}
	for i, x := range d.At {
		a, b := math.Exp(-(x-1)*(x-1)/2)/math.Sqrt(2*math.Pi), math.Exp(-(x-3)*(x-3)/2)/math.Sqrt(2*math.Pi)
		if math.Abs(d.Phi[i]-(a+b)/2) > 1e-12 || math.Abs(d.Error[i]-math.Abs(a-b)/2) > 1e-12 {
			t.Errorf("at %v: %v +- %v; want %v +- %v", x, d.Phi[i], d.Error[i], (a+b)/2, math.Abs(a-b)/2)
		}
	}
	// What Hutch++ knows exactly it knows to the rounding of products.
	p := curvature.Estimates{{Known: 16, Samples: []float32{0, 0, 0}}}.Estimate()
	if p.Mean != 16 || math.Abs(p.Error-16*rounding) > 1e-12 {
		t.Errorf("%+v; want 16 +- %v", p, 16*rounding)
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
	e, err := curvature.EffectiveDimension(all, len(want), false, 0, c)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Mean-exact) > 4*e.Error || !(e.Error < 0.05*exact) {
		t.Errorf("the effective dimension is %v +- %v; want %v", e.Mean, e.Error, exact)
	}
}

// TestEigenpairs: eigenvectors of the outermost eigenvalues, of each cell's own matrix, with residuals that tell how far their values are off; and only of the
// session's last processes.
func TestEigenpairs(t *testing.T) {
	ctx := context.Background()
	a := rotated(5, decaying(120))
	var e mat.EigenSym
	e.Factorize(a, true)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	exact, n := e.Values(nil), a.SymmetricDim()
	s := session(t, dense(t, a), curvature.Options{Seed: 1, Vectors: 2})
	if _, err := s.Eigenpairs(ctx, [][]curvature.Ritz{{{Vector: []float64{1}}}, {{Vector: []float64{1}}}}); err == nil {
		t.Error("eigenvectors before any process")
	}
	ritz := func(m int) (of [][]curvature.Ritz) { // the largest three and the smallest two of each cell
		all, err := s.Lanczos(ctx, m, curvature.Normal)
		if err != nil {
			t.Fatal(err)
		}
		for _, tri := range all {
			r, err := tri.Ritz()
			if err != nil {
				t.Fatal(err)
			}
			of = append(of, append(slices.Clone(r[:3]), r[m-2:]...))
		}
		return of
	}
	gone := ritz(20)
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := s.Lanczos(stopped, 20, curvature.Rademacher); err == nil {
		t.Error("processes of a context that has ended")
	}
	if _, err := s.Eigenpairs(ctx, gone); err == nil {
		t.Error("eigenvectors of processes whose basis another one may have begun to replace")
	}
	var old [][]curvature.Ritz
	for _, m := range []int{20, 60} {
		some := ritz(m)
		if old != nil {
			if _, err := s.Eigenpairs(ctx, old); err == nil || !strings.Contains(err.Error(), "20 steps") {
				t.Errorf("Ritz values of other processes: %v", err)
			}
		}
		old = some
		pairs, err := s.Eigenpairs(ctx, some)
		if err != nil {
			t.Fatal(err)
		}
		for c := range pairs {
			for i, p := range pairs[c] {
				at := n - 1 - i // ascending
				if i >= 3 {
					at = 4 - i
				}
				var along, length float64
				for j, v := range p.Vector {
					along += float64(v) * vectors.At(j, at)
					length += float64(v) * float64(v)
				}
				if p.Value != some[c][i].Value || math.Abs(length-1) > 1e-6 {
					t.Errorf("%d steps, cell %d, pair %d: value %v, length %v; want %v, 1", m, c, i, p.Value, math.Sqrt(length), some[c][i].Value)
				}
				if off := math.Abs(p.Value - exact[at]); off > p.Residual+1e-5*10 {
					t.Errorf("%d steps, cell %d, pair %d: %v is off by %v; its residual is %v", m, c, i, p.Value, off, p.Residual)
				}
				if m == 60 && (p.Residual > 1e-4 || math.Abs(math.Abs(along)-1) > 1e-5) {
					t.Errorf("cell %d, pair %d: residual %v, along the eigenvector %v", c, i, p.Residual, along)
				}
			}
		}
	}
}
