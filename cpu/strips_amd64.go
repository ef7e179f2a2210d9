//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of elementwise ops. A strip is a loop over contiguous words, a vector at a time, with a masked rest.

type (
	strip1 = func(y, x *uint32, n int)
	strip2 = func(y, a, b *uint32, n int)
	strip3 = func(y, c, a, b *uint32, n int)
)

// stripSet is the strips of one family.
type stripSet struct {
	family    string
	unary     map[op.Unary]strip1
	binary    map[op.Binary]strip2
	compare   map[op.Compare]strip2
	selection strip3
}

var stripSets = []stripSet{
	{
		"avx2",
		map[op.Unary]strip1{op.Neg: stripNegAVX2, op.Relu: stripReluAVX2, op.Sqrt: stripSqrtAVX2},
		map[op.Binary]strip2{op.Add: stripAddAVX2, op.Sub: stripSubAVX2, op.Mul: stripMulAVX2, op.Div: stripDivAVX2, op.Max: stripMaxAVX2, op.Min: stripMinAVX2},
		map[op.Compare]strip2{op.Gt: stripGtAVX2, op.Ge: stripGeAVX2, op.Lt: stripLtAVX2, op.Le: stripLeAVX2, op.Eq: stripEqAVX2, op.Same: stripSameAVX2},
		stripSelectAVX2,
	},
	{
		"avx512",
		map[op.Unary]strip1{op.Neg: stripNegAVX512, op.Relu: stripReluAVX512, op.Sqrt: stripSqrtAVX512},
		map[op.Binary]strip2{op.Add: stripAddAVX512, op.Sub: stripSubAVX512, op.Mul: stripMulAVX512, op.Div: stripDivAVX512, op.Max: stripMaxAVX512, op.Min: stripMinAVX512},
		map[op.Compare]strip2{op.Gt: stripGtAVX512, op.Ge: stripGeAVX512, op.Lt: stripLtAVX512, op.Le: stripLeAVX512, op.Eq: stripEqAVX512, op.Same: stripSameAVX512},
		stripSelectAVX512,
	},
}

func init() {
	for _, s := range stripSets {
		twin(s.family, func(o op.Unary, _ []op.Type) kernel {
			if f := functionStrips[s.family][o]; f != nil {
				return kernel1(f)
			}
			return kernel1(s.unary[o])
		})
		twin(s.family, func(o op.Binary, _ []op.Type) kernel { return kernel2(s.binary[o]) })
		twin(s.family, func(o op.Compare, in []op.Type) kernel {
			if in[0].DType != op.F32 && o != op.Same {
				return nil
			}
			return kernel2(s.compare[o])
		})
		twin(s.family, func(op.Select, []op.Type) kernel {
			return func(_ *workspace, out, in []op.Tensor) {
				if n := len(out[0].W); n > 0 {
					s.selection(&out[0].W[0], &in[0].W[0], &in[1].W[0], &in[2].W[0], n)
				}
			}
		})
	}
}

// kernel1 is the kernel of a strip with one operand; nil if there is none.
func kernel1(strip strip1) kernel {
	if strip == nil {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &in[0].W[0], n)
		}
	}
}

// kernel2 is the kernel of a strip with two operands; nil if there is none.
func kernel2(strip strip2) kernel {
	if strip == nil {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &in[0].W[0], &in[1].W[0], n)
		}
	}
}
