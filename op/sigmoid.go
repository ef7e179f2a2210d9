package op

// Sigmoid is s = 1 / (1 + exp(-x)), elementwise, with its own derivative g * (s * (1 - s)).
type Sigmoid struct{}

func (Sigmoid) Name() string { return "sigmoid" }
func (Sigmoid) Class() Class { return Ordered }
func (Sigmoid) Pointwise()   {}

func (o Sigmoid) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	return result(F32, in[0].Shape), nil
}

// Law is the law of the expansion.
func (o Sigmoid) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (Sigmoid) Expand(e Emitter, in []Value) []Value {
	unit := FillLike(e, 1, in[0])
	return e.Emit(Div, unit, one(e, Add, unit, one(e, Exp, one(e, Neg, in[0]))))
}

func (Sigmoid) derivative(e Emitter, s, g Value) []Value {
	return e.Emit(Mul, g, one(e, Mul, s, one(e, Sub, FillLike(e, 1, s), s)))
}

func (o Sigmoid) JVP(e Emitter, n Node, t []Value) []Value  { return o.derivative(e, n.Out[0], t[0]) }
func (o Sigmoid) VJP(e Emitter, n Node, ct []Value) []Value { return o.derivative(e, n.Out[0], ct[0]) }
