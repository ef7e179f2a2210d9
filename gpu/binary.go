package gpu

import "lockstep/op"

type binaryArgs struct {
	out, a, b view
	words     uint64
}

func binaryPlan(name string, out op.Type) *plan {
	return elementwise("binary_"+name, out, func(o, in []view) argument {
		return bytesOf(binaryArgs{o[0], in[0], in[1], uint64(out.Words())})
	})
}

var (
	_ = kernel(func(o op.Binary, in, out []op.Type) *plan { return binaryPlan(o.Name(), out[0]) })
	_ = kernel(func(o op.IAdd, in, out []op.Type) *plan { return binaryPlan("iadd", out[0]) })
)
