package op

// Ternary draws a matrix with entries in {-1, 0, +1}, P(+1) = P(-1) = 1/4, in its 2-bit packing: code bit 0 says non-zero,
// bit 1 negative (a clear bit 0 is a zero whatever bit 1 says). The packing is the words of the stream themselves.
//
//	key u32[2], t -> t2[Rows, Cols]
//
// Row r begins at element r * 64 * ceil(Cols / 64) of the stream; element i has bits 2 (i mod 64) and 2 (i mod 64) + 1 of
// block i / 64. So fewer rows are a prefix of more. The subspace basis P [D, d] is drawn as its transpose, one row of
// Cols = D codes for each of its d columns. Codes beyond Cols in a row's last block are pads: any bits, never read.
type Ternary struct{ Rows, Cols int32 }

func (Ternary) Name() string { return "ternary" }
func (Ternary) Class() Class { return Exact }

func (o Ternary) Shape(in []Type) ([]Type, error) {
	if o.Rows < 0 || o.Cols < 0 {
		return nil, bad(o, in, "Rows and Cols of at least 0")
	}
	return drawShape(o, in, T2, S(int(o.Rows), int(o.Cols)))
}

// Law: word w of the packing is word w mod 4 of block w / 4.
func (o Ternary) Law(out, in []Tensor) {
	s := streamOf(in)
	for w := range out[0].W {
		out[0].W[w] = s.word(w)
	}
}

func (Ternary) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Ternary) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }

// PackTernary packs an I8 matrix with entries -1, 0 and +1; zeros get a clear sign bit and pads are 0, so that one matrix
// has one packing. ok is false for any other tensor.
func PackTernary(t Tensor) (packed Tensor, ok bool) {
	if t.DType != I8 || t.Rank != 2 {
		return t, false
	}
	packed = New(Type{T2, t.Domain, t.Shape})
	cols := t.At(1)
	for i := range t.Len() {
		w, s := i/cols*RowWords(cols)+i%cols/16, 2*(i%cols%16)
		switch t.Int8(i) {
		case 0:
		case 1:
			packed.W[w] |= 1 << s
		case -1:
			packed.W[w] |= 3 << s
		default:
			return t, false
		}
	}
	return packed, true
}

// UnpackTernary is the I8 matrix of a T2 one.
func UnpackTernary(t Tensor) Tensor {
	u := New(Type{I8, t.Domain, t.Shape})
	cols := t.At(1)
	for i := range t.Len() {
		u.SetInt8(i, [4]int8{0, 1, 0, -1}[t.Code(i/cols, i%cols)])
	}
	return u
}
