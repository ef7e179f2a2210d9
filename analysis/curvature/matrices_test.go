package curvature_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/subspace"
)

// rotated is a symmetric matrix with the given eigenvalues and random eigenvectors, rounded to float32.
func rotated(seed uint64, eigenvalues []float64) *mat.SymDense {
	n := len(eigenvalues)
	r := rand.New(rand.NewPCG(seed, 1))
	g := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			g.Set(i, j, r.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(g)
	var q, a mat.Dense
	qr.QTo(&q)
	a.Product(&q, mat.NewDiagDense(n, eigenvalues), q.T())
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, float64(float32(a.At(i, j))))
		}
	}
	return s
}

// dense is the operator of a pack of matrices of one size.
func dense(t testing.TB, models ...*mat.SymDense) curvature.Operator {
	t.Helper()
	n := models[0].SymmetricDim()
	trace := func(vectors int) (*graph.Program, error) {
		return graph.Trace(func(b *graph.Builder) {
			a := b.Input("matrix", op.T(op.F32, curvature.Over(vectors), n, n))
			v := b.State(curvature.Vector, b.Fill(0, 1, n), op.Cell)
			b.Next(v, v)
			b.OutputOver(curvature.Product, b.Do(op.MatMul{}, v, a), op.Cell)
		})
	}
	return curvature.Operator{N: n, Models: len(models), Steps: 1, Program: trace, Bind: func(p graph.Pack, vectors int) error {
		for m, a := range models {
			x := op.New(op.T(op.F32, curvature.Over(vectors), n, n))
			for i := range n {
				for j := range n {
					x.SetF(i*n+j, float32(a.At(i, j)))
				}
			}
			if err := p.Put("matrix", x.Type, m, op.Bytes(x.W)); err != nil {
				return err
			}
		}
		return nil
	}}
}

func engine(t testing.TB, how cpu.Options) graph.Engine {
	t.Helper()
	e, err := cpu.New(how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func session(t testing.TB, o curvature.Operator, how curvature.Options) *curvature.Session {
	t.Helper()
	return sessionOn(t, engine(t, cpu.Options{Threads: 2}), o, how)
}

func sessionOn(t testing.TB, e graph.Engine, o curvature.Operator, how curvature.Options) *curvature.Session {
	t.Helper()
	s, err := curvature.New(e, o, how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// spectrum is a list of eigenvalues, each so many times, the largest first.
func spectrum(counts map[float64]int) (all []float64) {
	for v, n := range counts {
		all = append(all, slices.Repeat([]float64{v}, n)...)
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// decaying are n eigenvalues 1/k^2, a few of them negative.
func decaying(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 10 * math.Pow(float64(i+1), -2)
		if i%7 == 3 {
			x[i] = -x[i]
		}
	}
	return x
}

// columns are those of a map's basis, by its products with unit vectors.
func columns(t testing.TB, m subspace.Map, D, d int, seed uint64) [][]float64 {
	t.Helper()
	p, err := graph.Trace(func(b *graph.Builder) {
		basis := m.Basis(b, b.Input("key", op.T(op.U32, op.Shared, 2)), D, d)
		b.OutputOver("theta", m.Theta(b, b.Fill(0, D), basis, b.Input("z", op.T(op.F32, op.Cell, 1, d)), b.FillU(uint32(d))), op.Cell)
	})
	if err != nil {
		t.Fatal(err)
	}
	pack, err := engine(t, cpu.Options{}).NewPack(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := op.Key(seed, "basis")
	pack.Put("key", op.T(op.U32, op.Shared, 2), 0, op.Bytes(key[:]))
	for c := range d {
		z := op.New(op.T(op.F32, op.Cell, 1, d))
		z.SetF(c, 1)
		pack.Put("z", z.Type, c, op.Bytes(z.W))
	}
	x, err := pack.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Run(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	all := make([][]float64, d)
	for c := range all {
		b, y := make([]byte, 4*D), op.New(op.T(op.F32, op.Cell, D))
		if err := pack.Read("theta", c, b); err != nil {
			t.Fatal(err)
		}
		op.PutWords(y.W, b)
		all[c] = wide(y.F())
	}
	return all
}

// rowOf is one row of a matrix.
func rowOf(x op.Tensor, row int) op.Tensor {
	n := x.At(1)
	y := op.New(op.T(x.DType, op.Shared, 1, n))
	copy(y.W, x.W[row*n:(row+1)*n])
	return y
}
