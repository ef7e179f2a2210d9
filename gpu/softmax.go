package gpu

import "lockstep/op"

type softmaxArgs struct {
	out, x  view
	rows, n uint32
}

type softmaxGradArgs struct {
	out, y, g view
	rows, n   uint32
}

// maxRow is the longest row that a warp sums by itself, see cuda/rows.cuh.
const maxRow = op.Chunk * op.Chunk

// byRows plans a kernel that has a warp for each row along the last axis of the first operand. Nil, so that the expansion runs: rows of more than maxRow,
// which are too much for a warp anyway, or more than 2^31 words.
func byRows(name string, in []op.Type, args func(out, in []view, rows, n uint32) argument) *plan {
	n := in[0].At(-1)
	if n > maxRow || !small(in) {
		return nil
	}
	rows := in[0].Len() / n
	return one(name, blocks(rows, 8), 256, func(out, in []view) argument { return args(out, in, uint32(rows), uint32(n)) })
}

var (
	_ = kernel(func(o op.Softmax, in, out []op.Type) *plan {
		return byRows("softmax", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(softmaxArgs{out[0], in[0], rows, n})
		})
	})
	_ = kernel(func(o op.SoftmaxGrad, in, out []op.Type) *plan {
		return byRows("softmaxgrad", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(softmaxGradArgs{out[0], in[0], in[1], rows, n})
		})
	})
)
