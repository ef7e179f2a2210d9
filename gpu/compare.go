package gpu

import "lockstep/op"

type compareArgs struct {
	out, a, b view
	words     uint64
}

var _ = kernel(func(o op.Compare, in, out []op.Type) *plan {
	name := "compare_" + o.Name() + "_" + in[0].DType.String()
	if o == op.Same || o == op.Eq && in[0].DType != op.F32 {
		name = "compare_same" // the same bits
	}
	return elementwise(name, out[0], func(o, in []view) argument {
		return bytesOf(compareArgs{o[0], in[0], in[1], uint64(out[0].Words())})
	})
})
