package gpu

import "lockstep/op"

type selectArgs struct {
	out, c, a, b view
	words        uint64
}

var _ = kernel(func(o op.Select, in, out []op.Type) *plan {
	return elementwise("select_words", out[0], func(o, in []view) argument {
		return bytesOf(selectArgs{o[0], in[0], in[1], in[2], uint64(out[0].Words())})
	})
})
