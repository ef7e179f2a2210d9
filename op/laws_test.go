package op_test

import (
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
	"lockstep/optest"
	"lockstep/optest/truth"
)

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

// within tells whether a case is small enough for the slow restatements of these tests.
func within(in, out []op.Tensor, limit int) bool {
	n := 0
	for _, t := range slices.Concat(in, out) {
		n = max(n, t.Len())
	}
	return n <= limit
}

// law runs an op's law.
func law(t *testing.T, o op.Op, in ...op.Tensor) []op.Tensor {
	t.Helper()
	out, err := op.Run(o, in...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExactLaws: copies, comparisons, conversions and single roundings equal exact arithmetic, rounded once to binary32, in
// all cases of the conformance suite. A float64 +, -, *, / or square root of float32, rounded to float32, is the correctly
// rounded one (Figueroa 1995, see Sqrt32).
func TestExactLaws(t *testing.T) {
	ops := []op.Op{op.Neg, op.Relu, op.Sqrt, op.Add, op.Sub, op.Mul, op.Div, op.Max, op.Min, op.Gt, op.Ge, op.Lt, op.Le, op.Eq, op.Same,
		op.Select{}, op.Fill{}, op.Iota{}, op.Cast{}, op.IAdd{}, op.Broadcast{}, op.AMax{}, op.ArgMax{}, op.OneHot{}, op.Pick{},
		op.Reshape{}, op.Transpose{}, op.Slice{}, op.Pad{}, op.Tail{}, op.Concat{}, op.Split{}, op.PutRow{}, op.Gather{}}
	for _, o := range ops {
		for _, c := range optest.Cases(o, 0) {
			out, err := c.Want(nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range truth.Of(c.Op, truth.All(c.Draw(0))) {
				if d := optest.Diff(out[i], want.Tensor()); d != "" {
					t.Fatalf("%s, result %d: %s", c, i, d)
				}
			}
		}
	}
}

// TestOrderedLaws restates the declared orders in another way, recursively and from the last term to the first, and compares
// bits in the cases of the conformance suite.
func TestOrderedLaws(t *testing.T) {
	for _, o := range []op.Op{op.MatMul{}, op.MatMulJVP{}, op.Sum{}, op.Mean{}, op.ScatterAdd{}, op.Sigmoid{}, op.Rsqrt{}, op.Gelu{},
		op.Softmax{}, op.SoftmaxGrad{}, op.LayerNorm{}, op.LayerNormGrad{}, op.Xent{}, op.XentGrad{}, op.TernaryMM{}, op.TernaryMMTail{}} {
		ran := 0
		for _, c := range optest.Cases(o, 0) {
			if out, err := c.Want(nil); err != nil {
				t.Fatal(err)
			} else if in := c.Draw(0); within(in, out, 8000) {
				ran++
				if d := optest.Diff(out[0], restated(c.Op, in).Tensor()); d != "" {
					t.Fatalf("%s: %s", c, d)
				}
			}
		}
		if ran < 20 {
			t.Errorf("%s: only %d cases", o.Name(), ran)
		}
	}
}

// restated is the law of an ordered op, written another way. Its array holds float32 values.
func restated(o op.Op, in []op.Tensor) truth.Array {
	a := make([]truth.Array, len(in))
	for i, x := range in {
		a[i] = truth.From(x)
	}
	scalar := func(f func(x float32) float32) truth.Array {
		return truth.Build(op.F32, a[0].Dims, func(at []int) float64 { return float64(f(float32(a[0].At(at...)))) })
	}
	switch o := o.(type) {
	case op.MatMul:
		return truth.Chain(o.TA, o.TB, a[0], a[1], a[2:], func(batch []int, i, j, k int) float64 {
			return chunks(k, func(l int, acc float32) float32 {
				return op.FMA32(float32(a[0].Entry(o.TA, batch, i, l)), float32(a[1].Entry(o.TB, batch, l, j)), acc)
			})
		})
	case op.MatMulJVP:
		return truth.Chain(o.TA, o.TB, a[0], a[1], a[4:], func(batch []int, i, j, k int) float64 {
			return chunks(k, func(l int, acc float32) float32 {
				acc = op.FMA32(float32(a[2].Entry(o.TA, batch, i, l)), float32(a[1].Entry(o.TB, batch, l, j)), acc)
				return op.FMA32(float32(a[0].Entry(o.TA, batch, i, l)), float32(a[3].Entry(o.TB, batch, l, j)), acc)
			})
		})
	case op.Sum:
		return sumAgain(o.Axes.Slice(), a[0])
	case op.Mean:
		y := sumAgain(o.Axes.Slice(), a[0])
		n := 1
		for _, axis := range o.Axes.Slice() {
			n *= a[0].Dims[axis]
		}
		for i, s := range y.X {
			y.X[i] = float64(float32(s) / float32(n))
		}
		return y
	case op.ScatterAdd:
		return truth.Build(op.F32, truth.With(a[1].Dims, 0, int(o.N)), func(at []int) float64 {
			return chunks(len(a[0].X), func(i int, acc float32) float32 {
				if a[0].X[i] == float64(at[0]) {
					acc += float32(a[1].At(truth.With(at, 0, i)...))
				}
				return acc
			})
		})
	case op.Sigmoid:
		return scalar(func(x float32) float32 { return 1 / (1 + op.Exp32(-x)) })
	case op.Rsqrt:
		return scalar(func(x float32) float32 { return 1 / float32(math.Sqrt(float64(x))) })
	case op.Gelu:
		return scalar(func(x float32) float32 {
			u := 0.7978846 * (x + float32(0.044715*float32(float32(x*x)*x)))
			return float32(0.5*x) * (1 + op.Tanh32(u))
		})
	case op.Softmax:
		return truth.Build(op.F32, a[0].Dims, func(at []int) float64 { return softmaxAgain(a[0], at) })
	case op.SoftmaxGrad, op.LayerNorm, op.LayerNormGrad:
		return rowsAgain(o, a)
	case op.Xent:
		return truth.Build(op.F32, a[1].Dims, func(at []int) float64 {
			m, s := shifted(a[0], at)
			picked := float32(0)
			if y := a[1].At(at...); y < float64(a[0].Dims[1]) {
				picked = float32(a[0].At(at[0], int(y)))
			}
			return float64(op.Log32(s) - (picked - m))
		})
	case op.XentGrad:
		return truth.Build(op.F32, a[0].Dims, func(at []int) float64 {
			r := float32(softmaxAgain(a[0], at)) - float32(truth.Bit(a[1].At(at[0], 0) == float64(at[1])))
			return float64(r * float32(a[2].At(at[0], 0)))
		})
	case op.TernaryMM:
		return ternaryAgain(o.TB, a)
	case op.TernaryMMTail:
		y := ternaryAgain(o.TB, a[:2])
		for i := range y.X {
			if float64(i%y.Dims[1]) >= a[2].X[0] {
				y.X[i] = 0
			}
		}
		return y
	}
	panic("no restatement of " + o.Name())
}

// chunks folds the terms 0 to n-1 in chunks of 1024, from the outside in: the value up to a term is that of the terms before
// it, then the term's.
func chunks(n int, term func(i int, acc float32) float32) float64 {
	var upTo func(first, i int) float32
	upTo = func(first, i int) float32 {
		if i < first {
			return 0
		}
		return term(i, upTo(first, i-1))
	}
	var total func(r int) float32
	total = func(r int) float32 {
		c := upTo(1024*r, min(1024*r+1024, n)-1)
		if r == 0 {
			return c
		}
		return total(r-1) + c
	}
	return float64(total(max(0, (n-1)/1024)))
}

// sumAgain sums over axes by the recursive form of the law.
func sumAgain(axes []int, x truth.Array) truth.Array {
	dims := slices.Clone(x.Dims)
	for _, a := range axes {
		dims[a] = 1
	}
	y := truth.New(op.F32, dims...)
	terms := make([][]float32, len(y.X))
	truth.Each(x.Dims, func(at []int) {
		to := slices.Clone(at)
		for _, a := range axes {
			to[a] = 0
		}
		terms[y.Offset(to...)] = append(terms[y.Offset(to...)], float32(x.At(at...)))
	})
	for i := range y.X {
		y.X[i] = float64(sumOf(terms[i]))
	}
	return y
}

// sumOf is the Sum of a list: v(l, 1) at the root of a tree in which v(l, h) = v(l, 2h) + v(l+h, 2h), and v(l, 32) is lane l.
func sumOf(x []float32) float32 {
	if len(x) > 1024 {
		var list []float32
		for len(x) > 0 {
			n := min(len(x), 1024)
			list = append(list, sumOf(x[:n]))
			x = x[n:]
		}
		return sumOf(list)
	}
	var lane func(i int) float32 // the sum of x[i], x[i-32], ..
	lane = func(i int) float32 {
		if i < 0 {
			return 0
		}
		return lane(i-32) + x[i]
	}
	var v func(l, h int) float32
	v = func(l, h int) float32 {
		if h < 32 {
			return v(l, 2*h) + v(l+h, 2*h)
		}
		if l >= len(x) {
			return 0
		}
		return lane(l + (len(x)-1-l)/32*32)
	}
	return v(0, 1)
}

// TestSumLevels: three levels of segments, the last of each not full. Two levels would give other bits.
func TestSumLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 20))
	for _, n := range []int{1<<20 + 5, 1<<20 + 1024 + 33} {
		x := make([]float32, n)
		for i := range x {
			if x[i] = float32(r.NormFloat64()); i >= 1<<20 { // the third level adds their sum last, where it rounds less away
				x[i] *= 0x1p+14
			}
		}
		got, want := op.SumLaw(x), sumOf(x)
		if got != want {
			t.Errorf("the sum of %d elements is %x, want %x", n, got, want)
		}
		var lanes [32]float32 // of the second level, if it were the last
		for i := 0; i*1024 < n; i++ {
			lanes[i%32] += sumOf(x[1024*i : min(n, 1024*i+1024)])
		}
		if flat := sumOf(lanes[:]); flat == want {
			t.Errorf("the test is of no use: two levels give %x, too, of %d elements", flat, n)
		}
	}
}

// shifted is the maximum m of the row through at, and the Sum of exp(x - m).
func shifted(x truth.Array, at []int) (m, s float32) {
	last := len(x.Dims) - 1
	best := x.At(truth.With(at, last, 0)...)
	for c := range x.Dims[last] {
		best = truth.Larger(x.At(truth.With(at, last, c)...), best)
	}
	e := make([]float32, x.Dims[last])
	for c := range e {
		e[c] = op.Exp32(float32(x.At(truth.With(at, last, c)...)) - float32(best))
	}
	return float32(best), sumOf(e)
}

func softmaxAgain(x truth.Array, at []int) float64 {
	m, s := shifted(x, at)
	return float64(op.Exp32(float32(x.At(at...))-m) / s)
}

// ternaryAgain is the ternary product in arbitrary precision.
func ternaryAgain(tb bool, in []truth.Array) truth.Array {
	y := truth.Chain(false, tb, in[0], in[1], in[2:], func(_ []int, i, j, k int) float64 {
		largest, bad, sum := 0., false, new(big.Int)
		for l := range k {
			v := in[0].At(i, l)
			bad = bad || v-v != 0
			largest = math.Max(largest, math.Abs(v))
		}
		switch {
		case bad:
			return math.NaN()
		case largest == 0:
			return 0
		}
		e := 29 // int8 is taken as it is
		if in[0].DType == op.F32 {
			e = max(-126, math.Ilogb(largest))
		}
		for l := range k {
			q := big.NewInt(int64(truth.NearestEven(math.Ldexp(in[0].At(i, l), 29-e)))) // Ldexp is exact here
			switch in[1].Entry(tb, nil, l, j) {
			case 1:
				sum.Add(sum, q)
			case -1:
				sum.Sub(sum, q)
			}
		}
		t := new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).SetInt(sum)
		if in[0].DType == op.I8 {
			return float64(sum.Int64())
		}
		f, _ := new(big.Float).SetMantExp(t, e-29).Float32()
		return float64(f)
	})
	if in[0].DType == op.I8 {
		y.DType = op.I32
	}
	return y
}

// unit is the unit roundoff of binary32.
const unit = 0x1p-24

// bounds are upper bounds of |law - truth|, by op, for the samples of rules_test.go; y is the truth. Each counts roundings: a chain
// of n of them on terms t has an error of at most n unit sum|t| to first order, and the constants are rounded up.
var bounds = map[string]func(o op.Op, in []truth.Array, y truth.Array) []float64{
	"matmul": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], float64(terms(o.(op.MatMul).TA, in[0])+2)*unit)
	},
	"matmultail": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], float64(terms(o.(op.MatMulTail).TA, in[0])+2)*unit)
	},
	"matmuljvp": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], float64(2*terms(o.(op.MatMulJVP).TA, in[0])+2)*unit)
	},
	// Six binades below the largest magnitude, which is below 2^(E+1), nothing is lost: |q| has 2^-1 of error at most, 2^(E-30).
	"ternarymm": func(o op.Op, in []truth.Array, y truth.Array) []float64 { return ternaryBound(in[0], y) },
	"ternarymmtail": func(o op.Op, in []truth.Array, y truth.Array) []float64 {
		return ternaryBound(in[0], y)
	},
	// Lanes of n/32 terms, 5 levels of the tree, and the next level of segments.
	"sum": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], sumDepth(in[0])*unit)
	},
	"mean": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], (sumDepth(in[0])+1)*unit)
	},
	"scatteradd": func(o op.Op, in []truth.Array, _ truth.Array) []float64 {
		return scaledBy(truth.Of(o, magnitudes(in))[0], float64(len(in[0].X)+2)*unit)
	},
	"exp": relative(2), "log": relative(2), "tanh": relative(2), "sinpi": relative(3), "cospi": relative(3), // below 1 ULP, pi x in the truth rounds too
	"sigmoid": relative(5), "rsqrt": relative(2),
	"gelu": func(_ op.Op, in []truth.Array, y truth.Array) []float64 { // 1 + tanh(u) cancels: absolute errors of tanh, of u, and of the rest
		b := make([]float64, len(y.X))
		for i, x := range in[0].X {
			b[i] = unit * (math.Abs(x)*(2+4*math.Abs(x)) + 2*math.Abs(y.X[i]))
		}
		return b
	},
	// exp(x - m) is off by |x - m| units through its argument and 2 of its own; the sum and the division add their own.
	"softmax": func(_ op.Op, in []truth.Array, y truth.Array) []float64 {
		return scaledBy(y, (2*span(in[0])+6+sumDepth(in[0]))*unit)
	},
	"softmaxgrad": softmaxGradBound, "layernorm": layerNormBound, "layernormgrad": layerNormGradBound,
	"xent": func(_ op.Op, in []truth.Array, y truth.Array) []float64 {
		b := make([]float64, len(y.X))
		for i := range b {
			b[i] = unit * (4*span(in[0]) + 8 + sumDepth(in[0]) + 2*math.Abs(y.X[i]))
		}
		return b
	},
	"xentgrad": func(_ op.Op, in []truth.Array, y truth.Array) []float64 {
		b := make([]float64, len(y.X))
		for i := range b {
			b[i] = unit * (2*span(in[0]) + 10 + sumDepth(in[0])) * math.Abs(in[2].X[i/in[0].Dims[1]])
		}
		return b
	},
}

func relative(units float64) func(op.Op, []truth.Array, truth.Array) []float64 {
	return func(_ op.Op, _ []truth.Array, y truth.Array) []float64 {
		return scaledBy(magnitudes([]truth.Array{y})[0], units*unit)
	}
}

func scaledBy(a truth.Array, c float64) []float64 {
	b := make([]float64, len(a.X))
	for i, x := range a.X {
		b[i] = math.Abs(x) * c
	}
	return b
}

func magnitudes(in []truth.Array) []truth.Array {
	out := make([]truth.Array, len(in))
	for i, a := range in {
		out[i] = truth.New(a.DType, a.Dims...)
		for j, x := range a.X {
			out[i].X[j] = math.Abs(x)
		}
	}
	return out
}

func terms(ta bool, a truth.Array) int {
	if ta {
		return a.Dims[len(a.Dims)-2]
	}
	return a.Dims[len(a.Dims)-1]
}

func sumDepth(x truth.Array) float64 {
	n := len(x.X)
	return float64(min(n, 1024)/32+n/1024/32) + 12
}

// span is the largest difference of two elements.
func span(x truth.Array) float64 { return slices.Max(x.X) - slices.Min(x.X) }

func ternaryBound(x, y truth.Array) []float64 {
	b := make([]float64, len(y.X))
	for i := range b {
		row := x.X[i/y.Dims[1]*x.Dims[1]:][:x.Dims[1]]
		e := max(-126, math.Ilogb(slices.Max(magnitudes([]truth.Array{{DType: x.DType, Dims: []int{len(row)}, X: row}})[0].X)))
		b[i] = float64(len(row))*math.Ldexp(1, e-30) + unit*math.Abs(y.X[i]) + 0x1p-149
	}
	return b
}

func init() {
	for _, o := range op.All { // the primal results of duals; TestDerivatives holds the tangents
		if _, ok := o.(op.Twofold); ok {
			bounds[o.Name()] = func(o op.Op, in []truth.Array, y truth.Array) []float64 {
				of, with := o.(op.Twofold).Primal()
				return bounds[of.Name()](of, in[:len(in)-bits.OnesCount32(with)], y)
			}
		}
	}
}

// TestErrorBounds: ordered laws stay within the errors that their orders allow, against float64.
func TestErrorBounds(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples() {
		bound := bounds[s.op.Name()]
		if bound == nil {
			continue
		}
		seen[s.op.Name()] = true
		in := make([]truth.Array, len(s.in))
		for i, x := range s.in {
			in[i] = truth.From(x)
		}
		got, want := law(t, s.op, s.in...)[0], truth.Of(s.op, truth.All(s.in))[0]
		for i, b := range bound(s.op, in, want) {
			if e := math.Abs(float64(got.F()[i]) - want.X[i]); !(e <= b) {
				t.Fatalf("%s, element %d: %v is off by %.3g from %v; at most %.3g", op.Describe(s.op), i, got.F()[i], e, want.X[i], b)
			}
		}
	}
	for name := range bounds {
		if !seen[name] {
			t.Errorf("no sample of %s", name)
		}
	}
	for _, o := range op.All {
		if o.Class() == op.Ordered && bounds[o.Name()] == nil && !strings.Contains(" neg sqrt relu add sub mul div max min ", " "+o.Name()+" ") {
			t.Errorf("%s is ordered, and neither bounded here nor single roundings of TestExactLaws", o.Name())
		}
	}
}
