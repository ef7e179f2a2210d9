package subspace

import (
	"math"
	"math/big"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// eval traces a program on constants and runs the laws.
func eval(t *testing.T, in map[string]op.Tensor, f func(b *graph.Builder, in func(name string) op.Value) op.Value) op.Tensor {
	t.Helper()
	inputs := map[op.Value]op.Tensor{}
	var out op.Value
	p, err := graph.Trace(func(b *graph.Builder) {
		out = f(b, func(name string) op.Value {
			v := b.Input(name, in[name].Type)
			inputs[v] = in[name]
			return v
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Nodes {
		args := make([]op.Tensor, len(n.In))
		for i, v := range n.In {
			args[i] = inputs[v]
		}
		res, err := op.Run(n.Op, args...)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range n.Out {
			inputs[v] = res[i]
		}
	}
	return inputs[out]
}

func seedKey(seed uint64) op.Tensor {
	k := op.Key(seed, "basis")
	return op.Words32(op.U32, op.S(2), k[:]...)
}

func basisOf(t *testing.T, m Map, D, capacity int) op.Tensor {
	return eval(t, map[string]op.Tensor{"key": seedKey(3)}, func(b *graph.Builder, in func(string) op.Value) op.Value {
		return m.Basis(b, in("key"), D, capacity)
	})
}

// entry is P[row, column] as a real number, without the factor c.
func entry(p op.Tensor, row, column int) float64 {
	if p.DType == op.T2 {
		return float64([4]int{0, 1, 0, -1}[p.Code(column, row)])
	}
	return float64(p.F()[column*p.At(1)+row])
}

func TestThetaIsTheta0PlusPz(t *testing.T) {
	const D, capacity = 201, 9
	for _, m := range []Map{Ternary{}, Gaussian{}} {
		p := basisOf(t, m, D, capacity)
		if want := m.BasisType(D, capacity); p.DType != want.DType || p.Shape != want.Shape {
			t.Errorf("%s: the basis is %s; BasisType says %s", m.Type(), p.Type, want)
		}
		scale := 1.
		if m == (Ternary{}) {
			scale = math.Sqrt(2. / D)
		}
		start, z := op.New(op.T(op.F32, op.Seed, D)), op.New(op.T(op.F32, op.Cell, 1, capacity))
		for i := range D {
			start.SetF(i, float32(math.Sin(float64(i))))
		}
		for i := range capacity {
			z.SetF(i, float32(math.Cos(3*float64(i))))
		}
		for _, d := range []int{0, 1, 5, capacity} {
			ragged := op.New(z.Type)
			copy(ragged.W, z.W)
			for i := d; i < capacity; i++ {
				ragged.W[i] = op.NaN // pads must not be read
			}
			in := map[string]op.Tensor{"theta0": start, "p": p, "z": ragged, "d": op.Words32(op.U32, op.S(), uint32(d))}
			theta := eval(t, in, func(b *graph.Builder, in func(string) op.Value) op.Value {
				return m.Theta(b, in("theta0"), in("p"), in("z"), in("d"))
			})
			for row := range D {
				want := float64(start.F()[row])
				for c := range d {
					want += scale * entry(p, row, c) * float64(z.F()[c])
				}
				if got := float64(theta.F()[row]); !(math.Abs(got-want) < 1e-6) {
					t.Fatalf("%s, d = %d: theta[%d] is %v; want %v", m.Type(), d, row, got, want)
				}
			}
		}
	}
}

func TestIdentity(t *testing.T) {
	a, z := op.Float32s(op.S(3), 1, 2, 3), op.Float32s(op.S(1, 3), 0.5, 0, -4)
	theta := eval(t, map[string]op.Tensor{"a": a, "z": z}, func(b *graph.Builder, in func(string) op.Value) op.Value {
		return Identity{}.Theta(b, in("a"), 0, in("z"), 0)
	})
	for i, want := range []float32{1.5, 2, -1} {
		if theta.F()[i] != want {
			t.Errorf("theta[%d] is %v; want %v", i, theta.F()[i], want)
		}
	}
}

// A smaller capacity is a prefix: the basis of a cell does not depend on its pack.
func TestSmallerBasisIsAPrefix(t *testing.T) {
	const D = 129
	for _, m := range []Map{Ternary{}, Gaussian{}} {
		large := basisOf(t, m, D, 8)
		for _, capacity := range []int{1, 3, 7} {
			small := basisOf(t, m, D, capacity)
			for i, w := range small.W {
				if large.W[i] != w {
					t.Fatalf("%s: word %d of %d columns differs from that of 8", m.Type(), i, capacity)
				}
			}
		}
	}
}

func TestColumnsHaveUnitNorm(t *testing.T) {
	const D, d = 1000, 12
	for m, tolerance := range map[Map]float64{Gaussian{}: 1e-6, Ternary{}: 0.15} { // the ternary ones only in expectation: sigma is 1 / sqrt(D)
		p := basisOf(t, m, D, d)
		for c := range d {
			norm := 0.
			for row := range D {
				e := entry(p, row, c)
				norm += e * e
			}
			if m == (Ternary{}) {
				norm *= 2. / D
			}
			if math.Abs(norm-1) > tolerance {
				t.Errorf("%s: column %d has squared norm %v", m.Type(), c, norm)
			}
		}
	}
}

// c is the real number 1 / sqrt(D / 2) rounded once: its square times D / 2 brackets 1 between its neighbours' midpoints.
func TestScaleIsRoundedOnce(t *testing.T) {
	half := func(a, b float32) *big.Float {
		x := new(big.Float).SetPrec(100).SetFloat64(float64(a))
		return x.Quo(x.Add(x, big.NewFloat(float64(b))), big.NewFloat(2))
	}
	above := func(x *big.Float, D int64) int { // the sign of x^2 D / 2 - 1
		y := new(big.Float).SetPrec(400).Mul(x, x)
		return y.Mul(y, new(big.Float).SetInt64(D)).Cmp(big.NewFloat(2))
	}
	for _, D := range []int64{1, 2, 3, 10, 1000, 3466, 8970, 26122, 199210, 1<<31 - 1} {
		c := inverseRoot(D, 2)
		lo, hi := half(math.Nextafter32(c, 0), c), half(c, math.Nextafter32(c, 2))
		if above(lo, D) > 0 || above(hi, D) < 0 {
			t.Errorf("D = %d: %v is not the nearest float32 to 1 / sqrt(D / 2)", D, c)
		}
	}
}
