package curvature_test

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/analysis/curvature"
)

// processes are Lanczos processes of so many steps, of the same random vectors whatever the steps.
func processes(t *testing.T, a *mat.SymDense, steps, vectors int) []curvature.Tridiagonal {
	t.Helper()
	s := session(t, dense(t, a), curvature.Options{Seed: 2, Vectors: vectors})
	all, err := s.Lanczos(context.Background(), steps, curvature.Rademacher)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func effective(t *testing.T, all []curvature.Tridiagonal, n int, semidefinite bool, off, c float64) curvature.Quadrature {
	t.Helper()
	q, err := curvature.EffectiveDimension(all, n, semidefinite, off, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRules: Gauss's rule and that of Gauss and Radau, of one step, by hand.
func TestRules(t *testing.T) {
	const c, n = 0.5, 10
	f := func(x float64) float64 { return x / (x + c) }
	one := func(alpha, beta float32) []curvature.Tridiagonal {
		return []curvature.Tridiagonal{{Alpha: []float32{alpha}, Beta: []float32{beta}, Scale: max(alpha, beta)}}
	}
	near := func(what string, got, want, off float64) {
		t.Helper()
		if math.Abs(got-want) > off {
			t.Errorf("%s: %v; want %v", what, got, want)
		}
	}
	// The weight w at x beside one at 0 has the moments w x = 2 and w x^2 = 2^2 + 1^2.
	q := effective(t, one(2, 1), n, true, 0, c)
	near("Gauss", q.Mean, n*f(2), 1e-12)
	near("Gauss, at most", q.Most.Mean, n*f(2), 1e-5)
	near("Radau", q.Least.Mean, n*(2/2.5)*f(2.5), 1e-4) // its node is at 0 but for the rounding of products
	if lo, hi := q.Interval(0.95); !math.IsInf(lo, -1) || !math.IsInf(hi, 1) {
		t.Errorf("one vector tells the interval [%v, %v]", lo, hi)
	}
	// Products that are off by d = 0.01 of the scale 2: nodes at -2 d with the weight 1 - w, and at x; both are taken d farther to the left.
	const d = 0.01 * 2
	q = effective(t, one(2, 1), n, true, 0.01, c)
	x := (5 + 2*2*2*d + 4*d*d) / (2 + 2*d) // the second moment about -2 d over the first
	w := (2 + 2*d) / x
	near("Gauss, d to the right", q.Most.Mean, n*f(2+d), 1e-5)
	near("Radau, d to the left", q.Least.Mean, n*(w*f(x-3*d)+(1-w)*f(-3*d)), 1e-3)
	if q = effective(t, one(2, 1), n, true, 0.1, c); q.Least.Mean != 0 || q.Most.Mean < n*f(2.1) {
		t.Errorf("of products that are off by more than c tells, [%v, %v]", q.Least.Mean, q.Most.Mean)
	}
	// Of a matrix of any signs one step tells nothing, unless its vector is an eigenvector.
	if q = effective(t, one(2, 1), n, false, 0, c); q.Least.Mean != 0 || q.Most.Mean != n {
		t.Errorf("one step: %+v", q)
	}
	q = effective(t, one(2, 0), n, false, 0, c)
	near("an eigenvector, at least", q.Least.Mean, n*f(2), 1e-3)
	near("an eigenvector, at most", q.Most.Mean, n*f(2), 1e-3)
	// Of two steps, with the nodes 3 and 1 by halves, half lies at or below 3 and nothing needs to be above 1.
	two := []curvature.Tridiagonal{{Alpha: []float32{2, 2}, Beta: []float32{1, 1}, Scale: 2}}
	q = effective(t, two, n, false, 0, c)
	near("two steps", q.Mean, n*(f(3)+f(1))/2, 1e-12)
	near("two steps, at least", q.Least.Mean, n*f(1)/2, 1e-4)
	near("two steps, at most", q.Most.Mean, n*(f(3)+1)/2, 1e-4)
	// Little is left of them: by the residuals 0.01 / sqrt 2 of both, with weights of 1 / 2.
	two[0].Beta[1] = 0.01
	q = effective(t, two, n, false, 0, c)
	near("two steps that leave little, at least", q.Least.Mean, n*((f(3)+f(1))/2-0.01/c), 1e-4)
	near("two steps that leave little, at most", q.Most.Mean, n*((f(3)+f(1))/2+0.01/c), 1e-4)
	// What comes after a new beginning has no part.
	again := curvature.Tridiagonal{Alpha: []float32{2, 7, 1}, Beta: []float32{0, 3, 1}, Scale: 7}
	for _, semidefinite := range []bool{false, true} {
		q = effective(t, []curvature.Tridiagonal{again}, n, semidefinite, 0, c)
		near("begun again, at least", q.Least.Mean, n*f(2), 5e-3)
		near("begun again, at most", q.Most.Mean, n*f(2), 5e-3)
	}
	// The zero matrix has none, for certain.
	if q = effective(t, one(0, 0), n, true, 0, c); q.Least.Mean != 0 || q.Most.Mean != 0 {
		t.Errorf("zero: %+v", q)
	}
	for name, bad := range map[string]func() (curvature.Quadrature, error){
		"c":         func() (curvature.Quadrature, error) { return curvature.EffectiveDimension(one(2, 1), n, true, 0, 0) },
		"processes": func() (curvature.Quadrature, error) { return curvature.EffectiveDimension(nil, n, true, 0, c) },
		"off": func() (curvature.Quadrature, error) {
			return curvature.EffectiveDimension(one(2, 1), n, true, math.NaN(), c)
		},
	} {
		if _, err := bad(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestQuadratureError: of few steps, what each vector's true value is lies between what it is said to be at least and at most, and the interval holds the
// true effective dimension, where the spread over the vectors alone does not.
func TestQuadratureError(t *testing.T) {
	const n, vectors = 80, 5
	signs := decaying(n) // a few of them negative
	positive := make([]float64, n)
	for i, v := range signs {
		positive[i] = math.Abs(v)
	}
	rank := make([]float64, n) // of which a process comes to an end
	copy(rank, positive[:12])
	for name, m := range map[string]struct {
		values       []float64
		semidefinite bool
	}{"positive": {positive, true}, "of low rank": {rank, true}, "of both signs": {signs, false}, "of low rank, as any": {rank, false}} {
		a := rotated(8, m.values)
		whole, missed := processes(t, a, n, vectors), 0
		for _, c := range []float64{1, 0.01, 1e-3} {
			want := 0.
			for _, v := range m.values {
				if v > 0 {
					want += v / (v + c)
				}
			}
			wide, width := 0, math.Inf(1)
			for _, steps := range []int{1, 2, 4, 9, 30} {
				some := processes(t, a, steps, vectors)
				q := effective(t, some, n, m.semidefinite, 0, c)
				for i := range some {
					x, one := effective(t, whole[i:i+1], n, m.semidefinite, 0, c), effective(t, some[i:i+1], n, m.semidefinite, 0, c)
					// The true value is known to within its own bounds, which are those of rounding.
					if one.Least.Mean > x.Most.Mean || one.Most.Mean < x.Least.Mean {
						t.Errorf("%s, c = %v, %d steps, vector %d: in [%v, %v]; it is in [%v, %v]", name, c, steps, i, one.Least.Mean, one.Most.Mean, x.Least.Mean, x.Most.Mean)
					}
					if one.Least.Mean > one.Mean || one.Mean > one.Most.Mean {
						t.Errorf("%s, c = %v, %d steps: %v is not in [%v, %v]", name, c, steps, one.Mean, one.Least.Mean, one.Most.Mean)
					}
				}
				lo, hi := q.Interval(0.95) // of this seed; of one in twenty the vectors themselves are far off
				if !(lo <= want && want <= hi) {
					t.Errorf("%s, c = %v, %d steps: the interval [%v, %v] has not %v in it", name, c, steps, lo, hi, want)
				}
				if lo, hi := q.Estimate.Interval(0.95); !(lo <= want && want <= hi) {
					missed++
				}
				if w := q.Most.Mean - q.Least.Mean; m.semidefinite && w > width+1e-9 {
					wide++
				} else {
					width = w
				}
			}
			if wide > 0 || m.semidefinite && width > 0.05*n {
				t.Errorf("%s, c = %v: bounds got wider %d times with more steps, and are %v apart at last", name, c, wide, width)
			}
		}
		if missed < 3 {
			t.Errorf("%s: the spread alone would do in all cases but %d", name, missed)
		}
	}
}
