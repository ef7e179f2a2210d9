package op

// Concat joins its operands along an axis. Any one-word element type.
//
//	x0 [.., n0, ..], x1 [.., n1, ..], .. -> [.., n0 + n1 + .., ..]
type Concat struct{ Axis int8 }

func (Concat) Name() string { return "concat" }
func (Concat) Class() Class { return Exact }

func (o Concat) Shape(in []Type) ([]Type, error) {
	ok, total := len(in) > 0 && in[0].DType <= Bool && isAxis(int(o.Axis), in[0].Shape), 0
	for i := 0; ok && i < len(in); i++ {
		if ok = in[i].DType == in[0].DType && in[i].Rank == in[0].Rank && in[i].With(int(o.Axis), 1) == in[0].With(int(o.Axis), 1); ok {
			total += in[i].At(int(o.Axis))
		}
	}
	if !ok || total > 1<<31-1 {
		return nil, bad(o, in, "one or more operands that differ only in axis %d", o.Axis)
	}
	return result(in[0].DType, in[0].With(int(o.Axis), total)), nil
}

// Law: the operands' places along the axis, in their order.
func (o Concat) Law(out, in []Tensor) {
	outer, total, inner := out[0].split(int(o.Axis))
	at := 0
	for _, x := range in {
		size := x.At(int(o.Axis)) * inner
		for i := range outer {
			copy(out[0].W[i*total*inner+at:], x.W[i*size:(i+1)*size])
		}
		at += size
	}
}

func (o Concat) JVP(e Emitter, n Node, t []Value) []Value {
	in := make([]Value, len(t))
	for i := range t {
		in[i] = materialise(e, t[i], n.In[i])
	}
	return e.Emit(o, in...)
}

func (o Concat) VJP(e Emitter, n Node, ct []Value) []Value {
	sizes := make([]int, len(n.In))
	for i, v := range n.In {
		sizes[i] = e.Type(v).At(int(o.Axis))
	}
	return e.Emit(Split{o.Axis, List(sizes...)}, ct[0])
}

// Split is the inverse of Concat: it cuts an axis into consecutive parts. Any one-word element type.
//
//	x [.., n0 + n1 + .., ..] -> [.., n0, ..], [.., n1, ..], ..
type Split struct {
	Axis  int8
	Sizes Ints
}

func (Split) Name() string { return "split" }
func (Split) Class() Class { return Exact }

func (o Split) Shape(in []Type) ([]Type, error) {
	sizes, err := o.Sizes.parse()
	ok := err == nil && len(sizes) > 0 && List(sizes...) == o.Sizes && len(in) == 1 && in[0].DType <= Bool && isAxis(int(o.Axis), in[0].Shape)
	total := 0
	for _, n := range sizes {
		ok = ok && n >= 0
		total += n
	}
	if !ok || total != in[0].At(int(o.Axis)) {
		return nil, bad(o, in, "sizes such as 3,5 of at least 0 whose sum is the size of axis %d", o.Axis)
	}
	var out []Type
	for _, n := range sizes {
		out = append(out, result(in[0].DType, in[0].With(int(o.Axis), n))...)
	}
	return out, nil
}

// Law: consecutive places along the axis go to consecutive results.
func (o Split) Law(out, in []Tensor) {
	outer, total, inner := in[0].split(int(o.Axis))
	at := 0
	for _, y := range out {
		size := y.At(int(o.Axis)) * inner
		for i := range outer {
			copy(y.W[i*size:(i+1)*size], in[0].W[i*total*inner+at:])
		}
		at += size
	}
}

func (o Split) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Split) VJP(e Emitter, n Node, ct []Value) []Value {
	in := make([]Value, len(ct))
	for i := range ct {
		in[i] = materialise(e, ct[i], n.Out[i])
	}
	return e.Emit(Concat{o.Axis}, in...)
}
