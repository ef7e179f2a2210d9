package gpu

import "lockstep/op"

type xentArgs struct {
	out, x, label, g view
	rows, n          uint32
}

var (
	_ = kernel(func(o op.Xent, in, out []op.Type) *plan {
		return byRows("xent", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(xentArgs{out: out[0], x: in[0], label: in[1], rows: rows, n: n})
		})
	})
	_ = kernel(func(o op.XentGrad, in, out []op.Type) *plan {
		return byRows("xentgrad", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(xentArgs{out[0], in[0], in[1], in[2], rows, n})
		})
	})
)
