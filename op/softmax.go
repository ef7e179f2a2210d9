package op

// Softmax over the last axis: m = amax(x), e = exp(x - m), y = e / sum(e).
//
//	x f32[.., c] -> f32[.., c], c >= 1
//
// Its derivative is y * (g - sum(y * g)), forward and reverse; the inner maximum is not differentiated.
type Softmax struct{}

func (Softmax) Name() string { return "softmax" }
func (Softmax) Class() Class { return Ordered }

func (o Softmax) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType != F32 || in[0].Rank < 1 || in[0].At(-1) < 1 {
		return nil, bad(o, in, "an f32 operand [.., c] with c of at least 1")
	}
	return result(F32, in[0].Shape), nil
}

// Law is the law of the expansion.
func (o Softmax) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (Softmax) Expand(e Emitter, in []Value) []Value {
	_, exp, sum := shiftedExp(e, in[0])
	return e.Emit(Div, exp, one(e, Broadcast{e.Type(in[0]).Shape}, sum))
}

// shiftedExp emits m = amax(x), exp(x - m) and its sum, all over the last axis.
func shiftedExp(e Emitter, x Value) (m, exp, sum Value) {
	s := e.Type(x).Shape
	last := int(s.Rank) - 1
	m = one(e, AMax{int8(last)}, x)
	exp = one(e, Exp, one(e, Sub, x, one(e, Broadcast{s}, m)))
	return m, exp, one(e, Sum{List(last)}, exp)
}

func (o Softmax) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(SoftmaxGrad{}, n.Out[0], t[0])
}

func (o Softmax) VJP(e Emitter, n Node, ct []Value) []Value {
	return e.Emit(SoftmaxGrad{}, n.Out[0], ct[0])
}

// SoftmaxGrad is the derivative of Softmax in the direction g, forward and reverse: y * (g - sum(y * g)).
//
//	y f32[.., c], g f32[.., c] -> f32[.., c], c >= 1
//
// Its own derivatives are those of this expansion.
type SoftmaxGrad struct{}

func (SoftmaxGrad) Name() string { return "softmaxgrad" }
func (SoftmaxGrad) Class() Class { return Ordered }

func (o SoftmaxGrad) Shape(in []Type) ([]Type, error) {
	if len(in) == 2 && in[1].DType == F32 && in[0].Shape == in[1].Shape {
		if out, err := (Softmax{}).Shape(in[:1]); err == nil {
			return out, nil
		}
	}
	return nil, bad(o, in, "y f32[.., c] and g like y, with c of at least 1")
}

// Law is the law of the expansion.
func (o SoftmaxGrad) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (SoftmaxGrad) Expand(e Emitter, in []Value) []Value {
	y, g, s := in[0], in[1], e.Type(in[0]).Shape
	sum := one(e, Sum{List(int(s.Rank) - 1)}, one(e, Mul, y, g))
	return e.Emit(Mul, y, one(e, Sub, g, one(e, Broadcast{s}, sum)))
}

func (o SoftmaxGrad) JVP(e Emitter, n Node, t []Value) []Value  { return expandJVP(e, o, n, t) }
func (o SoftmaxGrad) VJP(e Emitter, n Node, ct []Value) []Value { return expandVJP(e, o, n, ct) }
