package op

// Pick copies one element along an axis, at an index that may differ from place to place. An index outside of the axis
// gives +0.
//
//	x f32[.., n, ..], index u32[.., 1, ..] -> f32[.., 1, ..]
type Pick struct{ Axis int8 }

func (Pick) Name() string { return "pick" }
func (Pick) Class() Class { return Exact }

func (o Pick) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != F32 || in[1].DType != U32 || !isAxis(int(o.Axis), in[0].Shape) ||
		in[0].With(int(o.Axis), 1) != in[1].Shape {
		return nil, bad(o, in, "x f32[.., n, ..] and index u32[.., 1, ..] with 1 at axis %d", o.Axis)
	}
	return result(F32, in[1].Shape), nil
}

func (o Pick) Check(in []Tensor) error {
	return checkIndex(o, in, 1, in[0].At(int(o.Axis)), "places along the axis")
}

// Law: y = x[.., index, ..] if index < n, else +0.
func (o Pick) Law(out, in []Tensor) {
	outer, n, inner := in[0].split(int(o.Axis))
	for i := range outer {
		for j := range inner {
			out[0].W[i*inner+j] = 0
			if k := in[1].W[i*inner+j]; uint64(k) < uint64(n) {
				out[0].W[i*inner+j] = in[0].W[(i*n+int(k))*inner+j]
			}
		}
	}
}

func (o Pick) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0], n.In[1]) }

func (o Pick) VJP(e Emitter, n Node, ct []Value) []Value {
	s := e.Type(n.In[0]).Shape
	hot := one(e, OneHot{o.Axis, s.D[o.Axis], Bool}, n.In[1])
	return []Value{one(e, Select{}, hot, one(e, Broadcast{s}, ct[0]), FillLike(e, 0, n.In[0])), 0}
}

// OneHot is 1 at an index along an axis and 0 elsewhere; an index outside gives only zeros.
//
//	index u32[.., 1, ..] -> To[.., N, ..], To F32 or Bool
type OneHot struct {
	Axis int8
	N    int32
	To   DType
}

func (OneHot) Name() string { return "onehot" }
func (OneHot) Class() Class { return Exact }

func (o OneHot) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType != U32 || !isAxis(int(o.Axis), in[0].Shape) || in[0].At(int(o.Axis)) != 1 ||
		o.N < 0 || o.To != F32 && o.To != Bool {
		return nil, bad(o, in, "an index u32[.., 1, ..] with 1 at axis %d, N of at least 0, To f32 or bool", o.Axis)
	}
	return result(o.To, in[0].With(int(o.Axis), int(o.N))), nil
}

func (o OneHot) Check(in []Tensor) error {
	return checkIndex(o, in, 0, int(o.N), "places along the axis")
}

// Law: y[.., k, ..] = k == index ? 1 : 0.
func (o OneHot) Law(out, in []Tensor) {
	yes := uint32(1)
	if o.To == F32 {
		yes = bitsOf(1)
	}
	outer, n, inner := out[0].split(int(o.Axis))
	for i := range outer {
		for k := range n {
			for j := range inner {
				out[0].W[(i*n+k)*inner+j] = 0
				if in[0].W[i*inner+j] == uint32(k) {
					out[0].W[(i*n+k)*inner+j] = yes
				}
			}
		}
	}
}

func (OneHot) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (OneHot) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
