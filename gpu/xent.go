package gpu

import "lockstep/op"

type xentArgs struct {
	out, x, label, g view
	rows, n          uint32
}

// crossEntropy plans xent and xentgrad. Nil, so that the expansion runs: rows of more than 1024, or more than 2^31 words.
func crossEntropy(name string, in []op.Type) *plan {
	rows, n := in[0].At(0), in[0].At(1)
	if n > op.Chunk || !small(in) {
		return nil
	}
	return one(name, blocks(rows, 8), 256, func(out, in []view) argument {
		a := xentArgs{out: out[0], x: in[0], label: in[1], rows: uint32(rows), n: uint32(n)}
		if len(in) == 3 {
			a.g = in[2]
		}
		return bytesOf(a)
	})
}

var (
	_ = kernel(func(o op.Xent, in, out []op.Type) *plan { return crossEntropy("xent", in) })
	_ = kernel(func(o op.XentGrad, in, out []op.Type) *plan { return crossEntropy("xentgrad", in) })
)
