package gpu

import "lockstep/op"

type dualMatMulArgs struct {
	dout, da, db view
	p            matMulArgs
}

// Nil, so that the expansion runs: a tangent of one operand alone, whose product is matmul's; more than 2^31 words.
var _ = kernel(func(o op.Dual[op.MatMul], in, out []op.Type) *plan {
	if o.With != 3 {
		return nil
	}
	return product("dualmatmul", dualMatMulTiles, o.Of, in, out, func(a matMulArgs, at places) argument {
		n := len(at.in) - 2 // operands before the tangents
		if n == 3 {
			a.klen = at.in[2]
		}
		return bytesOf(dualMatMulArgs{at.out[1], at.in[n], at.in[n+1], a})
	})
})
