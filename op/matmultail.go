package op

// MatMulTail is MatMul with a ragged output axis: columns from klen on are +0, and an engine need not compute them. It is what the
// cotangent of an operand with a ragged contraction is made by.
//
//	a [.., m, k] (TA: [.., k, m]), b [.., k, n] (TB: [.., n, k]), klen u32[] -> [.., m, n]
type MatMulTail struct{ TA, TB bool }

func (MatMulTail) Name() string { return "matmultail" }
func (MatMulTail) Class() Class { return Ordered }

func (o MatMulTail) Shape(in []Type) ([]Type, error) {
	if len(in) == 3 && isScalar(in[2]) {
		if out, err := MatMul(o).Shape(in[:2]); err == nil {
			return out, nil
		}
	}
	return nil, bad(o, in, "a f32[.., m, k] and b f32[.., k, n] after the transposes, and klen u32[]")
}

func (o MatMulTail) Check(in []Tensor) error {
	d, _ := MatMul(o).Dims(in[0].Shape, in[1].Shape)
	return checkKlen(o, in, 2, d.N)
}

// Law is the law of the expansion: tail(matmul(a, b), klen) on the last axis.
func (o MatMulTail) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (o MatMulTail) Expand(e Emitter, in []Value) []Value {
	y := one(e, MatMul(o), in[0], in[1])
	return e.Emit(Tail{e.Type(y).Rank - 1}, y, in[2])
}

func (o MatMulTail) JVP(e Emitter, n Node, t []Value) []Value {
	a, b, klen := n.In[0], n.In[1], n.In[2]
	switch {
	case t[0] != 0 && t[1] != 0:
		y := one(e, MatMulJVP(o), a, b, t[0], t[1])
		return e.Emit(Tail{e.Type(y).Rank - 1}, y, klen)
	case t[0] != 0:
		return e.Emit(o, t[0], b, klen)
	case t[1] != 0:
		return e.Emit(o, a, t[1], klen)
	}
	return []Value{0}
}

// VJP is that of the product, of a cotangent whose columns from klen on are +0.
func (o MatMulTail) VJP(e Emitter, n Node, ct []Value) []Value {
	g := one(e, Tail{e.Type(ct[0]).Rank - 1}, ct[0], n.In[2])
	ga, gb := MatMul(o).cotangents(e, n.In[0], n.In[1], g, nil)
	return []Value{ga, gb, 0}
}
