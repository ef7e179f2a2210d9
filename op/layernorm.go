package op

// LayerNorm normalises the last axis (Ba, Kiros and Hinton 2016, arXiv 1607.06450, section 3.1): with mean and var over that axis,
// r = 1 / sqrt(var + eps), y = (x - mean) * r. Gain and bias are a multiplication and an addition after it. The second result, r,
// is what its derivatives take besides y.
//
//	x f32[.., c] -> y f32[.., c], r f32[.., 1], c >= 1
//
// Order: mean(x), d = x - mean, mean(d * d), + eps, rsqrt, d * r.
//
// The Jacobian of y is symmetric, so cotangents and tangents take the same formula: LayerNormGrad(y, r, g). The tangent of r is
// -((r * r) * mean(y * dx)), and a cotangent h of r adds -(((h * (r * r)) / c) * y) to that of x.
type LayerNorm struct{ Eps Bits }

func (LayerNorm) Name() string { return "layernorm" }
func (LayerNorm) Class() Class { return Ordered }

func (o LayerNorm) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType != F32 || in[0].Rank < 1 || in[0].At(-1) < 1 || in[0].At(-1) >= 1<<24 {
		return nil, bad(o, in, "an f32 operand [.., c] with c of 1 to 2^24 - 1")
	}
	return append(result(F32, in[0].Shape), Type{DType: F32, Shape: in[0].With(-1, 1)}), nil
}

// Law is the law of the expansion.
func (o LayerNorm) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (o LayerNorm) Expand(e Emitter, in []Value) []Value {
	x, s := in[0], e.Type(in[0]).Shape
	d := one(e, Sub, x, one(e, Broadcast{s}, meanOfLast(e, x)))
	variance := meanOfLast(e, one(e, Mul, d, d))
	r := one(e, Rsqrt{}, one(e, Add, variance, FillLike(e, o.Eps.F(), variance)))
	return []Value{one(e, Mul, d, one(e, Broadcast{s}, r)), r}
}

// meanOfLast emits the mean over the last axis.
func meanOfLast(e Emitter, x Value) Value {
	return one(e, Mean{List(int(e.Type(x).Rank) - 1)}, x)
}

func (LayerNorm) JVP(e Emitter, n Node, t []Value) []Value {
	y, r := n.Out[0], n.Out[1]
	dy := one(e, LayerNormGrad{}, y, r, t[0])
	slope := meanOfLast(e, one(e, Mul, y, t[0]))
	return []Value{dy, one(e, Neg, one(e, Mul, one(e, Mul, r, r), slope))}
}

func (LayerNorm) VJP(e Emitter, n Node, ct []Value) []Value {
	y, r := n.Out[0], n.Out[1]
	var dx Value
	if ct[0] != 0 {
		dx = one(e, LayerNormGrad{}, y, r, ct[0])
	}
	if ct[1] != 0 {
		s := e.Type(y).Shape
		h := one(e, Mul, ct[1], one(e, Mul, r, r))
		h = one(e, Div, h, FillLike(e, float32(s.At(-1)), h))
		dx = AddTo(e, dx, one(e, Neg, one(e, Mul, one(e, Broadcast{s}, h), y)))
	}
	return []Value{dx}
}

// LayerNormGrad is the derivative of LayerNorm in the direction g, forward and reverse: ((g - mean(g)) - y * mean(g * y)) * r.
//
//	y f32[.., c], r f32[.., 1], g f32[.., c] -> f32[.., c]
//
// Its own derivatives are those of this expansion.
type LayerNormGrad struct{}

func (LayerNormGrad) Name() string { return "layernormgrad" }
func (LayerNormGrad) Class() Class { return Ordered }

func (o LayerNormGrad) Shape(in []Type) ([]Type, error) {
	if len(in) == 3 && in[1].DType == F32 && in[2].DType == F32 && in[0].Shape == in[2].Shape {
		if out, err := (LayerNorm{}).Shape(in[:1]); err == nil && out[1].Shape == in[1].Shape {
			return out[:1], nil
		}
	}
	return nil, bad(o, in, "y f32[.., c], r f32[.., 1] and g like y, with c of 1 to 2^24 - 1")
}

// Law is the law of the expansion.
func (o LayerNormGrad) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (LayerNormGrad) Expand(e Emitter, in []Value) []Value {
	y, r, g, s := in[0], in[1], in[2], e.Type(in[0]).Shape
	centred := one(e, Sub, g, one(e, Broadcast{s}, meanOfLast(e, g)))
	along := one(e, Mul, y, one(e, Broadcast{s}, meanOfLast(e, one(e, Mul, g, y))))
	return e.Emit(Mul, one(e, Sub, centred, along), one(e, Broadcast{s}, r))
}

func (o LayerNormGrad) JVP(e Emitter, n Node, t []Value) []Value  { return expandJVP(e, o, n, t) }
func (o LayerNormGrad) VJP(e Emitter, n Node, ct []Value) []Value { return expandVJP(e, o, n, ct) }
