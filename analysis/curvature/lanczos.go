package curvature

import (
	"context"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

// Tridiagonal is what the Lanczos process makes of a matrix A and a vector: T = V^T A V, with the vectors of V orthonormal.
type Tridiagonal struct {
	Alpha []float32 // [m] the diagonal
	// Beta [m] is the other diagonal, Beta[i] between i and i+1, 0 where the process began again; the last one is the norm of what is left.
	Beta  []float32
	Scale float32 // the largest magnitude in Alpha and Beta: a lower bound of |A|, in units of which errors count
}

// Start is how a process begins.
type Start string

const (
	Normal     Start = "normal"     // a normal vector
	Rademacher Start = "rademacher" // entries +-1 (Hutchinson 1990)
)

// draw emits random vector t f32[1, n] of a stream.
func (s Start) draw(b *graph.Builder, n int, key, t op.Value) op.Value {
	if s == Rademacher {
		return b.Do(op.Rademacher{To: op.S(1, n)}, key, t)
	}
	return b.Do(op.Normal{To: op.S(1, n)}, key, t)
}

const (
	basisRows    = "lanczos.basis"  // f32[m, N] the vectors so far, then +0
	alphas       = "lanczos.alpha"  // f32[m, 1]
	betas        = "lanczos.beta"   // f32[m, 1]
	scaleSoFar   = "lanczos.scale"  // f32[1, 1]
	lanczosAt    = "lanczos.at"     // u32[] index of the vector at hand
	lanczosBroke = "lanczos.broke"  // bool[] whether nothing is left of it
	keyRestart   = "key.restart"    // u32[2] the stream from which processes begin again
	breakdown    = float32(0x1p-17) // what is left of a vector, in units of scale, that is rounding: see Lanczos
)

// Lanczos takes each cell's process through m steps, from a random vector each (Lanczos 1950; Golub and Van Loan, Matrix Computations, 4th ed.,
// section 10.1, with full reorthogonalisation, 10.3.2): every new vector is made orthogonal to all before, twice ("twice is enough", Parlett 1998, The
// Symmetric Eigenvalue Problem, section 6.9), so that no eigenvalue comes back as a ghost.
//
// When what is left of a vector is at most 2^-17 of the largest entry of T, the vectors so far span an invariant subspace, as far as float32 products
// can tell: the process goes on from a new random vector, orthogonal to all, and Beta is 0 there. So an eigenvalue of multiplicity k
// is found k times, if m is large enough: each time only after all others have been found.
//
// Order of a step, all float32: a = sum(w * q); twice c = w V^T over the rows so far, w = w - c V; b = sqrt(sum(w * w)); q = w / b.
func (s *Session) Lanczos(ctx context.Context, m int, start Start) ([]Tridiagonal, error) {
	if m < 1 || m > s.N {
		return nil, fmt.Errorf("curvature: %d Lanczos steps of a matrix of size %d; want 1 to %d", m, s.N, s.N)
	}
	s.lanczos = 0 // what basis there is will be another one
	key := op.Key(s.seed, "restart")
	if err := s.pack.Put(keyRestart, op.T(op.U32, op.Shared, 2), 0, op.Bytes(key[:])); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("lanczos of %d steps from %s", m, start)
	step, err := s.program(name, func(b *graph.Builder) { s.lanczosStep(b, m, start) })
	if err != nil {
		return nil, err
	}
	again, err := s.program(name+", begun again", func(b *graph.Builder) { s.lanczosAgain(b, m) })
	if err != nil {
		return nil, err
	}
	err = s.run(ctx, loop{name, m, step.Reset, func(ctx context.Context, i int) error {
		if err := s.multiply(ctx); err != nil {
			return err
		}
		if err := step.Run(ctx, 1); err != nil || i+1 == m {
			return err
		}
		broke, err := s.words(lanczosBroke, 1)
		if err != nil {
			return err
		}
		for _, b := range broke {
			if b != 0 {
				return again.Run(ctx, 1)
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	a, err := s.read(sized(alphas, m), m)
	if err != nil {
		return nil, err
	}
	b, err := s.read(sized(betas, m), m)
	if err != nil {
		return nil, err
	}
	s.lanczos = m
	scale, err := s.read(scaleSoFar, 1)
	t := make([]Tridiagonal, s.cells())
	for c := range t {
		t[c] = Tridiagonal{a[c*m : (c+1)*m], b[c*m : (c+1)*m], scale[c]}
	}
	return t, err
}

// lanczosStep emits a step: Product has become A q.
func (s *Session) lanczosStep(b *graph.Builder, m int, start Start) {
	key, first, _ := s.probes(b)
	q0 := unit(b, start.draw(b, s.N, key, first))
	zero := b.FillU(0)
	q := b.State(Vector, q0, op.Cell)
	basis := b.State(sized(basisRows, m), b.Do(op.PutRow{}, b.Fill(0, m, s.N), q0, zero), op.Cell)
	alpha, beta := b.State(sized(alphas, m), b.Fill(0, m, 1), op.Cell), b.State(sized(betas, m), b.Fill(0, m, 1), op.Cell)
	scale, at := b.State(scaleSoFar, b.Fill(0, 1, 1), op.Cell), b.State(lanczosAt, zero, op.Cell)
	w := s.result(b)

	a := dot(b, w, q)
	next := b.Do(op.IAdd{}, at, b.FillU(1))
	w = orthogonal(b, w, basis, next)
	left := norm(b, w)
	largest := b.Do(op.Max, b.Do(op.Max, scale, left), b.Do(op.Max, a, b.Do(op.Neg, a)))
	broke := b.Do(op.Le, left, b.Do(op.Mul, b.Fill(breakdown, 1, 1), largest))
	broad := func(v op.Value) op.Value { return b.Do(op.Broadcast{To: op.S(1, s.N)}, v) }
	// In a cell that broke the old vector stays until the new one is there.
	newQ := b.Do(op.Select{}, broad(broke), q, b.Do(op.Div, w, broad(left)))
	b.Next(q, newQ)
	b.Next(basis, b.Do(op.PutRow{}, basis, newQ, next)) // the row behind the last is none
	b.Next(alpha, b.Do(op.PutRow{}, alpha, a, at))
	b.Next(beta, b.Do(op.PutRow{}, beta, b.Do(op.Select{}, broke, b.Fill(0, 1, 1), left), at))
	b.Next(scale, largest)
	b.Next(at, next)
	b.OutputOver(lanczosBroke, b.Do(op.Reshape{To: op.S()}, broke), op.Cell)
}

// lanczosAgain emits a new vector of the cells that broke, orthogonal to those before.
func (s *Session) lanczosAgain(b *graph.Builder, m int) {
	key, first := b.Input(keyRestart, op.T(op.U32, op.Shared, 2)), b.Input(firstProbe, op.T(op.U32, op.Cell))
	at := b.Input(lanczosAt, op.T(op.U32, op.Cell))
	q := b.State(Vector, b.Fill(0, 1, s.N), op.Cell)
	basis := b.State(sized(basisRows, m), b.Fill(0, m, s.N), op.Cell)
	// t is (the vector's place, the number of the process).
	t := b.Do(op.Concat{}, b.Do(op.Reshape{To: op.S(1)}, at), b.Do(op.Reshape{To: op.S(1)}, first))
	w := unit(b, b.Do(op.Normal{To: op.S(1, s.N)}, key, t))
	w = unit(b, orthogonal(b, w, basis, at))
	b.Next(q, w)
	b.Next(basis, b.Do(op.PutRow{}, basis, w, at))
	b.Active(b.Input(lanczosBroke, op.T(op.Bool, op.Cell)))
}

// dot emits sum(x * y), f32[1, 1], of vectors f32[1, n].
func dot(b *graph.Builder, x, y op.Value) op.Value {
	return b.Do(op.Sum{Axes: op.List(1)}, b.Do(op.Mul, x, y))
}

// norm emits sqrt(sum(x * x)), f32[1, 1].
func norm(b *graph.Builder, x op.Value) op.Value { return b.Do(op.Sqrt, dot(b, x, x)) }

// unit emits x / norm(x).
func unit(b *graph.Builder, x op.Value) op.Value {
	return b.Do(op.Div, x, b.Do(op.Broadcast{To: b.Type(x).Shape}, norm(b, x)))
}

// orthogonal emits w less its parts along the first rows of a basis f32[m, n] with orthonormal rows, taken off twice.
func orthogonal(b *graph.Builder, w, basis, rows op.Value) op.Value {
	for range 2 {
		c := b.Do(op.MatMulTail{TB: true}, w, basis, rows)     // [1, m]
		w = b.Do(op.Sub, w, b.Do(op.MatMul{}, c, basis, rows)) // [1, n]
	}
	return w
}
