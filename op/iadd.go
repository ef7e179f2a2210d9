package op

// IAdd adds integers modulo 2^32: step counters and indices. U32 or I32, equal shapes.
//
//	a [s], b [s] -> [s]
type IAdd struct{}

func (IAdd) Name() string { return "iadd" }
func (IAdd) Class() Class { return Exact }
func (IAdd) Pointwise()   {}

func (o IAdd) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != U32 && in[0].DType != I32 || in[0].DType != in[1].DType || in[0].Shape != in[1].Shape {
		return nil, bad(o, in, "two operands of one shape, both u32 or both i32")
	}
	return result(in[0].DType, in[0].Shape), nil
}

// Law: y[i] = (a[i] + b[i]) mod 2^32 for every element i.
func (IAdd) Law(out, in []Tensor) {
	for i := range out[0].W {
		out[0].W[i] = in[0].W[i] + in[1].W[i]
	}
}

func (IAdd) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (IAdd) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
