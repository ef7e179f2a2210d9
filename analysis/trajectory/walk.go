package trajectory

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Null is what a path without direction has.
type Null struct {
	Rank  float64 // mean of r90
	First float64 // mean share of the first component
}

// RandomWalk is the plain null of paths of T snapshots: the means over walks whose steps between two snapshots are sums of independent normal
// steps in n dimensions. With momentum mu the steps are those of a ball that keeps mu of its velocity, of which so many lie between two
// snapshots: such paths are smoother. For long walks of many dimensions the share of component k tends to 6 / (pi k)^2 (Antognini and
// Sohl-Dickstein 2018, PCA of High Dimensional Random Walks, arXiv 1806.08805, equation 9), so that six hold 90 %. All its steps are as long as each other, but
// for chance and momentum; StepMatchedWalk has those of a path. Error: numbers of which there is no walk.
func RandomWalk(T, n, between int, mu float64, walks int, seed uint64) (Null, error) {
	if T < 2 || n < 1 || between < 1 || walks < 1 || !(mu >= 0 && mu < 1) {
		return Null{}, fmt.Errorf("trajectory: %d random walks of %d snapshots, %d steps apart, in %d dimensions with momentum %v", walks, T, between, n, mu)
	}
	r := rand.New(rand.NewPCG(seed, uint64(T)))
	return nullOf(walks, func() [][]float32 {
		x, v := make([]float64, n), make([]float64, n)
		path := make([][]float32, T)
		for t := range path {
			path[t] = narrow(x)
			for range between {
				for i := range x {
					v[i] = mu*v[i] + r.NormFloat64()
					x[i] += v[i]
				}
			}
		}
		return path
	})
}

// StepMatchedWalk is the null of a path whose steps have the given lengths: the means over walks in n dimensions with a step of each of these lengths, in their
// order, and each in a direction of its own, uniform over all. What a path has fewer components than because its steps are of unequal length, as where
// a training begins fast, such walks lack too; what is left is that its directions have to do with each other. Error: no walk, no dimension, or lengths of which none
// is above 0, or one is below it or not finite.
func StepMatchedWalk(lengths []float64, n, walks int, seed uint64) (Null, error) {
	most := 0.
	for _, l := range lengths {
		if !(l >= 0) || math.IsInf(l, 1) {
			return Null{}, fmt.Errorf("trajectory: a random walk with a step of length %v", l)
		}
		most = max(most, l)
	}
	if most == 0 || n < 1 || walks < 1 {
		return Null{}, fmt.Errorf("trajectory: %d random walks of %d steps, of lengths of at most %v, in %d dimensions", walks, len(lengths), most, n)
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(lengths)+1)))
	return nullOf(walks, func() [][]float32 {
		x, d := make([]float64, n), make([]float64, n)
		path := [][]float32{narrow(x)}
		for _, l := range lengths {
			squares := 0.
			for i := range d {
				d[i] = r.NormFloat64()
				squares += d[i] * d[i]
			}
			for i := range x {
				x[i] += l / most * d[i] / math.Sqrt(squares) // in units of the longest: shares know no unit, and float32 has a range
			}
			path = append(path, narrow(x))
		}
		return path
	})
}

// Lengths are those of the steps between the snapshots [T][n] of a path: T - 1 of them.
func Lengths(path [][]float32) (all []float64) {
	for t := 1; t < len(path); t++ {
		squares := 0.
		for i, v := range path[t] {
			d := float64(v) - float64(path[t-1][i])
			squares += d * d
		}
		all = append(all, math.Sqrt(squares))
	}
	return all
}

// nullOf is the mean over walks.
func nullOf(walks int, walk func() [][]float32) (null Null, err error) {
	for range walks {
		c, err := PCA(walk(), 0)
		if err != nil {
			return null, err
		}
		null.Rank += float64(c.Rank(0.9)) / float64(walks)
		null.First += c.Shares[0] / float64(walks)
	}
	return null, nil
}

func narrow(x []float64) []float32 {
	all := make([]float32, len(x))
	for i, v := range x {
		all[i] = float32(v)
	}
	return all
}
