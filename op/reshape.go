package op

// Reshape reads the same elements, in row-major order, as another shape. Any one-word element type.
//
//	x [s] -> [To], of as many elements
type Reshape struct{ To Shape }

func (Reshape) Name() string { return "reshape" }
func (Reshape) Class() Class { return Exact }

func (o Reshape) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType > Bool || in[0].Len() != o.To.Len() {
		return nil, bad(o, in, "an operand of %d elements", o.To.Len())
	}
	return result(in[0].DType, o.To), nil
}

// Law: y[i] = x[i] for every element i in row-major order.
func (Reshape) Law(out, in []Tensor) { copy(out[0].W, in[0].W) }

func (o Reshape) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (Reshape) VJP(e Emitter, n Node, ct []Value) []Value {
	return e.Emit(Reshape{e.Type(n.In[0]).Shape}, ct[0])
}
