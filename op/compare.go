package op

import (
	"fmt"
	"math"
)

// Compare is an elementwise comparison of two operands of equal shape and element type (F32, U32 or I32) with a Bool
// result. A comparison with a NaN is false, but for Same, which compares bits. Its values are Gt, Ge, Lt, Le, Eq, Same.
type Compare struct{ F CompareFunc }

// CompareFunc numbers the comparisons.
type CompareFunc uint8

const (
	gt CompareFunc = iota
	ge
	lt
	le
	eq
	same
	numCompare
)

var (
	Gt   = Compare{gt}
	Ge   = Compare{ge}
	Lt   = Compare{lt}
	Le   = Compare{le}
	Eq   = Compare{eq}
	Same = Compare{same} // equal bits: -0 and +0 differ, NaN equals NaN
)

var compareNames = [numCompare]string{"gt", "ge", "lt", "le", "eq", "same"}

func (o Compare) Name() string {
	if o.F < numCompare {
		return compareNames[o.F]
	}
	return fmt.Sprintf("compare(%d)", uint8(o.F))
}
func (Compare) Class() Class { return Exact }
func (Compare) Pointwise()   {}

func (o Compare) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != in[1].DType || in[0].Shape != in[1].Shape || in[0].DType > I32 {
		return nil, bad(o, in, "two operands of one shape and one element type: f32, u32 or i32")
	}
	return result(Bool, in[0].Shape), nil
}

// Law: y[i] = a[i] ? b[i] for every element i.
func (o Compare) Law(out, in []Tensor) {
	for i := range out[0].W {
		a, b := in[0].W[i], in[1].W[i]
		var yes bool
		switch in[0].DType {
		case F32:
			yes = compare(o.F, math.Float32frombits(a), math.Float32frombits(b))
		case U32:
			yes = compare(o.F, a, b)
		case I32:
			yes = compare(o.F, int32(a), int32(b))
		}
		if o.F == same {
			yes = a == b
		}
		out[0].W[i] = 0
		if yes {
			out[0].W[i] = 1
		}
	}
}

func compare[T float32 | uint32 | int32](f CompareFunc, a, b T) bool {
	switch f {
	case gt:
		return a > b
	case ge:
		return a >= b
	case lt:
		return a < b
	case le:
		return a <= b
	}
	return a == b
}

func (Compare) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Compare) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }

// noDerivative is the answer of integers, comparisons and draws: symbolic zeros.
func noDerivative(v []Value) []Value { return make([]Value, len(v)) }
