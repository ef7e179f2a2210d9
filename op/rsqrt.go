package op

// Rsqrt is y = 1 / sqrt(x), elementwise, two roundings, with the derivative -((g * y) / (x + x)).
type Rsqrt struct{}

func (Rsqrt) Name() string { return "rsqrt" }
func (Rsqrt) Class() Class { return Ordered }
func (Rsqrt) Pointwise()   {}

func (o Rsqrt) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	return result(F32, in[0].Shape), nil
}

// Law is the law of the expansion.
func (o Rsqrt) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (Rsqrt) Expand(e Emitter, in []Value) []Value {
	return e.Emit(Div, FillLike(e, 1, in[0]), one(e, Sqrt, in[0]))
}

func (Rsqrt) derivative(e Emitter, x, y, g Value) []Value {
	return e.Emit(Neg, one(e, Div, one(e, Mul, g, y), one(e, Add, x, x)))
}

func (o Rsqrt) JVP(e Emitter, n Node, t []Value) []Value {
	return o.derivative(e, n.In[0], n.Out[0], t[0])
}
func (o Rsqrt) VJP(e Emitter, n Node, ct []Value) []Value {
	return o.derivative(e, n.In[0], n.Out[0], ct[0])
}
