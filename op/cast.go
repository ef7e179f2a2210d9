package op

import "math"

// Cast converts element types, F32, U32, I32, Bool and I8 to F32, U32, I32 and I8, other than to the same.
//
//	x [s] -> To[s]
type Cast struct{ To DType }

func (Cast) Name() string { return "cast" }
func (Cast) Class() Class { return Exact }
func (Cast) Pointwise()   {}

func (o Cast) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType == T2 || o.To == T2 || o.To == Bool || in[0].DType == o.To {
		return nil, bad(o, in, "an operand of type f32, u32, i32, bool or i8 and another one of f32, u32, i32, i8 as To")
	}
	return result(o.To, in[0].Shape), nil
}

// Law: element by element. To a float: the nearest, ties to even. To an integer: a float is rounded to nearest even, then
// a value outside of the target's range becomes the nearest end of the range; a NaN becomes 0.
func (o Cast) Law(out, in []Tensor) {
	clear(out[0].W)
	for i := range in[0].Len() {
		var v float64 // exact for every element type
		switch in[0].DType {
		case F32:
			v = math.RoundToEven(float64(in[0].F()[i]))
		case U32, Bool:
			v = float64(in[0].W[i])
		case I32:
			v = float64(int32(in[0].W[i]))
		case I8:
			v = float64(in[0].Int8(i))
		}
		if v != v {
			v = 0
		}
		switch o.To {
		case F32:
			out[0].SetF(i, float32(v))
		case U32:
			out[0].W[i] = uint32(min(max(v, 0), math.MaxUint32))
		case I32:
			out[0].W[i] = uint32(int32(min(max(v, math.MinInt32), math.MaxInt32)))
		case I8:
			out[0].SetInt8(i, int8(min(max(v, math.MinInt8), math.MaxInt8)))
		}
	}
}

func (Cast) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Cast) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
