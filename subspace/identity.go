package subspace

import (
	"lockstep/graph"
	"lockstep/op"
)

// Identity is the full space: theta = theta0 + z, d = D.
type Identity struct{}

func (Identity) Type() string { return "identity" }
func (Identity) Ragged() bool { return false }

func (Identity) Basis(*graph.Builder, op.Value, int, int) op.Value { return 0 }
func (Identity) BasisType(int, int) op.Type                        { return op.Type{} }

func (Identity) Theta(b *graph.Builder, theta0, _, z, _ op.Value) op.Value { return plus(b, theta0, z) }
