package gpu

import "lockstep/op"

type concatArgs struct {
	out, x     view
	start      uint64
	words, row uint32
	to, unused uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.Concat, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	_, total, inner := around(out[0].Shape, o.Axis)
	p, at := &plan{}, uint32(0)
	for i, x := range in {
		start, n, words := at*inner, uint32(x.At(int(o.Axis))), x.Words()
		at += n
		p.launches = append(p.launches, launch{kernel: "concat", x: blocks(words, perBlock), z: 1, block: 256,
			args: func(p places) argument {
				return bytesOf(concatArgs{p.out[0], p.in[i], uint64(start), uint32(words), n * inner, total * inner, 0})
			}})
	}
	return p
})
