package gpu

import "lockstep/op"

type dualSoftmaxArgs struct {
	y, dy, x, dx view
	rows, n      uint32
}

type dualSoftmaxGradArgs struct {
	out, dout, y, g, dy, dg view
	rows, n                 uint32
}

type dualXentGradArgs struct {
	out, dout, x, label, g, dx, dg view
	rows, n                        uint32
}

type dualLayerNormArgs struct {
	y, r, dy, dr, x, dx view
	rows, n             uint32
	eps                 float32
	_                   uint32
}

type dualLayerNormGradArgs struct {
	out, dout, y, r, g, dy, dr, dg view
	rows, n                        uint32
}

// The duals that go row by row. Where only some of the operands that may have a tangent have one, they are nil, so that the expansion runs; but for xentgrad
// with a tangent of the logits alone: the other is that of a loss which is not summed.
var (
	_ = kernel(func(o op.Dual[op.Softmax], in, out []op.Type) *plan {
		return byRows("dualsoftmax", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(dualSoftmaxArgs{out[0], out[1], in[0], in[1], rows, n})
		})
	})
	_ = kernel(func(o op.Dual[op.SoftmaxGrad], in, out []op.Type) *plan {
		if o.With != 1<<0|1<<1 {
			return nil
		}
		return byRows("dualsoftmaxgrad", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(dualSoftmaxGradArgs{out[0], out[1], in[0], in[1], in[2], in[3], rows, n})
		})
	})
	_ = kernel(func(o op.Dual[op.XentGrad], in, out []op.Type) *plan {
		if o.With&(1<<0) == 0 {
			return nil
		}
		return byRows("dualxentgrad", in, func(out, in []view, rows, n uint32) argument {
			a := dualXentGradArgs{out: out[0], dout: out[1], x: in[0], label: in[1], g: in[2], dx: in[3], rows: rows, n: n}
			if o.With&(1<<2) != 0 {
				a.dg = in[4]
			}
			return bytesOf(a)
		})
	})
	_ = kernel(func(o op.Dual[op.LayerNorm], in, out []op.Type) *plan {
		return byRows("duallayernorm", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(dualLayerNormArgs{y: out[0], r: out[1], dy: out[2], dr: out[3], x: in[0], dx: in[1], rows: rows, n: n, eps: o.Of.Eps.F()})
		})
	})
	_ = kernel(func(o op.Dual[op.LayerNormGrad], in, out []op.Type) *plan {
		if o.With != 1<<0|1<<1|1<<2 {
			return nil
		}
		return byRows("duallayernormgrad", in, func(out, in []view, rows, n uint32) argument {
			return bytesOf(dualLayerNormGradArgs{out[0], out[1], in[0], in[1], in[2], in[3], in[4], in[5], rows, n})
		})
	})
)
