package model

import (
	"fmt"

	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/op"
)

// Projection confines a rule's steps to the eigenspace of the loss's largest curvatures, or to what is orthogonal to it (Song, Ahn and Yun 2024, Does SGD really
// happen in tiny subspaces?, arXiv 2405.16002, section 4: Dom-SGD and Bulk-SGD). The zero value confines nothing.
//
// The eigenspace is followed along the training, by simultaneous power iterations with deflation: a State E f32[K, D] of orthonormal rows, of which
// each step renews one, in turn, by a Hessian-vector product of the step's own loss. It is that of the K eigenvalues of largest magnitude. K is at most
// the number of parameters: no more rows are orthonormal.
type Projection struct {
	Onto string // top: the eigenspace; bulk: what is orthogonal to it; "": no projection
	K    int    // dimensions of the eigenspace
}

const (
	top  = "top"
	bulk = "bulk"
)

// Projections lists what Projection.Onto can be.
func Projections() []string { return []string{top, bulk} }

// maxProjected bounds K: more vectors than anybody's eigenspace has, of which all but one grow stale in a step.
const maxProjected = 1000

func (p Projection) check() error {
	switch {
	case p.Onto == "" && p.K == 0:
		return nil
	case p.Onto == "":
		return fmt.Errorf("project.onto is missing; it is %s or %s", top, bulk)
	case p.Onto != top && p.Onto != bulk:
		return nearest.Unknown("project.onto", p.Onto, Projections())
	case p.K < 1 || p.K > maxProjected:
		return fmt.Errorf("project.k is %d; it must be 1 to %d eigenvectors", p.K, maxProjected)
	}
	return nil
}

// project emits the projection of the step that a rule makes from z to next, weight decay and all, f32[1, D]: z + (d E^T) E for top and next - (d E^T) E for
// bulk, where d = next - z. g is the gradient of loss f32[] at z.
//
// Before that, row j of E, j the number of the step modulo K, becomes w / sqrt(sum(w * w)), or +0 where that sum is 0, of w = H v, v being row j,
// or g where it is still +0, and then twice: c = w E^T, c[j] = +0, w = w - c E. All is float32, in this order.
func (p Projection) project(u update, loss, z, g, next op.Value) op.Value {
	if p.Onto == "" {
		return next
	}
	basis := p.follow(u.b, loss, z, g)
	along := u.b.Do(op.MatMul{}, u.b.Do(op.MatMul{TB: true}, u.sub(next, z), basis), basis)
	if p.Onto == top {
		return u.add(z, along)
	}
	return u.sub(next, along)
}

// follow emits E of this step.
func (p Projection) follow(b *graph.Builder, loss, z, g op.Value) op.Value {
	D := b.Type(z).At(1)
	do := b.Do
	E := b.State("project.basis", b.Fill(0, p.K, D), op.Cell)
	at := b.State("project.at", b.FillU(0), op.Cell)
	square := func(x op.Value) op.Value { return do(op.Sum{Axes: "1"}, do(op.Mul, x, x)) } // f32[1, 1]
	wide := func(x op.Value) op.Value { return do(op.Broadcast{To: op.S(1, D)}, x) }
	zero := b.Fill(0, 1, 1)

	v := do(op.Gather{}, E, do(op.Reshape{To: op.S(1)}, at))
	v = do(op.Select{}, wide(do(op.Gt, square(v), zero)), v, g)
	w := b.HVP(loss, []op.Value{z}, []op.Value{v})[0]
	itself := do(op.Eq, do(op.Iota{N: int32(p.K)}), do(op.Broadcast{To: op.S(p.K)}, at))
	itself = do(op.Reshape{To: op.S(1, p.K)}, itself)
	for range 2 {
		c := do(op.MatMul{TB: true}, w, E)
		w = do(op.Sub, w, do(op.MatMul{}, do(op.Select{}, itself, b.Fill(0, 1, p.K), c), E))
	}
	norm := do(op.Sqrt, square(w))
	w = do(op.Select{}, wide(do(op.Gt, norm, zero)), do(op.Div, w, wide(norm)), b.Fill(0, 1, D))
	basis := do(op.PutRow{}, E, w, at)
	b.Next(E, basis)
	last := do(op.Eq, at, b.FillU(uint32(p.K-1)))
	b.Next(at, do(op.Select{}, last, b.FillU(0), do(op.IAdd{}, at, b.FillU(1))))
	return basis
}
