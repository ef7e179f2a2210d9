package gpu

import (
	"math"

	"lockstep/op"
)

type pickArgs struct {
	out, x, index           view
	words, n, inner, unused uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.Pick, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	_, n, inner := around(in[0].Shape, o.Axis)
	return elementwise("pick", out[0], func(o, in []view) argument {
		return bytesOf(pickArgs{o[0], in[0], in[1], uint32(out[0].Words()), n, inner, 0})
	})
})

type oneHotArgs struct {
	out, index           view
	words, n, inner, one uint32
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.OneHot, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	yes := uint32(1)
	if o.To == op.F32 {
		yes = math.Float32bits(1)
	}
	_, n, inner := around(out[0].Shape, o.Axis)
	return elementwise("onehot", out[0], func(o, in []view) argument {
		return bytesOf(oneHotArgs{o[0], in[0], uint32(out[0].Words()), n, inner, yes})
	})
})
