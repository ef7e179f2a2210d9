package op

// Gather copies rows of a table; an index outside of the table gives +0 (Check refuses it). F32 or U32.
//
//	table [n, ..], index u32[b] -> [b, ..]
type Gather struct{}

func (Gather) Name() string { return "gather" }
func (Gather) Class() Class { return Exact }

func (o Gather) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType > U32 || in[0].Rank < 1 || in[1].DType != U32 || in[1].Rank != 1 {
		return nil, bad(o, in, "a table [n, ..], f32 or u32, and an index u32[b]")
	}
	return result(in[0].DType, in[0].With(0, in[1].At(0))), nil
}

func (o Gather) Check(in []Tensor) error {
	return checkIndex(o, in, 1, in[0].At(0), "rows of the table")
}

// Law: y[i] = table[index[i]] if index[i] < n, else +0.
func (Gather) Law(out, in []Tensor) {
	_, n, row := in[0].split(0)
	for i, k := range in[1].W {
		y := out[0].W[i*row : (i+1)*row]
		if uint64(k) < uint64(n) {
			copy(y, in[0].W[int(k)*row:])
		} else {
			clear(y)
		}
	}
}

func (o Gather) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0], n.In[1]) }

func (o Gather) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{one(e, ScatterAdd{e.Type(n.In[0]).D[0]}, n.In[1], ct[0]), 0}
}

// ScatterAdd adds rows into a table of N rows that starts at zero: the VJP of Gather. Rows whose index is outside of the
// table are dropped.
//
//	index u32[b], rows f32[b, ..] -> f32[N, ..]
//
// Order: the input rows are cut into chunks of 1024. t_r[v] starts at +0 and adds the rows i of chunk r with
// index[i] = v, i ascending. The result is t_0, then + t_r for ascending r.
type ScatterAdd struct{ N int32 }

func (ScatterAdd) Name() string { return "scatteradd" }
func (ScatterAdd) Class() Class { return Ordered }

func (o ScatterAdd) Shape(in []Type) ([]Type, error) {
	if len(in) != 2 || in[0].DType != U32 || in[0].Rank != 1 || in[1].DType != F32 || in[1].Rank < 1 ||
		in[0].At(0) != in[1].At(0) || o.N < 0 {
		return nil, bad(o, in, "index u32[b], rows f32[b, ..] and N of at least 0")
	}
	return result(F32, in[1].With(0, int(o.N))), nil
}

func (o ScatterAdd) Check(in []Tensor) error {
	return checkIndex(o, in, 0, int(o.N), "rows of the result")
}

func (o ScatterAdd) Law(out, in []Tensor) {
	_, b, row := in[1].split(0)
	rows := in[1].F()
	sum := make([]float32, out[0].Len())
	for r := 0; r < b; r += Chunk {
		t := make([]float32, len(sum))
		for i := r; i < min(r+Chunk, b); i++ {
			if v := in[0].W[i]; uint64(v) < uint64(o.N) {
				for j := range row {
					t[int(v)*row+j] += rows[i*row+j]
				}
			}
		}
		for j := range sum {
			if r == 0 {
				sum[j] = t[j]
			} else {
				sum[j] += t[j]
			}
		}
	}
	for j, x := range sum {
		out[0].SetF(j, x)
	}
}

func (o ScatterAdd) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, n.In[0], t[1]) }

func (ScatterAdd) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{0, one(e, Gather{}, ct[0], n.In[0])}
}
