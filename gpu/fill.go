package gpu

import "lockstep/op"

type fillArgs struct {
	out         view
	words, bits uint32
}

var _ = kernel(func(o op.Fill, in, out []op.Type) *plan {
	n := out[0].Words()
	return one("fill", blocks(n, 256), 256, func(out, in []view) []byte {
		return bytesOf(fillArgs{out[0], uint32(n), uint32(o.Bits)})
	})
})
