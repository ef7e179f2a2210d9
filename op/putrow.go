package op

// PutRow replaces consecutive rows; rows that would lie beyond the end are dropped. Batched evaluation collects its
// results with it. F32 or U32.
//
//	x [n, c], rows [b, c], at u32[] -> [n, c]
type PutRow struct{}

func (PutRow) Name() string { return "putrow" }
func (PutRow) Class() Class { return Exact }

func (o PutRow) Shape(in []Type) ([]Type, error) {
	if len(in) != 3 || in[0].DType > U32 || in[1].DType != in[0].DType || in[0].Rank != 2 || in[1].Rank != 2 ||
		in[0].At(1) != in[1].At(1) || !isScalar(in[2]) {
		return nil, bad(o, in, "x [n, c] and rows [b, c], both f32 or both u32, and at u32[]")
	}
	return result(in[0].DType, in[0].Shape), nil
}

// Law: y[i] = rows[i - at] for at <= i < at + b, else x[i].
func (PutRow) Law(out, in []Tensor) {
	copy(out[0].W, in[0].W)
	if at := in[2].W[0]; uint64(at) < uint64(in[0].At(0)) {
		copy(out[0].W[int(at)*in[0].At(1):], in[1].W)
	}
}

func (o PutRow) JVP(e Emitter, n Node, t []Value) []Value {
	return e.Emit(o, materialise(e, t[0], n.In[0]), materialise(e, t[1], n.In[1]), n.In[2])
}

func (o PutRow) VJP(e Emitter, n Node, ct []Value) []Value {
	b := int(e.Type(n.In[1]).D[0])
	// A place beyond the end is taken as the end, lest at + i wrap round to the first rows.
	end := one(e, Fill{U32, Bits(e.Type(n.In[0]).D[0]), S()})
	at := one(e, Select{}, one(e, Lt, n.In[2], end), n.In[2], end)
	index := one(e, IAdd{}, one(e, Broadcast{S(b)}, at), one(e, Iota{int32(b)}))
	return []Value{
		one(e, o, ct[0], FillLike(e, 0, n.In[1]), n.In[2]),
		one(e, Gather{}, ct[0], index), // rows that were dropped lie outside of g: gather gives them +0
		0,
	}
}
