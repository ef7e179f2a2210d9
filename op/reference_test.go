package op_test

import (
	"math"
	"slices"
	"testing"

	"lockstep/op"
)

// array is a tensor in float64, which holds every value of every element type but codes exactly. Truth is computed on it, by
// index formulas and math.*, without a line of package op.
type array struct {
	op.DType
	dims []int
	x    []float64
}

func arrayOf(t op.Tensor) array {
	a := newArray(t.DType, t.Dims()...)
	for i := range a.x {
		switch t.DType {
		case op.F32:
			a.x[i] = float64(math.Float32frombits(t.W[i]))
		case op.I32:
			a.x[i] = float64(int32(t.W[i]))
		case op.I8:
			a.x[i] = float64(t.Int8(i))
		case op.T2:
			cols := t.Dims()[1]
			a.x[i] = []float64{0, 1, 0, -1}[t.Code(i/cols, i%cols)]
		default:
			a.x[i] = float64(t.W[i])
		}
	}
	return a
}

func newArray(d op.DType, dims ...int) array {
	n := 1
	for _, s := range dims {
		n *= s
	}
	return array{d, slices.Clone(dims), make([]float64, n)}
}

// tensor rounds the elements to their type.
func (a array) tensor() op.Tensor {
	t := op.New(op.T(a.DType, op.Shared, a.dims...))
	for i, x := range a.x {
		switch a.DType {
		case op.F32:
			t.SetF(i, float32(x))
		case op.I8:
			t.SetInt8(i, int8(x))
		default:
			t.W[i] = uint32(int64(x))
		}
	}
	return t
}

func (a array) offset(at ...int) int {
	i := 0
	for d, n := range a.dims {
		i = i*n + at[d]
	}
	return i
}

func (a array) at(at ...int) float64 { return a.x[a.offset(at...)] }

// each visits every index of a shape in row-major order; f must not keep it.
func each(dims []int, f func(at []int)) {
	at := make([]int, len(dims))
	var visit func(d int)
	visit = func(d int) {
		if d == len(dims) {
			f(at)
			return
		}
		for at[d] = 0; at[d] < dims[d]; at[d]++ {
			visit(d + 1)
		}
	}
	visit(0)
}

// build makes an array from a formula of the index.
func build(d op.DType, dims []int, f func(at []int) float64) array {
	y := newArray(d, dims...)
	each(dims, func(at []int) { y.x[y.offset(at...)] = f(at) })
	return y
}

func with(at []int, axis, v int) []int {
	at = slices.Clone(at)
	at[axis] = v
	return at
}

// reference is an op's truth: what it would give in exact arithmetic (for draws there is none).
type reference func(o op.Op, in []array) []array

func single(f func(o op.Op, in []array) array) reference {
	return func(o op.Op, in []array) []array { return []array{f(o, in)} }
}

func mapped(d op.DType, f func(x ...float64) float64) reference {
	return single(func(_ op.Op, in []array) array {
		y := newArray(d, in[0].dims...)
		args := make([]float64, len(in))
		for i := range y.x {
			for j := range in {
				args[j] = in[j].x[i]
			}
			y.x[i] = f(args...)
		}
		return y
	})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func geluTruth(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// larger and smaller restate IEEE 754-2019 maximum and minimum by cases.
func larger(a, b float64) float64 {
	switch {
	case a != a || b != b:
		return math.NaN()
	case a == b && math.Signbit(a):
		return b
	case a >= b:
		return a
	}
	return b
}

func smaller(a, b float64) float64 { return -larger(-a, -b) }

var references map[string]reference

func init() {
	references = map[string]reference{
		"neg":   mapped(op.F32, func(x ...float64) float64 { return -x[0] }),
		"exp":   mapped(op.F32, func(x ...float64) float64 { return math.Exp(x[0]) }),
		"log":   mapped(op.F32, func(x ...float64) float64 { return math.Log(x[0]) }),
		"sqrt":  mapped(op.F32, func(x ...float64) float64 { return math.Sqrt(x[0]) }),
		"tanh":  mapped(op.F32, func(x ...float64) float64 { return math.Tanh(x[0]) }),
		"sinpi": mapped(op.F32, func(x ...float64) float64 { return math.Sin(math.Pi * x[0]) }),
		"cospi": mapped(op.F32, func(x ...float64) float64 { return math.Cos(math.Pi * x[0]) }),
		"relu": mapped(op.F32, func(x ...float64) float64 {
			if x[0] > 0 || x[0] != x[0] {
				return x[0]
			}
			return 0
		}),
		"sigmoid": mapped(op.F32, func(x ...float64) float64 { return 1 / (1 + math.Exp(-x[0])) }),
		"rsqrt":   mapped(op.F32, func(x ...float64) float64 { return 1 / math.Sqrt(x[0]) }),
		"gelu":    mapped(op.F32, func(x ...float64) float64 { return geluTruth(x[0]) }),
		"add":     mapped(op.F32, func(x ...float64) float64 { return x[0] + x[1] }),
		"sub":     mapped(op.F32, func(x ...float64) float64 { return x[0] - x[1] }),
		"mul":     mapped(op.F32, func(x ...float64) float64 { return x[0] * x[1] }),
		"div":     mapped(op.F32, func(x ...float64) float64 { return x[0] / x[1] }),
		"max":     mapped(op.F32, func(x ...float64) float64 { return larger(x[0], x[1]) }),
		"min":     mapped(op.F32, func(x ...float64) float64 { return smaller(x[0], x[1]) }),
		"gt":      mapped(op.Bool, func(x ...float64) float64 { return truth(x[0] > x[1]) }),
		"ge":      mapped(op.Bool, func(x ...float64) float64 { return truth(x[0] >= x[1]) }),
		"lt":      mapped(op.Bool, func(x ...float64) float64 { return truth(x[0] < x[1]) }),
		"le":      mapped(op.Bool, func(x ...float64) float64 { return truth(x[0] <= x[1]) }),
		"eq":      mapped(op.Bool, func(x ...float64) float64 { return truth(x[0] == x[1]) }),
		"same": mapped(op.Bool, func(x ...float64) float64 {
			return truth(x[0] != x[0] && x[1] != x[1] || x[0] == x[1] && math.Signbit(x[0]) == math.Signbit(x[1]))
		}),
		"select": single(selectTruth), "fill": single(fillTruth), "iota": single(iotaTruth), "cast": single(castTruth), "iadd": single(iaddTruth),
		"matmul": single(matmulTruth), "matmuljvp": single(matmuljvpTruth), "ternarymm": single(ternaryTruth), "ternarymmtail": single(ternaryTailTruth),
		"sum": single(sumTruth), "mean": single(meanTruth), "amax": single(amaxTruth), "argmax": single(argmaxTruth),
		"onehot": single(onehotTruth), "pick": single(pickTruth), "broadcast": single(broadcastTruth), "reshape": single(reshapeTruth),
		"transpose": single(transposeTruth), "slice": single(sliceTruth), "pad": single(padTruth), "tail": single(tailTruth), "concat": single(concatTruth),
		"split": splitTruth, "putrow": single(putrowTruth), "gather": single(gatherTruth), "scatteradd": single(scatteraddTruth),
		"softmax": single(softmaxTruth), "xent": single(xentTruth), "xentgrad": single(xentgradTruth),
	}
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

// truthOf is the reference's result for the op.
func truthOf(o op.Op, in []op.Tensor) []array {
	a := make([]array, len(in))
	for i, x := range in {
		a[i] = arrayOf(x)
	}
	return references[o.Name()](o, a)
}
