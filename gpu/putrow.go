package gpu

import "lockstep/op"

type putRowArgs struct {
	out, x, rows, at view
	words            uint64
	b, c             uint32
}

var _ = kernel(func(o op.PutRow, in, out []op.Type) *plan {
	return elementwise("putrow", out[0], func(o, v []view) argument {
		return bytesOf(putRowArgs{o[0], v[0], v[1], v[2], uint64(out[0].Words()), uint32(in[1].At(0)), uint32(in[1].At(1))})
	})
})
