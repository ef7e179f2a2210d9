package op

// Uniform draws float32 between Lo and Hi: with u = (w >> 8) * 2^-24 for word i of the stream, Lo + (Hi - Lo) * u, each
// step rounded (Hi itself can occur through rounding).
//
//	key u32[2], t -> f32[To]
type Uniform struct {
	To     Shape
	Lo, Hi Bits
}

func (Uniform) Name() string { return "uniform" }
func (Uniform) Class() Class { return Exact }

func (o Uniform) Shape(in []Type) ([]Type, error) {
	if d := o.Hi.F() - o.Lo.F(); d-d != 0 {
		return nil, bad(o, in, "finite Lo and Hi with a finite difference")
	}
	return drawShape(o, in, F32, o.To)
}

// Law: y[i] = Lo + (Hi - Lo) * u(word i).
func (o Uniform) Law(out, in []Tensor) {
	s, lo := streamOf(in), o.Lo.F()
	width := o.Hi.F() - lo
	for i := range out[0].W {
		u := float32(s.word(i)>>8) * 0x1p-24
		out[0].SetF(i, lo+float32(width*u))
	}
}

func (Uniform) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (Uniform) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }

// RandInt draws integers below N: (u64(w) * N) >> 32 for word i of the stream.
//
//	key u32[2], t -> u32[To]
type RandInt struct {
	To Shape
	N  uint32
}

func (RandInt) Name() string { return "randint" }
func (RandInt) Class() Class { return Exact }

func (o RandInt) Shape(in []Type) ([]Type, error) {
	if o.N == 0 {
		return nil, bad(o, in, "N of at least 1")
	}
	return drawShape(o, in, U32, o.To)
}

// Law: y[i] = floor(word i * N / 2^32).
func (o RandInt) Law(out, in []Tensor) {
	s := streamOf(in)
	for i := range out[0].W {
		out[0].W[i] = uint32(uint64(s.word(i)) * uint64(o.N) >> 32)
	}
}

func (RandInt) JVP(e Emitter, n Node, t []Value) []Value  { return noDerivative(n.Out) }
func (RandInt) VJP(e Emitter, n Node, ct []Value) []Value { return noDerivative(n.In) }
