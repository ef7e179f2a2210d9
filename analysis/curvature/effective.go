package curvature

import (
	"fmt"
	"math"
	"slices"
)

// Quadrature is an estimate of a trace of a function of a matrix A: each sample is what Gauss's rule makes of a process, where n v^T f(A) v of its unit vector v
// is meant. Estimate tells the spread of the samples; Least and Most are of bounds of the vectors' true values.
type Quadrature struct {
	Estimate
	Least, Most Estimate
}

// Interval is the confidence interval for the trace: from Student's lower limit of the vectors' lower bounds to the upper one of their upper bounds. So it holds
// the spread over the vectors, the error of the quadrature, and that of products.
func (q Quadrature) Interval(confidence float64) (lo, hi float64) {
	lo, _ = q.Least.Interval(confidence)
	_, hi = q.Most.Interval(confidence)
	return lo, hi
}

// EffectiveDimension estimates the sum over the n eigenvalues of f(v) = max(v, 0) / (max(v, 0) + c) (MacKay 1992, Bayesian Interpolation, section 4; Maddox, Benton and
// Wilson 2020, arXiv 2003.02139, equation 4), by quadrature: n times the mean over the processes of the weighted sums of f over their Ritz values, derived.
// off is how far products are off besides rounding, in units of Scale, see Fitted. Errors: no process, c not above 0, and those of Ritz.
//
// With delta = (2^-20 + off) Scale, products are those of a matrix A' with A' - delta <= A <= A' + delta, so for bounds f is taken that much to the left or
// right. What m steps leave open of A' is bounded by what is known of A:
//
// If it is semidefinite, f's derivatives on [0, inf) alternate in sign, so Gauss's rule is never below the true value, and the rule of Gauss and Radau with a node at
// the lower end of the spectrum never above (Golub and Meurant 2010, Matrices, Moments and Quadrature with Applications, chapters 6 and 7).
//
// Otherwise f bends at 0, where most eigenvalues are, and such bounds do not hold. But f rises, and the inequalities of Chebyshev, Markov and Stieltjes (Szego 1939,
// Orthogonal Polynomials, section 3.41) say of any spectrum that what lies below a node weighs as much as the nodes below it at least, and at most as much as these and
// the node itself: so each weight may stand at the node before its own, or behind it. And no Ritz vector y of the value v and the residual r has
// |(f(A) - f(v)) y| above |r| / c or 1. The nearer bounds count. They close slowly, in proportion to the distances between Ritz values.
func EffectiveDimension(processes []Tridiagonal, n int, semidefinite bool, off, c float64) (Quadrature, error) {
	if !(c > 0) || !(off >= 0) || n < 1 || len(processes) == 0 {
		return Quadrature{}, fmt.Errorf("curvature: an effective dimension at c = %v of %d processes of a matrix of size %d, whose products are off by %v; want c above 0, a process and a size of at least 1, and 0 or more", c, len(processes), n, off)
	}
	var each, least, most []float64
	for _, t := range processes {
		r, err := t.Ritz()
		if err != nil {
			return Quadrature{}, err
		}
		p := effective{t.begun(), float64(t.Scale), off, c}
		value := p.sum(r, 0)
		lo, hi := value, value
		if t.Scale > 0 { // otherwise it is the zero matrix
			between := p.bounds
			if semidefinite {
				between = p.semidefiniteBounds
			}
			if lo, hi, err = between(); err != nil {
				return Quadrature{}, err
			}
		}
		// f is between 0 and 1; and the bounds hold the rule's value but for the rounding of the float64 arithmetic that they are made of.
		lo, hi = min(value, max(lo, 0)), max(value, min(hi, 1))
		each, least, most = append(each, float64(n)*value), append(least, float64(n)*lo), append(most, float64(n)*hi)
	}
	return Quadrature{newEstimate(each), newEstimate(least), newEstimate(most)}, nil
}

// begun is the process up to where it began again: what comes after has no part in its first vector. There the last Beta is 0.
func (t Tridiagonal) begun() Tridiagonal {
	if i := slices.Index(t.Beta, 0); i >= 0 {
		return Tridiagonal{t.Alpha[:i+1], t.Beta[:i+1], t.Scale}
	}
	return t
}

// effective is an effective dimension over n, of one process.
type effective struct {
	t      Tridiagonal // begun
	scale  float64
	off, c float64
}

// f is the function whose trace is taken, continued below 0 where rising is true: there it is v / (v + c), not 0.
func (p effective) f(v float64, rising bool) float64 {
	if v <= 0 && !rising {
		return 0
	}
	return v / (v + p.c)
}

// sum is Gauss's rule for f, taken at a distance from the nodes.
func (p effective) sum(nodes []Ritz, shift float64) (s float64) {
	for _, v := range nodes {
		s += v.Weight * p.f(v.Value+shift, false)
	}
	return s
}

// delta is how far products are off.
func (p effective) delta() float64 { return (rounding + p.off) * p.scale }

// left is the norm of what is left after the last step, at most.
func (p effective) left() float64 {
	if b := float64(p.t.Beta[len(p.t.Beta)-1]); b > 0 {
		return b
	}
	return float64(breakdown) * p.scale
}

// semidefiniteBounds are those of a semidefinite matrix.
func (p effective) semidefiniteBounds() (lo, hi float64, err error) {
	nodes, err := p.t.Ritz()
	if err != nil {
		return 0, 0, err
	}
	// A Ritz value below -delta shows that products are off by as much at least.
	delta := max(p.delta(), -nodes[len(nodes)-1].Value)
	hi = p.sum(nodes, delta)
	if 3*delta >= p.c {
		return 0, hi, nil // such eigenvalues cannot be told from 0
	}
	// A' has no eigenvalue below -delta. Radau's node stands as much lower, so that it is well apart from the least Ritz value.
	nodes, ok := p.radau(-2 * delta)
	if !ok {
		return 0, hi, nil
	}
	for _, v := range nodes {
		lo += v.Weight * p.f(v.Value-delta, true)
	}
	return lo, hi, nil
}

// radau is the rule of Gauss and Radau with a node at a, below all Ritz values: T with a further row whose diagonal entry makes a an eigenvalue (Golub 1973,
// Some Modified Matrix Eigenvalue Problems, section 7). ok is false where float64 arithmetic does not find it.
func (p effective) radau(a float64) (nodes []Ritz, ok bool) {
	m := len(p.t.Alpha)
	pivot := float64(p.t.Alpha[0]) - a // of the factors L D L^T of T - a
	for i := 1; i < m; i++ {
		b := float64(p.t.Beta[i-1])
		pivot = float64(p.t.Alpha[i]) - a - b*b/pivot
	}
	left := p.left()
	last := a + left*left/pivot
	if !(pivot > 0) || math.IsInf(last, 0) {
		return nil, false
	}
	alpha, beta := make([]float64, m+1), make([]float64, m)
	for i := range m {
		alpha[i], beta[i] = float64(p.t.Alpha[i]), float64(p.t.Beta[i])
	}
	alpha[m], beta[m-1] = last, left
	values, vectors, err := tridiagonalEigen(alpha, beta)
	if err != nil {
		return nil, false
	}
	for i, v := range values {
		u := vectors.At(0, i)
		nodes = append(nodes, Ritz{Value: v, Weight: u * u})
	}
	return nodes, true
}

// bounds are those of any matrix.
func (p effective) bounds() (lo, hi float64, err error) {
	nodes, err := p.t.Ritz() // the largest first
	if err != nil {
		return 0, 0, err
	}
	m, delta, open := len(nodes), p.delta(), 0.
	for i, v := range nodes {
		below, above := 0., 1. // of f
		if i+1 < m {
			below = p.f(nodes[i+1].Value-delta, false)
		}
		if i > 0 {
			above = p.f(nodes[i-1].Value+delta, false)
		}
		lo, hi = lo+v.Weight*below, hi+v.Weight*above
		open += math.Sqrt(v.Weight) * min(1, p.left()*math.Abs(v.Vector[m-1])/p.c)
	}
	return max(lo, p.sum(nodes, -delta)-open), min(hi, p.sum(nodes, delta)+open), nil
}
