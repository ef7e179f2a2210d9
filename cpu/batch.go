//go:build !purego

package cpu

import (
	"math/bits"

	"lockstep/op"
)

func init() {
	scratch(func(op.Batch, []op.Type, int) int { return 2*drawChunk + 8 })
}

// batch is the kernel of Batch: runs of positions of one epoch, at most drawChunk at a time.
func (d *drawSet) batch(o op.Batch) kernel {
	n := uint64(o.N)
	return func(ws *workspace, out, in []op.Tensor) {
		key := [2]uint32(in[0].W)
		x, at, keys := ws.Words(drawChunk), ws.Words(drawChunk), (*[8]uint32)(ws.Words(8))
		y := out[0].W
		for p := uint64(in[1].W[0]) * uint64(o.B); len(y) > 0; { // below 2^63
			epoch, first := p/n, p%n
			run := min(uint64(len(y)), n-first, drawChunk)
			a, b := op.Philox(key, epoch, 0), op.Philox(key, epoch, 1)
			*keys = [8]uint32{a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]}
			d.order(y[:run], uint32(first), uint32(n), keys, x, at)
			y, p = y[run:], p+run
		}
	}
}

// order sets y to the examples at the positions from first on. All positions take a turn of the cycle walk, then those that are
// not below n yet take the next one, and so on: x holds where they are, at which element of y they will be.
func (d *drawSet) order(y []uint32, first, n uint32, keys *[8]uint32, x, at []uint32) {
	half := max(1, (bits.Len32(n-1)+1)/2)
	for i := range y {
		x[i], at[i] = first+uint32(i), uint32(i)
	}
	for m := len(y); m > 0; {
		d.feistel(x[:m], half, keys)
		outside := 0
		for i, v := range x[:m] {
			y[at[i]] = v
			x[outside], at[outside] = v, at[i]
			outside += int((uint64(n) - 1 - uint64(v)) >> 63) // 1 where v >= n
		}
		m = outside
	}
}

// feistelWords takes each word of x, of two halves of so many bits, through the eight rounds of op.Permute.
func feistelWords(x []uint32, half int, keys *[8]uint32) {
	mask := uint32(1)<<half - 1
	for i, v := range x {
		l, r := v>>half, v&mask
		for _, k := range keys {
			f := r ^ k
			f = (f ^ f>>16) * 0x85ebca6b
			f = (f ^ f>>13) * 0xc2b2ae35
			l, r = r, l^(f^f>>16)&mask
		}
		x[i] = l<<half | r
	}
}
