package op

// Slice copies Len consecutive places along an axis, from Start on. Any one-word element type.
//
//	x [.., n, ..] -> [.., Len, ..]
type Slice struct {
	Axis       int8
	Start, Len int32
}

func (Slice) Name() string { return "slice" }
func (Slice) Class() Class { return Exact }

func (o Slice) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType > Bool || !isAxis(int(o.Axis), in[0].Shape) || o.Start < 0 || o.Len < 0 ||
		int(o.Start)+int(o.Len) > in[0].At(int(o.Axis)) {
		return nil, bad(o, in, "an axis %d with at least Start + Len places, neither of them negative", o.Axis)
	}
	return result(in[0].DType, in[0].With(int(o.Axis), int(o.Len))), nil
}

// Law: y[.., k, ..] = x[.., Start + k, ..].
func (o Slice) Law(out, in []Tensor) {
	outer, n, inner := in[0].split(int(o.Axis))
	size := int(o.Len) * inner
	for i := range outer {
		copy(out[0].W[i*size:(i+1)*size], in[0].W[(i*n+int(o.Start))*inner:])
	}
}

func (o Slice) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Slice) VJP(e Emitter, n Node, ct []Value) []Value {
	after := e.Type(n.In[0]).D[o.Axis] - o.Start - o.Len
	return e.Emit(Pad{o.Axis, o.Start, after}, ct[0])
}

// Pad puts +0 (0, false) before and after, along an axis. Any one-word element type.
//
//	x [.., n, ..] -> [.., Before + n + After, ..]
type Pad struct {
	Axis          int8
	Before, After int32
}

func (Pad) Name() string { return "pad" }
func (Pad) Class() Class { return Exact }

func (o Pad) Shape(in []Type) ([]Type, error) {
	if len(in) != 1 || in[0].DType > Bool || !isAxis(int(o.Axis), in[0].Shape) || o.Before < 0 || o.After < 0 ||
		int(o.Before)+in[0].At(int(o.Axis))+int(o.After) > 1<<31-1 {
		return nil, bad(o, in, "an axis %d, and Before and After of at least 0 whose sum with it stays below 2^31", o.Axis)
	}
	return result(in[0].DType, in[0].With(int(o.Axis), int(o.Before)+in[0].At(int(o.Axis))+int(o.After))), nil
}

// Law: y[.., k, ..] = x[.., k - Before, ..] where that is a place of x, else +0.
func (o Pad) Law(out, in []Tensor) {
	clear(out[0].W)
	outer, n, inner := in[0].split(int(o.Axis))
	total := out[0].At(int(o.Axis))
	for i := range outer {
		copy(out[0].W[(i*total+int(o.Before))*inner:], in[0].W[i*n*inner:(i+1)*n*inner])
	}
}

func (o Pad) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Pad) VJP(e Emitter, n Node, ct []Value) []Value {
	return e.Emit(Slice{o.Axis, o.Before, e.Type(n.In[0]).D[o.Axis]}, ct[0])
}
