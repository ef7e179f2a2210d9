package gpu

import "lockstep/op"

type unaryArgs struct {
	out, x view
	words  uint64
}

func unaryPlan(name string, out op.Type) *plan {
	return elementwise("unary_"+name, out, func(o, in []view) argument {
		return bytesOf(unaryArgs{o[0], in[0], uint64(out.Words())})
	})
}

var (
	_ = kernel(func(o op.Unary, in, out []op.Type) *plan { return unaryPlan(o.Name(), out[0]) })
	_ = kernel(func(o op.Sigmoid, in, out []op.Type) *plan { return unaryPlan("sigmoid", out[0]) })
	_ = kernel(func(o op.Rsqrt, in, out []op.Type) *plan { return unaryPlan("rsqrt", out[0]) })
	_ = kernel(func(o op.Gelu, in, out []op.Type) *plan { return unaryPlan("gelu", out[0]) })
)
