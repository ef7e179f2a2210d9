package gpu

import "lockstep/op"

type gatherArgs struct {
	out, table, index     view
	words, row, n, unused uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.Gather, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	_, n, row := around(in[0].Shape, 0)
	return elementwise("gather", out[0], func(o, in []view) argument {
		return bytesOf(gatherArgs{o[0], in[0], in[1], uint32(out[0].Words()), row, n, 0})
	})
})

type scatterAddArgs struct {
	out, index, rows      view
	words, row, b, unused uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.ScatterAdd, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	_, b, row := around(in[1].Shape, 0)
	words := out[0].Words()
	return one("scatteradd", blocks(words, 256), 256, func(o, in []view) argument {
		return bytesOf(scatterAddArgs{o[0], in[0], in[1], uint32(words), row, b, 0})
	})
})
