//go:build !purego

package cpu

import "lockstep/op"

func init() {
	for _, t := range matmulJVPTiles {
		twin(t.family, func(o op.MatMulJVP, in []op.Type) kernel {
			return newProduct(op.MatMul(o), in[0].Shape, in[1].Shape, t).kernelJVP()
		})
	}
}

func (p *product) kernelJVP() kernel {
	return func(w *workspace, out, in []op.Tensor) {
		p.run(w, p.terms(in[4:]), out[0].F(), operandsAB{in[0].F(), in[2].F()}, operandsAB{in[1].F(), in[3].F()})
	}
}

var matmulJVPHalf = []tileKernel{
	matmuljvp1x8tailAVX2, matmuljvp2x8tailAVX2, matmuljvp3x8tailAVX2, matmuljvp4x8tailAVX2, matmuljvp5x8tailAVX2, matmuljvp6x8tailAVX2,
	matmuljvp7x8tailAVX2, matmuljvp8x8tailAVX2, matmuljvp9x8tailAVX2, matmuljvp10x8tailAVX2, matmuljvp11x8tailAVX2, matmuljvp12x8tailAVX2,
}

var matmulJVPTiles = []*tileSet{
	{
		"avx2", 8,
		[]tileKernel{matmuljvp1x16AVX2, matmuljvp2x16AVX2, matmuljvp3x16AVX2, matmuljvp4x16AVX2, matmuljvp5x16AVX2, matmuljvp6x16AVX2},
		[]tileKernel{matmuljvp1x16tailAVX2, matmuljvp2x16tailAVX2, matmuljvp3x16tailAVX2, matmuljvp4x16tailAVX2, matmuljvp5x16tailAVX2, matmuljvp6x16tailAVX2},
		matmulJVPHalf,
		nil, 0, packRowsAVX2, packTransposedAVX2, fetchLinesAVX2, stripAddAVX2,
	},
	{
		"avx512", 16,
		[]tileKernel{
			matmuljvp1x32tailAVX512, matmuljvp2x32tailAVX512, matmuljvp3x32tailAVX512, matmuljvp4x32tailAVX512,
			matmuljvp5x32tailAVX512, matmuljvp6x32tailAVX512, matmuljvp7x32tailAVX512, matmuljvp8x32tailAVX512,
		},
		[]tileKernel{
			matmuljvp1x32tailAVX512, matmuljvp2x32tailAVX512, matmuljvp3x32tailAVX512, matmuljvp4x32tailAVX512,
			matmuljvp5x32tailAVX512, matmuljvp6x32tailAVX512, matmuljvp7x32tailAVX512, matmuljvp8x32tailAVX512,
		},
		[]tileKernel{
			matmuljvp1x16tailAVX512, matmuljvp2x16tailAVX512, matmuljvp3x16tailAVX512, matmuljvp4x16tailAVX512, matmuljvp5x16tailAVX512, matmuljvp6x16tailAVX512,
			matmuljvp7x16tailAVX512, matmuljvp8x16tailAVX512, matmuljvp9x16tailAVX512, matmuljvp10x16tailAVX512, matmuljvp11x16tailAVX512, matmuljvp12x16tailAVX512,
		},
		matmulJVPHalf, 512, packRowsAVX512, packTransposedAVX512, fetchLinesAVX512, stripAddAVX512,
	},
}
