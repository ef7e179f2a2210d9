package subspace

import (
	"lockstep/graph"
	"lockstep/op"
)

// Ternary is the basis P [D, d] with entries in {-1, 0, +1}, P(+1) = P(-1) = 1/4 (a sparse random projection; Achlioptas
// 2003, Database-friendly Random Projections, with density 1/2): theta = theta0 + f32(c * (P z)), with c = 1 / sqrt(D / 2),
// rounded once, so that columns have unit norm in expectation. The product is exact but for the scale of z (op.TernaryMM).
//
// P is kept as its transpose t2[capacity, D], two bits an entry; a smaller d is a prefix of its rows.
type Ternary struct{}

func (Ternary) Type() string { return "ternary" }
func (Ternary) Ragged() bool { return true }
func (Ternary) Whole() bool  { return false }

func (Ternary) Basis(b *graph.Builder, key op.Value, D, capacity int) op.Value {
	return b.Do(op.Ternary{Rows: int32(capacity), Cols: int32(D)}, key, b.FillU(0))
}

func (Ternary) BasisType(D, capacity int) op.Type { return op.T(op.T2, op.Seed, capacity, D) }

func (Ternary) Theta(b *graph.Builder, theta0, basis, z, d op.Value) op.Value {
	y := b.Do(op.TernaryMM{}, z, basis, d)
	D := b.Type(y).At(1)
	return plus(b, theta0, b.Do(op.Mul, b.Fill(inverseRoot(int64(D), 2), 1, D), y))
}
