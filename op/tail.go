package op

// Tail sets the pads of a ragged axis to +0: y[.., i, ..] = i < klen ? x[.., i, ..] : +0. It copies, so a NaN in the pads
// does not come through.
//
//	x f32[.., n, ..], klen u32[] -> f32[.., n, ..]
type Tail struct{ Axis int8 }

func (Tail) Name() string { return "tail" }
func (Tail) Class() Class { return Exact }

func (o Tail) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != F32 || !isScalar(in[1]) || !isAxis(int(o.Axis), in[0].Shape) {
		return nil, bad(o, in, "x f32 with an axis %d, and klen u32[]", o.Axis)
	}
	return result(F32, in[0].Shape), nil
}

func (o Tail) Check(in []Tensor) error { return checkKlen(o, in, 1, in[0].At(int(o.Axis))) }

// Law: place i along the axis is copied if i < klen, else +0.
func (o Tail) Law(out, in []Tensor) {
	outer, n, inner := in[0].split(int(o.Axis))
	kept := klen(in, 1, n) * inner
	clear(out[0].W)
	for i := range outer {
		copy(out[0].W[i*n*inner:], in[0].W[i*n*inner:i*n*inner+kept])
	}
}

func (o Tail) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0], n.In[1]) }

func (o Tail) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{one(e, o, ct[0], n.In[1]), 0}
}
