package curvature

import (
	"context"
	"fmt"
	"math"

	"lockstep/graph"
	"lockstep/op"
)

// Eigenpair is an eigenvalue and its eigenvector, as far as a Lanczos process knows them.
type Eigenpair struct {
	Value  float64
	Vector []float32 // [N], of length 1
	// Residual is |A v - Value v| / |v|, of one more product: an eigenvalue of A is not farther from Value (Parlett 1998, theorem 4.5.1), but for what that
	// product itself is off by, see Fitted.
	Residual float64
}

const (
	pairWeights = "eigenpair.weights" // f32[1, m] a unit vector of T
	pairVector  = "eigenpair.vector"  // f32[1, N] that vector in the space of the matrix
)

// Eigenpairs gives eigenvectors of Ritz values of a session's last Lanczos processes, by cell: of as many in each, which must be of the processes at hand. A
// vector is V^T u, of V f32[m, N], the basis of the process, which stays on the device, and u, the vector of T rounded to float32, divided by its norm.
// It stops between products, and then keeps the processes as an estimation does. Errors: values of other processes; those of the engine.
func (s *Session) Eigenpairs(ctx context.Context, of [][]Ritz) ([][]Eigenpair, error) {
	if len(of) != s.cells() {
		return nil, fmt.Errorf("curvature: Ritz values of %d cells; want those of %d", len(of), s.cells())
	}
	k, m := len(of[0]), s.lanczos
	for c, values := range of {
		if len(values) != k {
			return nil, fmt.Errorf("curvature: %d Ritz values of cell %d and %d of the first; want as many of each", len(values), c, k)
		}
		for _, r := range values {
			if len(r.Vector) != m {
				return nil, fmt.Errorf("curvature: a Ritz value of a process of %d steps; the session's last one had %d", len(r.Vector), m)
			}
		}
	}
	pairs := make([][]Eigenpair, len(of))
	if k == 0 {
		return pairs, nil
	}
	name := fmt.Sprintf("eigenvectors of %d steps", m)
	combine := s.programs[name]
	if combine == nil { // it is no part of an estimation: checkpoints do without its states
		p, err := graph.Trace(func(b *graph.Builder) {
			weights, basis := b.State(sized(pairWeights, m), b.Fill(0, 1, m), op.Cell), b.State(sized(basisRows, m), b.Fill(0, m, s.N), op.Cell)
			b.Next(weights, weights)
			b.Next(basis, basis)
			b.Next(b.State(pairVector, b.Fill(0, 1, s.N), op.Cell), unit(b, b.Do(op.MatMul{}, weights, basis)))
		})
		if err != nil {
			return nil, err
		}
		if combine, err = s.pack.Compile(p); err != nil {
			return nil, err
		}
		s.programs[name] = combine
	}
	for i := range k {
		if err := s.pause(ctx); err != nil {
			return nil, err
		}
		for c, values := range of {
			u := make([]float32, m)
			for j, v := range values[i].Vector {
				u[j] = float32(v)
			}
			if err := s.pack.Write(sized(pairWeights, m), c, op.Bytes(op.Float32s(op.S(1, m), u...).W)); err != nil {
				return nil, err
			}
		}
		if err := combine.Run(context.WithoutCancel(ctx), 1); err != nil { // not Reset: the basis is the process's
			return nil, err
		}
		v, err := s.read(pairVector, s.N)
		if err != nil {
			return nil, err
		}
		av, err := s.Multiply(context.WithoutCancel(ctx), v)
		if err != nil {
			return nil, err
		}
		for c := range of {
			x, ax, value := v[c*s.N:(c+1)*s.N], av[c*s.N:(c+1)*s.N], of[c][i].Value
			left, length := 0., 0.
			for j := range x {
				d := float64(ax[j]) - value*float64(x[j])
				left, length = left+d*d, length+float64(x[j])*float64(x[j])
			}
			pairs[c] = append(pairs[c], Eigenpair{value, x, math.Sqrt(left / length)})
		}
	}
	return pairs, nil
}
