package op

// AMax is the maximum along one axis, which becomes an axis of size 1: NaN if an element is NaN, else the largest, with
// -0 < +0, so it is free of order. Over nothing it is an error. Max over several axes is AMax of AMax.
//
//	x f32[.., n, ..] -> f32[.., 1, ..]
type AMax struct{ Axis int8 }

func (AMax) Name() string { return "amax" }
func (AMax) Class() Class { return Exact }

func (o AMax) Shape(in []Type) ([]Type, error) { return alongAxis(o, in, o.Axis, F32) }

func alongAxis(o Op, in []Type, axis int8, d DType) ([]Type, error) {
	if len(in) != 1 || in[0].DType != F32 || !isAxis(int(axis), in[0].Shape) || in[0].At(int(axis)) == 0 {
		return nil, bad(o, in, "an f32 operand with at least one element along axis %d", axis)
	}
	return result(d, in[0].With(int(axis), 1)), nil
}

// Law: y = x_0, then y = max(y, x_k) for each further element along the axis.
func (o AMax) Law(out, in []Tensor) {
	x := in[0].F()
	outer, n, inner := in[0].split(int(o.Axis))
	for i := range outer {
		for j := range inner {
			m := x[i*n*inner+j]
			for k := 1; k < n; k++ {
				m = Max32(m, x[(i*n+k)*inner+j])
			}
			out[0].SetF(i*inner+j, m)
		}
	}
}

// JVP picks the tangent of the first element whose bits are the maximum's.
func (o AMax) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(Pick(o), t[0], one(e, ArgMax(o), n.In[0]))
}

func (o AMax) VJP(e Emitter, n Node, ct []Value) []Value {
	return Pick(o).VJP(e, Node{In: []Value{n.In[0], one(e, ArgMax(o), n.In[0])}}, ct)[:1]
}

// ArgMax is the first index along one axis whose bits equal AMax's result: so +0 beats -0, and with a NaN it is the
// first NaN. Over nothing it is an error.
//
//	x f32[.., n, ..] -> u32[.., 1, ..]
type ArgMax struct{ Axis int8 }

func (ArgMax) Name() string { return "argmax" }
func (ArgMax) Class() Class { return Exact }

func (o ArgMax) Shape(in []Type) ([]Type, error) { return alongAxis(o, in, o.Axis, U32) }

// Law: the smallest k with the bits of x_k equal to those of the maximum.
func (o ArgMax) Law(out, in []Tensor) {
	m := []Tensor{New(Type{F32, Shared, out[0].Shape})}
	AMax(o).Law(m, in)
	outer, n, inner := in[0].split(int(o.Axis))
	for i := range outer {
		for j := range inner {
			k := 0
			for in[0].W[(i*n+k)*inner+j] != m[0].W[i*inner+j] {
				k++
			}
			out[0].W[i*inner+j] = uint32(k)
		}
	}
}

func (ArgMax) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (ArgMax) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
