// Package subspace holds the maps theta = M(z) from a small vector z to the full parameters of a model (Li et al. 2018,
// Measuring the Intrinsic Dimension of Objective Landscapes, arXiv 1804.08838, section 2: theta = theta0 + P z).
//
// z starts where theta is theta0, so every cell of a seed starts there: at 0, but for a map that is Whole. Where cells of different d share a pack, z and the
// basis are padded to a capacity; no op ever reads the pads.
package subspace

import (
	"math/big"

	"lockstep/graph"
	"lockstep/op"
)

// Map turns z into theta. It is a comparable value.
type Map interface {
	// Type is the map's name in cards.
	Type() string
	// Ragged tells whether z has a dimension d of its own, at most the capacity that it is padded to. Else d = D.
	Ragged() bool
	// Whole tells whether z is theta itself, and so starts at theta0; then Theta takes no theta0.
	Whole() bool
	// Basis emits what a seed's cells share, from the key of the stream "basis": for D parameters and z of at most
	// capacity entries; 0 if there is nothing.
	Basis(b *graph.Builder, key op.Value, D, capacity int) op.Value
	// BasisType is its type.
	BasisType(D, capacity int) op.Type
	// Theta emits theta f32[D] from theta0 f32[D] (0 if the map is Whole), the basis (or 0), z f32[1, capacity] and its dimension d u32[].
	Theta(b *graph.Builder, theta0, basis, z, d op.Value) op.Value
}

// maps: one line per entry.
var maps = []Map{Identity{}, Parameters{}, Ternary{}, Gaussian{}}

// Named is the map of that name, nil if there is none.
func Named(name string) Map {
	for _, m := range maps {
		if m.Type() == name {
			return m
		}
	}
	return nil
}

// Names lists the names of the maps.
func Names() (names []string) {
	for _, m := range maps {
		names = append(names, m.Type())
	}
	return names
}

// plus emits theta0 + y for y f32[1, D].
func plus(b *graph.Builder, theta0, y op.Value) op.Value {
	return b.Do(op.Add, theta0, b.Do(op.Reshape{To: b.Type(theta0).Shape}, y))
}

// inverseRoot is the real number 1 / sqrt(p / q) rounded once to float32.
func inverseRoot(p, q int64) float32 {
	x := new(big.Float).SetPrec(200).SetRat(big.NewRat(q, p))
	f, _ := x.Sqrt(x).Float32()
	return f
}
