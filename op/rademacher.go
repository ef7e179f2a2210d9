package op

// Rademacher draws +1 (a clear bit) and -1 (a set bit): element i has bit i mod 128 of block i / 128, the bits of a block
// counted from the least significant one of word 0.
//
//	key u32[2], t -> f32[To]
type Rademacher struct{ To Shape }

func (Rademacher) Name() string { return "rademacher" }
func (Rademacher) Class() Class { return Exact }

func (o Rademacher) Shape(in []Type) ([]Type, error) { return drawShape(o, in, F32, o.To) }

// Law: y[i] = 1 - 2 * bit i.
func (o Rademacher) Law(out, in []Tensor) {
	s := streamOf(in)
	for i := range out[0].W {
		b := Philox(s.key, s.t, uint64(i/128))
		out[0].SetF(i, 1-2*float32(b[i%128/32]>>(i%32)&1))
	}
}

func (Rademacher) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Rademacher) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
