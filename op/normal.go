package op

// Normal draws standard normal float32 by the method of Box and Muller (1958). Elements 2p and 2p+1 use words 0 and 1 of
// block p / 2 for even p, words 2 and 3 for odd p, called w0 and w1; where the count is odd, the last partner is dropped.
// The tails end at 5.77.
//
//	u = ((w0 >> 8) + 1) * 2^-24, v = (w1 >> 8) * 2^-24, r = sqrt(-2 * log(u))
//	y[2p] = r * cospi(2 v), y[2p+1] = r * sinpi(2 v)
//
//	key u32[2], t -> f32[To]
type Normal struct{ To Shape }

func (Normal) Name() string { return "normal" }
func (Normal) Class() Class { return Exact }

func (o Normal) Shape(in []Type) ([]Type, error) { return drawShape(o, in, F32, o.To) }

func (o Normal) Law(out, in []Tensor) {
	s := streamOf(in)
	for i := range out[0].W {
		p := i / 2
		b := Philox(s.key, s.t, uint64(p/2))
		w0, w1 := b[p%2*2], b[p%2*2+1]
		u, v := float32(w0>>8+1)*0x1p-24, float32(w1>>8)*0x1p-24
		r := Sqrt32(-2 * Log32(u))
		if i%2 == 0 {
			out[0].SetF(i, r*CosPi32(2*v))
		} else {
			out[0].SetF(i, r*SinPi32(2*v))
		}
	}
}

func (Normal) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Normal) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
