package gpu

import "lockstep/op"

type matMulJVPArgs struct {
	p      matMulArgs
	da, db view
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.MatMulJVP, in, out []op.Type) *plan {
	return product("matmuljvp", matMulJVPTiles, op.MatMul(o), in, out, func(a matMulArgs, in []view) argument {
		if len(in) == 5 {
			a.klen = in[4]
		}
		return bytesOf(matMulJVPArgs{a, in[2], in[3]})
	})
})
