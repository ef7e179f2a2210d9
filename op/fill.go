package op

// Fill is a constant: every element has the same bits.
//
//	-> To[DType]
type Fill struct {
	DType DType
	Bits  Bits // of the element; a canonical float where DType is F32
	To    Shape
}

func (Fill) Name() string { return "fill" }
func (Fill) Class() Class { return Exact }

func (o Fill) Shape(in []Type) ([]Type, error) {
	if len(in) != 0 || o.DType > Bool || o.DType == Bool && o.Bits > 1 || o.DType == F32 && B(o.Bits.F()) != o.Bits {
		return nil, bad(o, in, "no operand, element type f32, u32, i32 or bool (0 or 1), and no NaN but 7fc00000")
	}
	return result(o.DType, o.To), nil
}

// Law: y[i] = Bits for every element i.
func (o Fill) Law(out, in []Tensor) {
	for i := range out[0].W {
		out[0].W[i] = uint32(o.Bits)
	}
}

func (Fill) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Fill) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }

// FillLike emits an F32 constant x of the shape of v.
func FillLike(e Emitter, x float32, v Value) Value {
	return one(e, Fill{F32, B(x), e.Type(v).Shape})
}

// Iota counts: y[i] = i.
//
//	-> u32[N]
type Iota struct{ N int32 }

func (Iota) Name() string { return "iota" }
func (Iota) Class() Class { return Exact }

func (o Iota) Shape(in []Type) ([]Type, error) {
	if len(in) != 0 || o.N < 0 {
		return nil, bad(o, in, "no operand and N of at least 0")
	}
	return result(U32, S(int(o.N))), nil
}

// Law: y[i] = i for every element i.
func (Iota) Law(out, in []Tensor) {
	for i := range out[0].W {
		out[0].W[i] = uint32(i)
	}
}

func (Iota) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Iota) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
