package gpu

import "lockstep/op"

// The kernels of MatMul, with a bound of the columns. Nil: more than 2^31 words.
var _ = kernel(func(o op.MatMulTail, in, out []op.Type) *plan {
	return product("matmul", matMulTiles, op.MatMul(o), in, out, func(a matMulArgs, at places) argument {
		a.nlen = at.in[2]
		return bytesOf(a)
	})
})
