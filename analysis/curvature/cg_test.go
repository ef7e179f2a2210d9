package curvature_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"lockstep/analysis/curvature"
)

func TestSolve(t *testing.T) {
	want := make([]float64, 30)
	for i := range want {
		want[i] = 1 + float64(i)/3
	}
	a := rotated(11, want)
	negative := rotated(12, decaying(30))
	b := make([]float32, 60)
	for i := range b {
		b[i] = float32(math.Cos(float64(i * i)))
	}
	s := session(t, dense(t, a, negative), curvature.Options{})
	x, err := s.Solve(context.Background(), b, 0.25, 1e-5, 40)
	if err != nil {
		t.Fatal(err)
	}
	if x[0].Residual > 2e-5 || x[0].Negative || x[0].Steps < 5 || x[0].Steps >= 40 {
		t.Errorf("residual %v after %d steps, negative %v; want 1e-5 before 40", x[0].Residual, x[0].Steps, x[0].Negative)
	}
	for i := range 30 {
		y := 0.25 * float64(x[0].X[i])
		for j := range 30 {
			y += a.At(i, j) * float64(x[0].X[j])
		}
		if math.Abs(y-float64(b[i])) > 1e-4 {
			t.Errorf("row %d of (A + d) x is %v; want %v", i, y, b[i])
		}
	}
	if !x[1].Negative {
		t.Errorf("%+v; want to be told of negative curvature", x[1])
	}
	// Damping above the negative eigenvalues makes it definite.
	b1 := make([]float32, 60)
	copy(b1, b)
	if x, err = s.Solve(context.Background(), b1, 3, 1e-5, 40); err != nil || x[1].Negative || x[1].Residual > 2e-5 {
		t.Errorf("with damping %+v, error %v; want a solution", x[1], err)
	}
}

// TestSolveOfNoNumbers: a product that is not finite is told from negative curvature, and leaves the other cells their solutions.
func TestSolveOfNoNumbers(t *testing.T) {
	good := rotated(5, decaying(12))
	for i := range 12 {
		good.SetSym(i, i, good.At(i, i)+20)
	}
	for _, bad := range []float64{math.Inf(1), math.NaN(), math.Inf(-1)} {
		broken := rotated(5, decaying(12))
		broken.SetSym(3, 4, bad)
		s := session(t, dense(t, good, broken), curvature.Options{})
		x, err := s.Solve(context.Background(), normals(2, 24, 1), 0, 1e-5, 40)
		if err != nil {
			t.Fatal(err)
		}
		if x[0].Broken || x[0].Negative || !(x[0].Residual < 2e-5) {
			t.Errorf("beside %v: residual %v, broken %v, negative %v", bad, x[0].Residual, x[0].Broken, x[0].Negative)
		}
		if !x[1].Broken || x[1].Negative || x[1].Steps != 0 || slices.ContainsFunc(x[1].X, func(v float32) bool { return v != 0 }) {
			t.Errorf("of %v: broken %v, negative %v after %d steps, %v", bad, x[1].Broken, x[1].Negative, x[1].Steps, x[1].X)
		}
	}
}
