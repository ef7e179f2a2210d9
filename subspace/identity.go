package subspace

import (
	"lockstep/graph"
	"lockstep/op"
)

// Identity is the full space: theta = theta0 + z, d = D. What a rule does to z by itself, weight decay, it does to the distance from theta0.
type Identity struct{}

func (Identity) Type() string { return "identity" }
func (Identity) Ragged() bool { return false }
func (Identity) Whole() bool  { return false }

func (Identity) Basis(*graph.Builder, op.Value, int, int) op.Value { return 0 }
func (Identity) BasisType(int, int) op.Type                        { return op.Type{} }

func (Identity) Theta(b *graph.Builder, theta0, _, z, _ op.Value) op.Value { return plus(b, theta0, z) }

// Parameters is the full space, too, but z is theta: weight decay draws the parameters to 0, as everybody else's does.
type Parameters struct{}

func (Parameters) Type() string { return "parameters" }
func (Parameters) Ragged() bool { return false }
func (Parameters) Whole() bool  { return true }

func (Parameters) Basis(*graph.Builder, op.Value, int, int) op.Value { return 0 }
func (Parameters) BasisType(int, int) op.Type                        { return op.Type{} }

func (Parameters) Theta(b *graph.Builder, _, _, z, _ op.Value) op.Value {
	return b.Do(op.Reshape{To: op.S(b.Type(z).Len())}, z)
}
