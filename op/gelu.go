package op

// Gelu is the tanh form of the Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2),
// elementwise: u = x * x, u = u * x, u = 0.044715 * u, u = x + u, u = 0.7978846 * u, y = (0.5 * x) * (1 + tanh(u)).
//
// Its derivative, with t = tanh(u):
//
//	a = 0.5 * (1 + t)
//	b = 1 - t * t
//	v = x * x, v = 0.134145 * v, v = 1 + v, v = 0.7978846 * v          (u', 0.134145 = 3 * 0.044715)
//	c = ((0.5 * x) * b) * v
//	g * (a + c)
type Gelu struct{}

func (Gelu) Name() string { return "gelu" }
func (Gelu) Class() Class { return Ordered }
func (Gelu) Pointwise()   {}

func (o Gelu) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	return result(F32, in[0].Shape), nil
}

// Law is the law of the expansion.
func (o Gelu) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

const (
	geluCubic  float32 = 0.044715
	geluCubic3 float32 = 0.134145
	geluScale  float32 = 0.7978846 // sqrt(2 / pi)
)

func (Gelu) tanh(e Emitter, x Value) Value {
	u := one(e, Mul, x, x)
	u = one(e, Mul, u, x)
	u = one(e, Mul, FillLike(e, geluCubic, x), u)
	u = one(e, Add, x, u)
	u = one(e, Mul, FillLike(e, geluScale, x), u)
	return one(e, Tanh, u)
}

func (o Gelu) Expand(e Emitter, in []Value) []Value {
	x := in[0]
	return e.Emit(Mul, one(e, Mul, FillLike(e, 0.5, x), x), one(e, Add, FillLike(e, 1, x), o.tanh(e, x)))
}

func (o Gelu) derivative(e Emitter, x, g Value) []Value {
	t, unit, half := o.tanh(e, x), FillLike(e, 1, x), FillLike(e, 0.5, x)
	a := one(e, Mul, half, one(e, Add, unit, t))
	b := one(e, Sub, unit, one(e, Mul, t, t))
	v := one(e, Mul, x, x)
	v = one(e, Mul, FillLike(e, geluCubic3, x), v)
	v = one(e, Add, unit, v)
	v = one(e, Mul, FillLike(e, geluScale, x), v)
	c := one(e, Mul, one(e, Mul, one(e, Mul, half, x), b), v)
	return e.Emit(Mul, g, one(e, Add, a, c))
}

func (o Gelu) JVP(e Emitter, n Node, t []Value) []Value  { return o.derivative(e, n.In[0], t[0]) }
func (o Gelu) VJP(e Emitter, n Node, ct []Value) []Value { return o.derivative(e, n.In[0], ct[0]) }
