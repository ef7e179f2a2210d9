package gpu

import "lockstep/op"

type matMulJVPArgs struct {
	da, db view
	p      matMulArgs
}

// Nil: more than 2^31 words.
var _ = kernel(func(o op.MatMulJVP, in, out []op.Type) *plan {
	return product("matmuljvp", matMulJVPTiles, op.MatMul(o), in, out, func(a matMulArgs, at places) argument {
		if len(at.in) == 5 {
			a.klen = at.in[4]
		}
		return bytesOf(matMulJVPArgs{at.in[2], at.in[3], a})
	})
})
