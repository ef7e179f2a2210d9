//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of activations with their tangents: what both need is computed once, in registers.

// strip2x2 is a strip with two operands and two results.
type strip2x2 = func(y, dy, x, dx *uint32, n int)

// dualStrips are the strips of activations with their tangents, by family. Those of tanh and of the sigmoid for AVX2 would be slower than strips one
// after the other, which have registers for two vectors abreast.
var dualStrips = map[string]map[op.Op]strip2x2{
	"avx2":   {op.Gelu{}: stripDualGeluAVX2},
	"avx512": {op.Tanh: stripDualTanhAVX512, op.Sigmoid{}: stripDualSigmoidAVX512, op.Gelu{}: stripDualGeluAVX512},
}

func init() {
	for family, strips := range dualStrips {
		dualMapTwin(family, strips, op.Tanh)
		dualMapTwin(family, strips, op.Sigmoid{})
		dualMapTwin(family, strips, op.Gelu{})
	}
}

// dualMapTwin registers the twin of an activation with its tangent, if the family has a strip for it.
func dualMapTwin[O op.Pointwise](family string, strips map[op.Op]strip2x2, of O) {
	if strips[of] == nil {
		return
	}
	twin(family, func(o op.DualMap[O], _ []op.Type) kernel { return kernel2x2(strips[o.Of], o.With) })
}

// kernel2x2 is the kernel of a strip, for an operand that has a tangent; nil if there is none.
func kernel2x2(strip strip2x2, with uint32) kernel {
	if strip == nil || with != 1 {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &out[1].W[0], &in[0].W[0], &in[1].W[0], n)
		}
	}
}
