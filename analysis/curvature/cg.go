package curvature

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Solution is what conjugate gradients made of (A + damping I) x = b.
type Solution struct {
	X []float32 // [N]
	// Residual is |b - (A + damping I) x| / |b|, of one more product. It is a bound of the error for what matters most: |x - x*| <= Residual |b| /
	// (smallest eigenvalue + damping).
	Residual float64
	Steps    int  // that were taken
	Negative bool // it stopped at a direction of negative curvature, p^T (A + damping I) p <= 0: the matrix is not positive definite
	Broken   bool // it stopped where a product, or p^T (A + damping I) p, is not finite; X is what there was before
}

const (
	cgX     = "cg.x"
	cgR     = "cg.residual"
	cgB     = "cg.b"
	cgLeft  = "cg.left"  // f32[1, 1] |r|^2
	cgFirst = "cg.first" // f32[1, 1] |b|^2
	cgSteps = "cg.steps" // u32[]
	cgStop  = "cg.stop"  // u32[] 1: negative curvature; 2: one that is not finite
	cgDamp  = "cg.damping"
)

// Solve takes at most steps steps of conjugate gradients with each cell's right-hand side of b f32[cells, N] (Hestenes and Stiefel 1952; Golub and
// Van Loan, algorithm 11.3.2), until the residual is at most tolerance of the right-hand side, or the curvature along a direction is not positive.
//
// Order of a step, all float32: Ap = A p + damping * p; alpha = |r|^2 / sum(p * Ap); x = x + alpha * p; r = r - alpha * Ap; p = r + (|r|^2 / |r before|^2) * p.
func (s *Session) Solve(ctx context.Context, b []float32, damping, tolerance float32, steps int) ([]Solution, error) {
	switch {
	case len(b) != s.cells()*s.N:
		return nil, fmt.Errorf("curvature: right-hand sides of %d numbers; want %d vectors of %d", len(b), s.cells(), s.N)
	case !(damping >= 0) || !(tolerance > 0) || steps < 1:
		return nil, fmt.Errorf("curvature: conjugate gradients with damping %v, tolerance %v and %d steps; want 0 or more, above 0, and at least 1", damping, tolerance, steps)
	}
	unit := make([]float64, s.cells()) // a power of two for each: whatever the size of b, the sums of its squares are near 1
	for c := range unit {
		rhs := slices.Clone(b[c*s.N : (c+1)*s.N])
		unit[c] = powerOfTwo(rhs)
		for i := range rhs {
			rhs[i] = float32(float64(rhs[i]) / unit[c])
		}
		x := op.Float32s(op.S(1, s.N), rhs...)
		if err := s.pack.Put(cgB, s.vector(), c, op.Bytes(x.W)); err != nil {
			return nil, err
		}
		d := op.Float32s(op.S(1, 1), damping)
		if err := s.pack.Put(cgDamp, op.T(op.F32, op.Cell, 1, 1), c, op.Bytes(d.W)); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("conjugate gradients to %v", tolerance)
	step, err := s.program(name, func(b *graph.Builder) { s.cgStep(b, tolerance) })
	if err != nil {
		return nil, err
	}
	of := sha256.Sum256(op.Bytes(op.Float32s(op.S(len(b)), b...).W))
	if err := s.each(ctx, fmt.Sprintf("%s, damping %v, %d steps, of %x", name, damping, steps, of), steps, step); err != nil {
		return nil, err
	}
	return s.solutions(ctx, b, unit, damping)
}

// powerOfTwo is the largest that is at most the largest magnitude of x; 1 where there is no such.
func powerOfTwo(x []float32) float64 {
	most := 0.
	for _, v := range x {
		most = max(most, math.Abs(float64(v)))
	}
	if !(most > 0) || math.IsInf(most, 0) {
		return 1
	}
	return math.Ldexp(1, math.Ilogb(most))
}

func (s *Session) cgStep(b *graph.Builder, tolerance float32) {
	rhs, damping := b.Input(cgB, s.vector()), b.Input(cgDamp, op.T(op.F32, op.Cell, 1, 1))
	start := dot(b, rhs, rhs)
	p := b.State(Vector, rhs, op.Cell)
	x, r := b.State(cgX, b.Fill(0, 1, s.N), op.Cell), b.State(cgR, rhs, op.Cell)
	left, first := b.State(cgLeft, start, op.Cell), b.State(cgFirst, start, op.Cell)
	count, stop := b.State(cgSteps, b.FillU(0), op.Cell), b.State(cgStop, b.FillU(0), op.Cell)
	broad := func(v op.Value) op.Value { return b.Do(op.Broadcast{To: op.S(1, s.N)}, v) }

	ap := b.Do(op.Add, s.result(b), b.Do(op.Mul, broad(damping), p))
	along := dot(b, p, ap)
	zero := b.Fill(0, 1, 1)
	isFinite := b.Do(op.Eq, b.Do(op.Sub, along, along), zero)
	isPositive := b.Do(op.Gt, along, zero)
	positive := b.Do(op.Select{}, isFinite, isPositive, isFinite)
	pick := func(yes, no op.Value) op.Value { return b.Do(op.Select{}, broad(positive), yes, no) }
	alpha := broad(b.Do(op.Div, left, along))
	newR := b.Do(op.Sub, r, b.Do(op.Mul, alpha, ap))
	newLeft := dot(b, newR, newR)
	b.Next(x, pick(b.Do(op.Add, x, b.Do(op.Mul, alpha, p)), x))
	b.Next(r, pick(newR, r))
	b.Next(p, pick(b.Do(op.Add, newR, b.Do(op.Mul, broad(b.Do(op.Div, newLeft, left)), p)), p))
	b.Next(left, b.Do(op.Select{}, positive, newLeft, left))
	b.Next(first, first)
	went := b.Do(op.Reshape{To: op.S()}, b.Do(op.Cast{To: op.U32}, positive))
	b.Next(count, b.Do(op.IAdd{}, count, went))
	flat := func(v op.Value) op.Value { return b.Do(op.Reshape{To: op.S()}, v) }
	b.Next(stop, b.Do(op.Select{}, flat(positive), b.FillU(0), b.Do(op.Select{}, flat(isFinite), b.FillU(1), b.FillU(2))))
	// Whoever has arrived, or has met negative curvature, keeps what it has.
	far := b.Do(op.Gt, left, b.Do(op.Mul, b.Fill(tolerance*tolerance, 1, 1), first))
	going := b.Do(op.Eq, stop, b.FillU(0))
	b.Active(b.Do(op.Select{}, going, b.Do(op.Reshape{To: op.S()}, far), going))
}

// solutions reads what there is, and measures its residuals.
func (s *Session) solutions(ctx context.Context, b []float32, unit []float64, damping float32) ([]Solution, error) {
	x, err := s.read(cgX, s.N)
	if err != nil {
		return nil, err
	}
	counts, err := s.words(cgSteps, 1)
	if err != nil {
		return nil, err
	}
	stops, err := s.words(cgStop, 1)
	if err != nil {
		return nil, err
	}
	ax, err := s.Multiply(ctx, x) // of b in its unit, and so without overflow
	if err != nil {
		return nil, err
	}
	all := make([]Solution, s.cells())
	for c := range all {
		at, sum, size := c*s.N, 0., 0.
		for i := range s.N {
			r := float64(b[at+i]) / unit[c]
			d := r - float64(ax[at+i]) - float64(damping)*float64(x[at+i])
			sum, size = sum+d*d, size+r*r
			x[at+i] = float32(float64(x[at+i]) * unit[c])
		}
		all[c] = Solution{X: x[at : at+s.N], Residual: ratio(sum, size), Steps: int(counts[c]), Negative: stops[c] == 1, Broken: stops[c] == 2}
	}
	return all, nil
}
