package curvature_test

import (
	"math"
	"slices"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
	"lockstep/model"
)

// TestGoldenEstimates pins what every estimator declares, of two models at a time in batches that do not divide the rows: another order of sums, another stream
// of random numbers, one orthogonalisation more are other bits. The digests were made by the code that they hold; what they mean is held by other tests.
func TestGoldenEstimates(t *testing.T) {
	ctx := t.Context()
	o := mlp(model.Tanh, model.CrossEntropy)
	o.Theta = append(o.Theta, normals(8, o.Model.D(), 0.5))
	o.Batch = 3
	flat := func(all [][]float32) []float32 { return slices.Concat(all...) }
	for name, c := range map[string]struct {
		want     string
		estimate func(s *curvature.Session) ([]float32, error)
	}{
		"lanczos": {"67ea93dc6c125b16", func(s *curvature.Session) (x []float32, err error) {
			all, err := s.Lanczos(ctx, 9, curvature.Normal)
			for _, p := range all {
				x = append(append(append(x, p.Alpha...), p.Beta...), p.Scale)
			}
			return x, err
		}},
		"lanczos from entries +-1": {"dcc5677e70f5739a", func(s *curvature.Session) (x []float32, err error) {
			all, err := s.Lanczos(ctx, 4, curvature.Rademacher)
			for _, p := range all {
				x = append(append(append(x, p.Alpha...), p.Beta...), p.Scale)
			}
			return x, err
		}},
		"hutchinson": {"d4d4873863bd24ff", func(s *curvature.Session) (x []float32, err error) {
			all, err := s.Hutchinson(ctx, 3)
			for _, v := range all {
				x = append(x, v...)
			}
			return x, err
		}},
		"hutch++": {"34a81d227c979df4", func(s *curvature.Session) (x []float32, err error) {
			_, all, err := s.HutchPlusPlus(ctx, 3, 4)
			for _, cells := range all {
				for _, p := range cells {
					x = append(append(x, p.Known), p.Samples...)
				}
			}
			return x, err
		}},
		"diagonal": {"8d7b5f2464a3cb7b", func(s *curvature.Session) (x []float32, err error) {
			all, err := s.Diagonal(ctx, 3)
			for _, d := range all {
				x = slices.Concat(x, d.Samples, flat(d.Sum), flat(d.Squares))
			}
			return x, err
		}},
		"conjugate gradients": {"e0704f580c343e30", func(s *curvature.Session) (x []float32, err error) {
			all, err := s.Solve(ctx, normals(11, 4*o.Model.D(), 1), 3, 1e-5, 6)
			for _, v := range all {
				x = append(append(x, v.X...), float32(v.Steps))
			}
			return x, err
		}},
	} {
		s := o.session(t, curvature.Options{Seed: 5, Vectors: 2})
		x, err := c.estimate(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := curvature.Digest(curvature.Declared{Name: name, Values: x}); d[:16] != c.want {
			t.Errorf("%q: digest %s of %d numbers; want %s", name, d[:16], len(x), c.want)
		}
	}
}

// TestManyRowGradients: rows beyond those that are computed at once have their own gradients.
func TestManyRowGradients(t *testing.T) {
	e := engine(t, cpu.Options{Threads: 2})
	spec := mlp(model.Tanh, model.CrossEntropy).Model
	many := newProblem(spec, model.CrossEntropy, 130)
	all, err := many.RowGradients(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []int{0, 63, 64, 65, 127, 128, 129} {
		one := many
		one.X, one.Y = rowOf(many.X, row), rowOf(many.Y, row)
		alone, err := one.RowGradients(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bitsOf(all[0][row]), bitsOf(alone[0][0])) {
			t.Errorf("row %d of 130 has another gradient than alone", row)
		}
	}
}

// TestInterval: half-widths in standard errors are Student's quantiles, as tables have them.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		samples           int
		confidence, width float64
	}{{2, 0.95, 12.706}, {3, 0.95, 4.303}, {11, 0.95, 2.228}, {11, 0.99, 3.169}, {31, 0.95, 2.042}, {121, 0.9, 1.658}} {
		lo, hi := curvature.Estimate{Mean: 7, Error: 0.5, Samples: c.samples}.Interval(c.confidence)
		if w := (hi - lo) / 2 / 0.5; math.Abs(w-c.width) > 5e-4 || math.Abs(lo+hi-14) > 1e-9 {
			t.Errorf("%d samples: [%v, %v], %v standard errors about 7; want %v", c.samples, lo, hi, w, c.width)
		}
	}
	if lo, hi := (curvature.Estimate{Mean: 7, Samples: 1}).Interval(0.95); !math.IsInf(lo, -1) || !math.IsInf(hi, 1) {
		t.Errorf("one sample: [%v, %v]", lo, hi)
	}
}
