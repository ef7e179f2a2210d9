//go:build !purego

package cpu

import (
	"math"
	"math/bits"

	"lockstep/op"
)

// The twins of random draws. A family makes whole groups of words of a stream, where they are to stand in the result, and turns
// them into draws in place; the last words of a result come from a group in scratch memory.

const (
	drawGroup = 64   // words: 16 blocks, so that every vector is whole
	drawChunk = 1024 // words that are made before they are turned into draws: they stay in the L1 cache
)

// stream is a bound draw.
type stream struct {
	keys *[20]uint32 // two for each of Philox's ten rounds
	t    uint64      // the step or epoch
}

// streamOf reads the operands (key u32[2], t u32[] or u32[2]) of a draw.
func streamOf(ws *workspace, in []op.Tensor) stream {
	key, t := in[0].W, in[1].W
	s := stream{(*[20]uint32)(ws.Words(20)), uint64(t[0])}
	for r := range uint32(10) {
		s.keys[2*r], s.keys[2*r+1] = key[0]+r*0x9E3779B9, key[1]+r*0xBB67AE85
	}
	if len(t) == 2 {
		s.t |= uint64(t[1]) << 32
	}
	return s
}

// drawSet is how a family draws. Words come in multiples of drawGroup, above 0, where nothing else is said.
type drawSet struct {
	family  string
	words   func(w []uint32, s stream, block uint64)    // the blocks from block on
	uniform func(w []uint32, lo, width float32)         // words become lo + width * u
	integer func(w []uint32, n uint32)                  // words become integers below n
	normal  func(w []uint32)                            // pairs of words become pairs of normal values
	signs   func(y []uint32, w []uint32)                // bits become +1 and -1, y [len(w), 32]
	feistel func(x []uint32, half int, keys *[8]uint32) // see batch.go; any length, in memory for whole groups
}

func init() {
	scratch(func(op.Uniform, []op.Type, int) int { return 2 * drawGroup })
	scratch(func(op.RandInt, []op.Type, int) int { return 2 * drawGroup })
	scratch(func(op.Ternary, []op.Type, int) int { return 2 * drawGroup })
	scratch(func(op.Normal, []op.Type, int) int { return 2 * drawGroup })
	scratch(func(op.Rademacher, []op.Type, int) int { return 3 * drawGroup })
}

// register registers the family's twins.
func (d *drawSet) register() {
	drawSets = append(drawSets, d)
	twin(d.family, func(o op.Uniform, _ []op.Type) kernel {
		lo := o.Lo.F()
		width := o.Hi.F() - lo
		return d.perWord(func(w []uint32) { d.uniform(w, lo, width) })
	})
	twin(d.family, func(o op.RandInt, _ []op.Type) kernel {
		return d.perWord(func(w []uint32) { d.integer(w, o.N) })
	})
	twin(d.family, func(op.Ternary, []op.Type) kernel {
		return d.perWord(func([]uint32) {}) // the packing is the words themselves
	})
	twin(d.family, func(op.Rademacher, []op.Type) kernel { return d.perBit })
	twin(d.family, func(o op.Batch, _ []op.Type) kernel { return d.batch(o) })
	twin(d.family, func(op.Normal, []op.Type) kernel { return d.perWord(d.normal) })
}

// perWord is the kernel of draws that take a word for each element; convert turns words into elements.
func (d *drawSet) perWord(convert func(w []uint32)) kernel {
	return func(ws *workspace, out, in []op.Tensor) {
		s := streamOf(ws, in)
		y := out[0].W
		for block := uint64(0); len(y) > 0; {
			w := y[:min(len(y)/drawGroup*drawGroup, drawChunk)]
			if len(w) == 0 {
				w = ws.Words(drawGroup)
			}
			d.words(w, s, block)
			convert(w)
			if len(y) < drawGroup {
				copy(y, w)
				return
			}
			y, block = y[len(w):], block+uint64(len(w)/4)
		}
	}
}

// perBit is the kernel of Rademacher: element i has bit i mod 32 of word i / 32.
func (d *drawSet) perBit(ws *workspace, out, in []op.Tensor) {
	s := streamOf(ws, in)
	w, last := ws.Words(drawGroup), ws.Words(32)
	y := out[0].W
	for block := uint64(0); len(y) > 0; block += drawGroup / 4 {
		d.words(w, s, block)
		n := min(len(y)/32, drawGroup)
		d.signs(y[:32*n], w[:n])
		y = y[32*n:]
		if n < drawGroup {
			d.signs(last, w[n:n+1])
			copy(y, last)
			return
		}
	}
}

// drawSets are the families that draw; each is registered where it is made.
var drawSets []*drawSet

func init() {
	(&drawSet{"go", philoxWords, uniformWords, integerWords, normalWords, signsOf, feistelWords}).register()
}

// philoxWords is op.Philox, block by block.
func philoxWords(w []uint32, s stream, block uint64) {
	for ; len(w) >= 4; w, block = w[4:], block+1 {
		c0, c1, c2, c3 := uint32(block), uint32(block>>32), uint32(s.t), uint32(s.t>>32)
		for r := 0; r < len(s.keys); r += 2 {
			h0, l0 := bits.Mul32(c0, 0xD2511F53)
			h1, l1 := bits.Mul32(c2, 0xCD9E8D57)
			c0, c1, c2, c3 = h1^c1^s.keys[r], l1, h0^c3^s.keys[r+1], l0
		}
		w[0], w[1], w[2], w[3] = c0, c1, c2, c3
	}
}

func uniformWords(w []uint32, lo, width float32) {
	for i, v := range w {
		u := float32(v>>8) * 0x1p-24
		w[i] = math.Float32bits(lo + float32(width*u))
	}
}

func integerWords(w []uint32, n uint32) {
	for i, v := range w {
		w[i], _ = bits.Mul32(v, n)
	}
}

// normalWords is the law with a block, a logarithm and a root for each pair.
func normalWords(w []uint32) {
	for i := 0; i < len(w); i += 2 {
		u, v := float32(w[i]>>8+1)*0x1p-24, float32(w[i+1]>>8)*0x1p-24
		r := op.Sqrt32(-2 * op.Log32(u))
		w[i], w[i+1] = math.Float32bits(r*op.CosPi32(2*v)), math.Float32bits(r*op.SinPi32(2*v))
	}
}

func signsOf(y []uint32, w []uint32) {
	const one = 0x3f800000 // the bits of 1
	for i, v := range w {
		for j := range y[32*i : 32*i+32] {
			y[32*i+j] = one | v>>j<<31
		}
	}
}
