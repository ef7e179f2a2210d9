// Package truth says what ops would give in exact arithmetic: in float64, by index formulas and math.*, without a law. The laws are held against
// it, and so are the derivatives of programs.
package truth

import (
	"math"
	"slices"

	"lockstep/op"
)

// Array is a tensor in float64, which holds every value of every element type but codes exactly.
type Array struct {
	op.DType
	Dims []int
	X    []float64 // row-major
}

// From is the array of a tensor; codes become 0, 1 and -1.
func From(t op.Tensor) Array {
	a := New(t.DType, t.Dims()...)
	for i := range a.X {
		switch t.DType {
		case op.F32:
			a.X[i] = float64(math.Float32frombits(t.W[i]))
		case op.I32:
			a.X[i] = float64(int32(t.W[i]))
		case op.I8:
			a.X[i] = float64(t.Int8(i))
		case op.T2:
			cols := t.Dims()[1]
			a.X[i] = []float64{0, 1, 0, -1}[t.Code(i/cols, i%cols)]
		default:
			a.X[i] = float64(t.W[i])
		}
	}
	return a
}

// New is an array of zeros.
func New(d op.DType, dims ...int) Array {
	n := 1
	for _, s := range dims {
		n *= s
	}
	return Array{d, slices.Clone(dims), make([]float64, n)}
}

// Tensor rounds the elements to their type.
func (a Array) Tensor() op.Tensor {
	t := op.New(op.T(a.DType, op.Shared, a.Dims...))
	for i, x := range a.X {
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

// Offset is where an element stands in X.
func (a Array) Offset(at ...int) int {
	i := 0
	for d, n := range a.Dims {
		i = i*n + at[d]
	}
	return i
}

// At is an element.
func (a Array) At(at ...int) float64 { return a.X[a.Offset(at...)] }

// Each visits every index of a shape in row-major order; f must not keep it.
func Each(dims []int, f func(at []int)) {
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

// Build makes an array from a formula of the index.
func Build(d op.DType, dims []int, f func(at []int) float64) Array {
	y := New(d, dims...)
	Each(dims, func(at []int) { y.X[y.Offset(at...)] = f(at) })
	return y
}

// With is a copy of at, with v at an axis.
func With(at []int, axis, v int) []int {
	at = slices.Clone(at)
	at[axis] = v
	return at
}

// reference is what an op would give in exact arithmetic.
type reference func(o op.Op, in []Array) []Array

func single(f func(o op.Op, in []Array) Array) reference {
	return func(o op.Op, in []Array) []Array { return []Array{f(o, in)} }
}

func mapped(d op.DType, f func(x ...float64) float64) reference {
	return single(func(_ op.Op, in []Array) Array {
		y := New(d, in[0].Dims...)
		args := make([]float64, len(in))
		for i := range y.X {
			for j := range in {
				args[j] = in[j].X[i]
			}
			y.X[i] = f(args...)
		}
		return y
	})
}

// Bit is 1 for true.
func Bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func geluTruth(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// Larger is the IEEE 754-2019 maximum, by cases; smaller the minimum.
func Larger(a, b float64) float64 {
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

func smaller(a, b float64) float64 { return -Larger(-a, -b) }

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
		"max":     mapped(op.F32, func(x ...float64) float64 { return Larger(x[0], x[1]) }),
		"min":     mapped(op.F32, func(x ...float64) float64 { return smaller(x[0], x[1]) }),
		"gt":      mapped(op.Bool, func(x ...float64) float64 { return Bit(x[0] > x[1]) }),
		"ge":      mapped(op.Bool, func(x ...float64) float64 { return Bit(x[0] >= x[1]) }),
		"lt":      mapped(op.Bool, func(x ...float64) float64 { return Bit(x[0] < x[1]) }),
		"le":      mapped(op.Bool, func(x ...float64) float64 { return Bit(x[0] <= x[1]) }),
		"eq":      mapped(op.Bool, func(x ...float64) float64 { return Bit(x[0] == x[1]) }),
		"same": mapped(op.Bool, func(x ...float64) float64 {
			return Bit(x[0] != x[0] && x[1] != x[1] || x[0] == x[1] && math.Signbit(x[0]) == math.Signbit(x[1]))
		}),
		"select": single(selectTruth), "fill": single(fillTruth), "iota": single(iotaTruth), "cast": single(castTruth), "iadd": single(iaddTruth),
		"matmul": single(matmulTruth), "matmuljvp": single(matmuljvpTruth), "matmultail": single(matmulTailTruth), "ternarymm": single(ternaryTruth), "ternarymmtail": single(ternaryTailTruth),
		"sum": single(sumTruth), "mean": single(meanTruth), "amax": single(amaxTruth), "argmax": single(argmaxTruth),
		"onehot": single(onehotTruth), "pick": single(pickTruth), "broadcast": single(broadcastTruth), "reshape": single(reshapeTruth),
		"transpose": single(transposeTruth), "slice": single(sliceTruth), "pad": single(padTruth), "tail": single(tailTruth), "concat": single(concatTruth),
		"split": splitTruth, "putrow": single(putrowTruth), "gather": single(gatherTruth), "scatteradd": single(scatteraddTruth),
		"softmax": single(softmaxTruth), "softmaxgrad": single(softmaxGradTruth), "layernorm": layerNormTruth, "layernormgrad": single(layerNormGradTruth),
		"xent": single(xentTruth), "xentgrad": single(xentgradTruth),
	}
}

// Of is what an op gives; nil for a draw, of which there is no truth.
func Of(o op.Op, in []Array) []Array {
	if d, ok := o.(op.Twofold); ok {
		return dualTruth(d, in)
	}
	if f := references[o.Name()]; f != nil {
		return f(o, in)
	}
	return nil
}

// All are the arrays of tensors.
func All(in []op.Tensor) []Array {
	a := make([]Array, len(in))
	for i, x := range in {
		a[i] = From(x)
	}
	return a
}
