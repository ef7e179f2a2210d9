//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of casts and of iadd.

// route is the pair of element types of a cast.
type route struct{ from, to op.DType }

func init() {
	for _, s := range []struct {
		family string
		casts  map[route]strip1
		iadd   strip2
	}{
		{
			"avx2",
			map[route]strip1{
				{op.Bool, op.F32}: stripI32ToF32AVX2, {op.I32, op.F32}: stripI32ToF32AVX2, {op.U32, op.F32}: stripU32ToF32AVX2,
				{op.F32, op.I32}: stripF32ToI32AVX2, {op.U32, op.I32}: stripU32ToI32AVX2,
				{op.F32, op.U32}: stripF32ToU32AVX2, {op.I32, op.U32}: stripI32ToU32AVX2,
			},
			stripIAddAVX2,
		},
		{
			"avx512",
			map[route]strip1{
				{op.Bool, op.F32}: stripI32ToF32AVX512, {op.I32, op.F32}: stripI32ToF32AVX512, {op.U32, op.F32}: stripU32ToF32AVX512,
				{op.F32, op.I32}: stripF32ToI32AVX512, {op.U32, op.I32}: stripU32ToI32AVX512,
				{op.F32, op.U32}: stripF32ToU32AVX512, {op.I32, op.U32}: stripI32ToU32AVX512,
			},
			stripIAddAVX512,
		},
	} {
		twin(s.family, func(o op.Cast, in []op.Type) kernel { return kernel1(s.casts[route{in[0].DType, o.To}]) })
		twin(s.family, func(op.IAdd, []op.Type) kernel { return kernel2(s.iadd) })
	}
}
