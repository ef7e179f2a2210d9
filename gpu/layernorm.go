package gpu

import "lockstep/op"

type layerNormArgs struct {
	y, r, x view
	rows, n uint32
	eps     float32
	_       uint32
}

type layerNormGradArgs struct {
	out, y, r, g view
	rows, n      uint32
}

var (
	_ = kernel(func(o op.LayerNorm, in, out []op.Type) *plan {
		return byRows("layernorm", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(layerNormArgs{y: out[0], r: out[1], x: in[0], rows: rows, n: n, eps: o.Eps.F()})
		})
	})
	_ = kernel(func(o op.LayerNormGrad, in, out []op.Type) *plan {
		return byRows("layernormgrad", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(layerNormGradArgs{out[0], in[0], in[1], in[2], rows, n})
		})
	})
)
