package gpu

import (
	"math/bits"

	"lockstep/op"
)

type batchArgs struct {
	out, key, step     view
	n, b, half, unused uint32
}

var _ = kernel(func(o op.Batch, in, out []op.Type) *plan {
	half := max(1, (bits.Len32(uint32(o.N)-1)+1)/2)
	return one("batch", blocks(int(o.B), 256), 256, func(out, in []view) argument {
		return bytesOf(batchArgs{out[0], in[0], in[1], uint32(o.N), uint32(o.B), uint32(half), 0})
	})
})
