// Package trajectory measures how parameters move during training: the principal components of a path of snapshots, what part of the
// gradients' commutator lies in their span, and the nulls that such numbers are to be held against.
package trajectory

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Components are the principal components of a path, by their shares of the variance.
type Components struct {
	Shares []float64 // of the variance, the largest first; one fewer than snapshots
	// Directions [k][n] are the first components' unit vectors in parameter space.
	Directions [][]float64
}

// PCA takes the principal components of snapshots [T][n] about their mean (Jolliffe 2002, Principal Component Analysis, chapter 1), with the
// directions of the first k. It goes by way of the Gram matrix of the centred snapshots [T, T], in float64: derived.
// Error: fewer than two snapshots, unequal lengths, numbers that are not finite, or a path that does not move.
func PCA(path [][]float32, k int) (Components, error) {
	T := len(path)
	if T < 2 {
		return Components{}, errors.New("trajectory: fewer than two snapshots have no components")
	}
	n := len(path[0])
	mean := make([]float64, n)
	for _, x := range path {
		if len(x) != n {
			return Components{}, fmt.Errorf("trajectory: snapshots of %d and %d numbers", n, len(x))
		}
		for i, v := range x {
			mean[i] += float64(v) / float64(T)
		}
	}
	centred := mat.NewDense(T, max(n, 1), nil)
	for t, x := range path {
		for i, v := range x {
			centred.Set(t, i, float64(v)-mean[i])
		}
	}
	var gram mat.SymDense
	gram.SymOuterK(1, centred)
	total := mat.Trace(&gram)
	if !(total > 0) || math.IsInf(total, 0) {
		return Components{}, fmt.Errorf("trajectory: the variance of the path is %v; want a finite one above 0", total)
	}
	var e mat.EigenSym
	if !e.Factorize(&gram, true) {
		return Components{}, errors.New("trajectory: the components are not found")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	values := e.Values(nil)
	c := Components{}
	for i := range T - 1 {
		v := max(values[T-1-i], 0)
		c.Shares = append(c.Shares, v/total)
		if i < k && v > 0 {
			d := mat.NewVecDense(max(n, 1), nil)
			d.MulVec(centred.T(), vectors.ColView(T-1-i))
			d.ScaleVec(1/math.Sqrt(v), d)
			c.Directions = append(c.Directions, d.RawVector().Data[:n])
		}
	}
	return c, nil
}

// Rank is the number of components that hold a share of the variance: r90 at 0.9.
func (c Components) Rank(share float64) int {
	sum := 0.
	for i, s := range c.Shares {
		// Shares add up to 1 but for rounding, which must not add a component.
		if sum += s; sum >= share-1e-12 {
			return i + 1
		}
	}
	return len(c.Shares)
}
