package gpu

import "lockstep/op"

type softmaxArgs struct {
	out, x  view
	rows, n uint32
}

// Nil: rows of more than 1024, which are several segments of a Sum, or more than 2^31 words; then the expansion runs.
var _ = kernel(func(o op.Softmax, in, out []op.Type) *plan {
	n := in[0].At(-1)
	if n > op.Chunk || !small(in) {
		return nil
	}
	rows := in[0].Len() / n
	return one("softmax", blocks(rows, 8), 256, func(out, in []view) argument {
		return bytesOf(softmaxArgs{out[0], in[0], uint32(rows), uint32(n)})
	})
})
