//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of the functions of one operand, the composed ones computed in registers from end to end.

func init() {
	for family, strips := range functionStrips {
		twin(family, func(o op.Sigmoid, _ []op.Type) kernel { return kernel1(strips[o]) })
		twin(family, func(o op.Rsqrt, _ []op.Type) kernel { return kernel1(strips[o]) })
		twin(family, func(o op.Gelu, _ []op.Type) kernel { return kernel1(strips[o]) })
	}
}

// functionStrips are the strips of functions, by family; those of other ops of one operand are in stripSets.
var functionStrips = map[string]map[op.Op]strip1{
	"avx2": {
		op.Exp: stripExpAVX2, op.Log: stripLogAVX2, op.Tanh: stripTanhAVX2, op.SinPi: stripSinPiAVX2, op.CosPi: stripCosPiAVX2,
		op.Sigmoid{}: stripSigmoidAVX2, op.Rsqrt{}: stripRsqrtAVX2, op.Gelu{}: stripGeluAVX2,
	},
	"avx512": {
		op.Exp: stripExpAVX512, op.Log: stripLogAVX512, op.Tanh: stripTanhAVX512, op.SinPi: stripSinPiAVX512, op.CosPi: stripCosPiAVX512,
		op.Sigmoid{}: stripSigmoidAVX512, op.Rsqrt{}: stripRsqrtAVX512, op.Gelu{}: stripGeluAVX512,
	},
}
