package subspace

import (
	"lockstep/graph"
	"lockstep/op"
)

// Gaussian is the dense basis P [D, d] of Li et al. 2018: columns of independent normals, each divided by its norm
// sqrt(Sum(g * g)): theta = theta0 + P z.
//
// P is kept as its transpose f32[capacity, D]; element (column, row) is element column * D + row of the normal stream
// "basis", so a smaller d is a prefix of its rows.
type Gaussian struct{}

func (Gaussian) Type() string { return "gaussian" }
func (Gaussian) Ragged() bool { return true }
func (Gaussian) Whole() bool  { return false }

func (Gaussian) Basis(b *graph.Builder, key op.Value, D, capacity int) op.Value {
	s := op.S(capacity, D)
	g := b.Do(op.Normal{To: s}, key, b.FillU(0))
	norm := b.Do(op.Sqrt, b.Do(op.Sum{Axes: op.List(1)}, b.Do(op.Mul, g, g)))
	return b.Do(op.Div, g, b.Do(op.Broadcast{To: s}, norm))
}

func (Gaussian) BasisType(D, capacity int) op.Type { return op.T(op.F32, op.Seed, capacity, D) }

func (Gaussian) Theta(b *graph.Builder, theta0, basis, z, d op.Value) op.Value {
	return plus(b, theta0, b.Do(op.MatMul{}, z, basis, d))
}
