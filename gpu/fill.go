package gpu

import "lockstep/op"

type fillArgs struct {
	out         view
	words, bits uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.Fill, in, out []op.Type) *plan {
	if !small(out) {
		return nil
	}
	return elementwise("fill", out[0], func(v, _ []view) argument {
		return bytesOf(fillArgs{v[0], uint32(out[0].Words()), uint32(o.Bits)})
	})
})

type iotaArgs struct {
	out   view
	words uint64
}

var _ = kernel(func(o op.Iota, in, out []op.Type) *plan {
	return elementwise("iota", out[0], func(v, _ []view) argument { return bytesOf(iotaArgs{v[0], uint64(out[0].Words())}) })
})
