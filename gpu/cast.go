package gpu

import "lockstep/op"

type castArgs struct {
	out, x          view
	words, elements uint64
}

var _ = kernel(func(o op.Cast, in, out []op.Type) *plan {
	from := in[0].DType
	if from == op.Bool { // 0 or 1
		from = op.U32
	}
	return elementwise("cast_"+from.String()+"_"+o.To.String(), out[0], func(o, in []view) argument {
		return bytesOf(castArgs{o[0], in[0], uint64(out[0].Words()), uint64(out[0].Len())})
	})
})
