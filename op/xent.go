package op

// Xent is the cross-entropy of each row's softmax against its label, in nats: with m = amax(x) and s = sum(exp(x - m)),
// log(s) - (x[label] - m).
//
//	x f32[b, c], label u32[b, 1] -> f32[b, 1]
//
// Its derivatives are closed forms: VJP is XentGrad, the tangent is sum((p - onehot(label)) * dx).
type Xent struct{}

func (Xent) Name() string { return "xent" }
func (Xent) Class() Class { return Ordered }

func (o Xent) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != F32 || in[1].DType != U32 || in[0].Rank != 2 || in[1].Shape != S(in[0].At(0), 1) || in[0].At(1) < 1 {
		return nil, bad(o, in, "logits f32[b, c] with c of at least 1 and labels u32[b, 1]")
	}
	return result(F32, in[1].Shape), nil
}

func (o Xent) Check(in []Tensor) error { return checkIndex(o, in, 1, in[0].At(1), "classes") }

// Law is the law of the expansion.
func (o Xent) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (Xent) Expand(e Emitter, in []Value) []Value {
	m, _, sum := shiftedExp(e, in[0])
	return e.Emit(Sub, one(e, Log, sum), one(e, Sub, one(e, Pick{1}, in[0], in[1]), m))
}

// residual emits p - onehot(label).
func (Xent) residual(e Emitter, x, label Value) Value {
	return one(e, Sub, one(e, Softmax{}, x), one(e, OneHot{1, e.Type(x).D[1], F32}, label))
}

func (o Xent) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(Sum{List(1)}, one(e, Mul, o.residual(e, n.In[0], n.In[1]), t[0]))
}

func (Xent) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{one(e, XentGrad{}, n.In[0], n.In[1], ct[0]), 0}
}

// XentGrad is the gradient of Xent: (p - onehot(label)) * g, p = softmax(x).
//
//	x f32[b, c], label u32[b, 1], g f32[b, 1] -> f32[b, c]
//
// Its tangent is (dp * g) + (dg * (p - onehot)), dp the tangent of softmax.
type XentGrad struct{}

func (XentGrad) Name() string { return "xentgrad" }
func (XentGrad) Class() Class { return Ordered }

func (o XentGrad) Shape(in []Type) ([]Type, error) {
	if len(in) == 3 && in[2].DType == F32 && in[2].Shape == in[1].Shape {
		if _, err := (Xent{}).Shape(in[:2]); err == nil {
			return result(F32, in[0].Shape), nil
		}
	}
	return nil, bad(o, in, "logits f32[b, c], labels u32[b, 1] and a cotangent f32[b, 1]")
}

func (o XentGrad) Check(in []Tensor) error { return checkIndex(o, in, 1, in[0].At(1), "classes") }

// Law is the law of the expansion.
func (o XentGrad) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (XentGrad) Expand(e Emitter, in []Value) []Value {
	return e.Emit(Mul, Xent{}.residual(e, in[0], in[1]), one(e, Broadcast{e.Type(in[0]).Shape}, in[2]))
}

func (XentGrad) JVP(e Emitter, n Node, t []Value) []Value {
	s := e.Type(n.In[0]).Shape
	var sum Value
	if t[0] != 0 {
		dp := one(e, SoftmaxGrad{}, one(e, Softmax{}, n.In[0]), t[0])
		sum = one(e, Mul, dp, one(e, Broadcast{s}, n.In[2]))
	}
	if t[2] != 0 {
		sum = AddTo(e, sum, one(e, Mul, one(e, Broadcast{s}, t[2]), Xent{}.residual(e, n.In[0], n.In[1])))
	}
	return []Value{sum}
}

// VJP is that of the expansion: of (p - onehot) * broadcast(g).
func (XentGrad) VJP(e Emitter, n Node, ct []Value) []Value {
	s := e.Type(n.In[0]).Shape
	dp := one(e, Mul, ct[0], one(e, Broadcast{s}, n.In[2]))
	dg := one(e, Mul, ct[0], Xent{}.residual(e, n.In[0], n.In[1]))
	dx := one(e, SoftmaxGrad{}, one(e, Softmax{}, n.In[0]), dp)
	repeat := Broadcast{s} // its own rule: for c = 1 it is a view and no Sum, which would turn -0 into +0
	return []Value{dx, 0, repeat.VJP(e, Node{Op: repeat, In: n.In[2:]}, []Value{dg})[0]}
}
