package model

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// projected runs gradient descent with a projection on the loss z A z^T / 2 of a symmetric matrix A, and returns z and the basis after each step.
func projected(t *testing.T, p Projection, a *mat.SymDense, start []float32, steps int) (path, bases [][]float32) {
	t.Helper()
	return descended(t, Rule{Type: "sgd", LR: Dec("0.002"), Schedule: Schedule{Type: "constant"}, Project: p}, a, start, steps)
}

// descended is projected by any rule.
func descended(t *testing.T, r Rule, a *mat.SymDense, start []float32, steps int) (path, bases [][]float32) {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	n := len(start)
	program, err := graph.Trace(func(b *graph.Builder) {
		z := b.State("z", b.Input("z0", op.T(op.F32, op.Shared, 1, n)), op.Cell)
		za := b.Do(op.MatMul{}, z, b.Input("a", op.T(op.F32, op.Shared, n, n)))
		loss := b.Do(op.Reshape{}, b.Do(op.Sum{Axes: "0,1"}, b.Do(op.Mul, b.Fill(0.5, 1, n), b.Do(op.Mul, za, z))))
		g := b.Gradient(loss, z)[0]
		k := map[string]op.Value{}
		for _, c := range r.Constants() {
			k[c.Name] = b.Fill(c.Value)
		}
		b.Next(z, r.Update(b, k, b.FillU(0), b.Fill(1), loss, z, g))
	})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pack, err := engine.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pack.Close()
	var words []float32
	for i := range n {
		for j := range n {
			words = append(words, float32(a.At(i, j)))
		}
	}
	for name, x := range map[string]op.Tensor{"z0": op.Float32s(op.S(1, n), start...), "a": op.Float32s(op.S(n, n), words...)} {
		x.Domain = op.Shared
		if err := pack.Put(name, x.Type, 0, op.Bytes(x.W)); err != nil {
			t.Fatal(err)
		}
	}
	x, err := pack.Compile(program)
	if err == nil {
		err = x.Reset(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	read := func(name string, n int) (f []float32) {
		b := make([]byte, 4*n)
		if err := pack.Read(name, 0, b); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			f = append(f, math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return f
	}
	for range steps {
		if err := x.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		path, bases = append(path, read("z", n)), append(bases, read("project.basis", r.Project.K*n))
	}
	return path, bases
}

// rotated is a symmetric matrix with the given eigenvalues, and its eigenvectors, as columns.
func rotated(values []float64) (*mat.SymDense, *mat.Dense) {
	n := len(values)
	m := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			m.Set(i, j, math.Sin(float64(3*i*n+7*j+i*j)))
		}
	}
	var qr mat.QR
	qr.Factorize(m)
	var q mat.Dense
	qr.QTo(&q)
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			v := 0.
			for k, lambda := range values {
				v += lambda * q.At(i, k) * q.At(j, k)
			}
			a.SetSym(i, j, v)
		}
	}
	return a, &q
}

// The steps of gradient descent on a quadratic, whose eigenvectors are known: on the top ones nothing else moves, off them nothing of them.
func TestProjectedSteps(t *testing.T) {
	values := []float64{5, 0.4, -8, 0.3, 3, 0.1, -0.2, 0.05} // of largest magnitude: -8, 5, 3
	a, q := rotated(values)
	start := []float32{1, -0.5, 0.3, 0.8, -0.2, 0.6, -0.9, 0.4}
	along := func(z []float32, i int) (v float64) {
		for j, x := range z {
			v += float64(x) * q.At(j, i)
		}
		return v
	}
	largest := []int{2, 0, 4}
	for _, k := range []int{1, 2, 3} {
		for _, onto := range Projections() {
			const steps = 150 // fifty turns of each row at least; eigenvalues are 0.6 of the next larger one's magnitude
			path, bases := projected(t, Projection{onto, k}, a, start, steps)
			for at := steps - 3; at < steps; at++ {
				E := bases[at]
				for i := range k {
					for j := range i + 1 {
						dot := 0.
						for c := range values {
							dot += float64(E[i*len(values)+c]) * float64(E[j*len(values)+c])
						}
						if want := map[bool]float64{true: 1}[i == j]; !(math.Abs(dot-want) < 1e-6) {
							t.Fatalf("k = %d onto %s: rows %d and %d have the product %v, not %v", k, onto, i, j, dot, want)
						}
					}
					inside := 0.
					for _, v := range largest[:k] {
						c := along(E[i*len(values):(i+1)*len(values)], v)
						inside += c * c
					}
					if !(math.Abs(inside-1) < 1e-5) {
						t.Fatalf("k = %d onto %s: %v of row %d lies in the span of the largest eigenvectors", k, onto, inside, i)
					}
				}
				for i, lambda := range values {
					before, after := along(path[at-1], i), along(path[at], i)
					want := before
					if slices.Contains(largest[:k], i) == (onto == top) {
						want -= 0.002 * lambda * before
					}
					if !(math.Abs(after-want) <= 2e-6*(1+math.Abs(before))) {
						t.Fatalf("k = %d onto %s: along eigenvector %d (of %v) step %d goes from %v to %v, not %v", k, onto, i, lambda, at+1, before, after, want)
					}
				}
			}
		}
	}
}

// Where the loss has no curvature there is no eigenspace: nothing moves on it, everything off it.
func TestProjectedStepsWithoutCurvature(t *testing.T) {
	a := mat.NewSymDense(3, nil)
	for _, onto := range Projections() {
		path, bases := projected(t, Projection{onto, 2}, a, []float32{1, 2, 3}, 4)
		for _, b := range bases {
			for _, v := range b {
				if math.Float32bits(v) != 0 {
					t.Fatalf("onto %s: the basis of a flat loss has %v", onto, v)
				}
			}
		}
		for _, z := range path {
			if !slices.Equal(z, []float32{1, 2, 3}) {
				t.Fatalf("onto %s: z is %v", onto, z)
			}
		}
	}
}

// Decoupled weight decay is a part of the step: without an eigenspace nothing of it is left on top, all of it off.
func TestWeightDecayIsProjected(t *testing.T) {
	for onto, decay := range map[string]float64{top: 1, bulk: 0.95} {
		r := Rule{Type: "adamw", LR: Dec("0.1"), B1: Dec("0.9"), B2: Dec("0.99"), Eps: Dec("1e-8"), WD: Dec("0.5"), Schedule: Schedule{Type: "constant"}, Project: Projection{onto, 1}}
		path, _ := descended(t, r, mat.NewSymDense(3, nil), []float32{1, 2, 3}, 3)
		for i, z := range path[2] {
			if want := float64(i+1) * decay * decay * decay; !(math.Abs(float64(z)-want) < 1e-6) {
				t.Errorf("onto %s: z[%d] is %v after three steps without a gradient; want %v", onto, i, z, want)
			}
		}
	}
}

func TestProjectionIsChecked(t *testing.T) {
	for _, p := range []Projection{{"top", 0}, {"bulk", -1}, {"", 3}, {"rest", 3}, {"top", maxProjected + 1}} {
		if (Rule{Type: "sgd", LR: Dec("1"), Schedule: Schedule{Type: "constant"}, Project: p}).Check() == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}
