// Package exhaustive holds the elementwise functions of one 32-bit operand against their laws over all 2^32 inputs.
//
// The inputs are cut into 4096 blocks of 2^20: block b holds the bits b<<20 to b<<20 + 2^20 - 1, ascending; as operands of type
// f32 they are canonicalised when they are bound. A block's digest is the SHA-256 of the results' words, little endian; a
// function's is the SHA-256 of the digests of its blocks. digests.txt has the functions' digests as the laws made them, and
// blocks.gz the first four bytes of every block's, so that an engine on any machine is checked without running a law again, and
// an error is found by running it over one block.
package exhaustive

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"lockstep/op"
)

const (
	Blocks   = 1 << 12 // of a function
	BlockLen = 1 << 20 // inputs of a block
)

// Function is an elementwise op on operands of type In, one of f32, u32 and i32, which varies over all bit patterns.
type Function struct {
	Op      op.Op
	In, Out op.DType
}

// String is the function's name: that of its op, with the types where they are attributes, such as cast_f32_i8.
func (f Function) String() string {
	if _, ok := f.Op.(op.Cast); ok {
		return fmt.Sprintf("cast_%s_%s", f.In, f.Out)
	}
	return f.Op.Name()
}

// Functions lists all, those of one operand type together.
func Functions() (all []Function) {
	for _, o := range op.All {
		switch o := o.(type) {
		case op.Unary, op.Sigmoid, op.Rsqrt, op.Gelu:
			all = append(all, Function{o, op.F32, op.F32})
		}
	}
	for _, from := range []op.DType{op.F32, op.U32, op.I32} {
		for _, to := range []op.DType{op.F32, op.U32, op.I32, op.I8} {
			if from != to {
				all = append(all, Function{op.Cast{To: to}, from, to})
			}
		}
	}
	return all
}

// in and out are the types for n inputs.
func (f Function) in(n int) op.Type  { return op.T(f.In, op.Cell, n) }
func (f Function) out(n int) op.Type { return op.T(f.Out, op.Cell, n) }

// part is how many inputs a law takes at once: its intermediate values stay in the cache.
const part = 1 << 12

// Law runs the law over a block: the results' words.
func (f Function) Law(block int) []uint32 {
	out := op.New(f.out(BlockLen)).W
	x := op.New(f.in(part))
	for at := 0; at < BlockLen; at += part {
		inputs(x.W, block*BlockLen+at)
		if f.In == op.F32 {
			op.Canonical(x.W)
		}
		y := op.Tensor{Type: f.out(part)}
		words := y.Words()
		y.W = out[at/part*words:][:words]
		f.Op.Law([]op.Tensor{y}, []op.Tensor{x})
	}
	return out
}

// inputs are ascending bit patterns.
func inputs(w []uint32, first int) {
	for i := range w {
		w[i] = uint32(first + i)
	}
}

// sumOf is the digest of the blocks' digests.
func sumOf(blocks [][sha256.Size]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, b := range blocks {
		h.Write(b[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// edges are the blocks at whose ends float32 changes its nature, but for the sign: zero and the smallest subnormals, the
// largest subnormals, the smallest normal numbers, below and from 1, the largest numbers, infinity and NaNs, the last NaNs.
var edges = []int{0x000, 0x007, 0x008, 0x3f7, 0x3f8, 0x7f7, 0x7f8, 0x7ff}

// Sample is n blocks, one from each n-th of all, and those with zeros, ones, the ends of the subnormal and the finite numbers,
// and NaNs. It is nil for n >= Blocks, which Options take for all.
func Sample(n int) (blocks []int) {
	if n >= Blocks {
		return nil
	}
	for i := range n {
		blocks = append(blocks, i*Blocks/n+i%(Blocks/n)) // a fixed step would meet one eighth of each power of two only
	}
	for _, b := range edges {
		blocks = append(blocks, b, b|Blocks/2)
	}
	slices.Sort(blocks)
	return slices.Compact(blocks)
}
