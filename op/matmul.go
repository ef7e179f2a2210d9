package op

// Chunk is the number of terms that MatMul and scatter-add chain before they start a new partial result, and the length of a Sum's segment.
const Chunk = 1024

// MatMul is the matrix product C = A B of the last two axes, with optional transposes, over optional batch axes.
//
//	a [.., m, k] (TA: [.., k, m]), b [.., k, n] (TB: [.., n, k]) (, klen: u32 []) -> [.., m, n]
//
// The batch axes of a and b are equal, or one of the two has none and is used for every batch entry. A third operand
// klen in [0, k] ends every chain early: the terms k >= klen, the pads, are never executed.
//
// Order: chunk r holds k in [1024 r, min(1024 r + 1024, klen)). In a chunk acc = +0, then acc = fma(a[i,k], b[k,j], acc)
// for ascending k. C is the acc of chunk 0 (and not +0 plus it: an underflow can make it -0), then C = C + acc for each
// further chunk. klen = 0 gives +0.
type MatMul struct{ TA, TB bool }

func (MatMul) Name() string { return "matmul" }
func (MatMul) Class() Class { return Ordered }

// MatDims are the sizes and word strides of one matrix product, for laws and their twins.
type MatDims struct {
	Batch, M, K, N int
	ABatch, AM, AK int // strides of a: batch entry (0 when a has no batch axes), row i, term k
	BBatch, BK, BN int // strides of b
}

// Dims derives sizes and strides for operands of shapes a and b; ok is false when they do not fit.
func (o MatMul) Dims(a, b Shape) (d MatDims, ok bool) {
	if a.Rank < 2 || b.Rank < 2 || a.Rank > 2 && b.Rank > 2 && a.Rank != b.Rank {
		return d, false
	}
	d.M, d.K, d.AM, d.AK = a.At(-2), a.At(-1), a.At(-1), 1
	if o.TA {
		d.M, d.K, d.AM, d.AK = d.K, d.M, d.AK, d.AM
	}
	k := b.At(-2)
	d.N, d.BK, d.BN = b.At(-1), b.At(-1), 1
	if o.TB {
		k, d.N, d.BK, d.BN = d.N, k, d.BN, d.BK
	}
	d.Batch, ok = 1, k == d.K
	batch := a
	if b.Rank > 2 {
		batch = b
	}
	for i := range int(batch.Rank) - 2 {
		d.Batch *= batch.At(i)
		ok = ok && (a.Rank == 2 || b.Rank == 2 || a.D[i] == b.D[i])
	}
	if a.Rank > 2 {
		d.ABatch = d.M * d.K
	}
	if b.Rank > 2 {
		d.BBatch = d.K * d.N
	}
	return d, ok
}

func (o MatMul) out(a, b Shape, d MatDims) Shape {
	if b.Rank > a.Rank {
		a = b
	}
	return a.With(-2, d.M).With(-1, d.N)
}

func (o MatMul) Shape(in []Type) ([]Type, error) {
	if len(in) < 2 || len(in) > 3 || in[0].DType != F32 || in[1].DType != F32 || len(in) == 3 && !isScalar(in[2]) {
		return nil, bad(o, in, "a f32[.., m, k], b f32[.., k, n] and optionally klen u32[]")
	}
	d, ok := o.Dims(in[0].Shape, in[1].Shape)
	if !ok {
		return nil, bad(o, in, "a [.., m, k] and b [.., k, n] after the transposes, with equal k and equal or no batch axes")
	}
	return result(F32, o.out(in[0].Shape, in[1].Shape, d)), nil
}

// klen is the number of terms to execute: the operand at i, if there is one, but never more than k.
func klen(in []Tensor, i, k int) int {
	if len(in) > i {
		return int(min(uint64(k), uint64(in[i].W[0])))
	}
	return k
}

func (o MatMul) Check(in []Tensor) error {
	d, _ := o.Dims(in[0].Shape, in[1].Shape)
	return checkKlen(o, in, 2, d.K)
}

func (o MatMul) Law(out, in []Tensor) {
	d, _ := o.Dims(in[0].Shape, in[1].Shape)
	a, b, kn := in[0].F(), in[1].F(), klen(in, 2, d.K)
	for e := range d.Batch {
		for i := range d.M {
			for j := range d.N {
				var c float32
				for r := 0; r == 0 || r < kn; r += Chunk {
					var acc float32
					for k := r; k < min(r+Chunk, kn); k++ {
						acc = FMA32(a[e*d.ABatch+i*d.AM+k*d.AK], b[e*d.BBatch+k*d.BK+j*d.BN], acc)
					}
					if r == 0 {
						c = acc
					} else {
						c += acc
					}
				}
				out[0].SetF((e*d.M+i)*d.N+j, c)
			}
		}
	}
}

func (o MatMul) JVP(e Emitter, n Node, t []Value) []Value {
	a, b, rest := n.In[0], n.In[1], n.In[2:]
	switch {
	case t[0] != 0 && t[1] != 0:
		return e.Emit(MatMulJVP(o), append([]Value{a, b, t[0], t[1]}, rest...)...)
	case t[0] != 0:
		return e.Emit(o, append([]Value{t[0], b}, rest...)...)
	case t[1] != 0:
		return e.Emit(o, append([]Value{a, t[1]}, rest...)...)
	}
	return []Value{0}
}

func (o MatMul) VJP(e Emitter, n Node, ct []Value) []Value {
	ga, gb := o.cotangents(e, n.In[0], n.In[1], ct[0], n.In[2:])
	return append([]Value{ga, gb}, make([]Value, len(n.In)-2)...)
}

// cotangents of a and b for the result's cotangent g. A ragged k has become an output axis there: rows or columns.
func (o MatMul) cotangents(e Emitter, a, b, g Value, klen []Value) (ga, gb Value) {
	if o.TA {
		ga = o.adjoint(e, MatMul{o.TB, true}, b, g, e.Type(a).Shape, klen, 2)
	} else {
		ga = o.adjoint(e, MatMul{false, !o.TB}, g, b, e.Type(a).Shape, klen, 1)
	}
	if o.TB {
		gb = o.adjoint(e, MatMul{true, o.TA}, g, a, e.Type(b).Shape, klen, 1)
	} else {
		gb = o.adjoint(e, MatMul{!o.TA, false}, a, g, e.Type(b).Shape, klen, 2)
	}
	return ga, gb
}

// adjoint emits p(x, y), the cotangent of an operand of shape s. Where that operand was used for every batch entry, the
// products are summed over the batch axes. With a klen, axis -ragged of the cotangent has a tail of +0; MatMulTail makes it if that is
// the last one and nothing is summed.
func (MatMul) adjoint(e Emitter, p MatMul, x, y Value, s Shape, klen []Value, ragged int8) Value {
	if len(klen) > 0 && ragged == 1 && max(e.Type(x).Rank, e.Type(y).Rank) == s.Rank {
		return one(e, MatMulTail(p), x, y, klen[0])
	}
	g := one(e, p, x, y)
	if t := e.Type(g).Shape; t.Rank > s.Rank {
		var axes []int
		for i := range int(t.Rank) - 2 {
			if t.At(i) != 1 { // as for Broadcast: an axis of size 1 is a view, not a Sum
				axes = append(axes, i)
			}
		}
		if len(axes) > 0 {
			g = one(e, Sum{List(axes...)}, g)
		}
		g = one(e, Reshape{s}, g)
	}
	if len(klen) > 0 {
		g = one(e, Tail{s.Rank - ragged}, g, klen[0])
	}
	return g
}
