package gpu

import "lockstep/op"

var _ = kernel(func(o op.Transpose, in, out []op.Type) *plan {
	perm, from := o.Perm.Slice(), strides(in[0].Shape)
	return strided("transpose", in, out, func(d int) int { return from[perm[d]] })
})
