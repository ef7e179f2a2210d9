package op

// Select copies from one of two operands of any one-word element type; it never computes.
//
//	c bool[s], a [s], b [s] -> [s]
type Select struct{}

func (Select) Name() string { return "select" }
func (Select) Class() Class { return Exact }
func (Select) Pointwise()   {}

func (o Select) Shape(in []Type) ([]Type, error) {
	if len(in) != 3 || in[0].DType != Bool || in[1].DType != in[2].DType || in[1].DType > Bool ||
		in[0].Shape != in[1].Shape || in[1].Shape != in[2].Shape {
		return nil, bad(o, in, "a bool condition and two operands, all of one shape, the two of one element type (f32, u32, i32 or bool)")
	}
	return result(in[1].DType, in[1].Shape), nil
}

// Law: y[i] = c[i] ? a[i] : b[i] for every element i.
func (Select) Law(out, in []Tensor) {
	for i, c := range in[0].W {
		if c != 0 {
			out[0].W[i] = in[1].W[i]
		} else {
			out[0].W[i] = in[2].W[i]
		}
	}
}

func (Select) JVP(e Emitter, n Node, t []Value) []Value {
	if t[1] == 0 && t[2] == 0 {
		return []Value{0}
	}
	return e.Emit(Select{}, n.In[0], materialise(e, t[1], n.In[1]), materialise(e, t[2], n.In[2]))
}

func (Select) VJP(e Emitter, n Node, ct []Value) []Value {
	zero := FillLike(e, 0, ct[0])
	return []Value{0, one(e, Select{}, n.In[0], ct[0], zero), one(e, Select{}, n.In[0], zero, ct[0])}
}

// materialise turns a symbolic zero into a fill of +0 of the primal's shape.
func materialise(e Emitter, t, primal Value) Value {
	if t == 0 {
		return FillLike(e, 0, primal)
	}
	return t
}
