//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("avx2", func(o op.MatMulJVP, _ []op.Type) kernel {
		return func(w *workspace, out, in []op.Tensor) {
			d, _ := op.MatMul(o).Dims(in[0].Shape, in[1].Shape)
			as, bs := [][]float32{in[0].F(), in[2].F()}, [][]float32{in[1].F(), in[3].F()}
			newProduct(d, in[4:]).run(w, out[0].F(), as, bs, &matmulJVPTiles)
		}
	})
}

var matmulJVPTiles = tileSet{
	1: {matmuljvp1x16AVX2, matmuljvp1x16tailAVX2, matmuljvp1x8tailAVX2},
	2: {matmuljvp2x16AVX2, matmuljvp2x16tailAVX2, matmuljvp2x8tailAVX2},
	3: {matmuljvp3x16AVX2, matmuljvp3x16tailAVX2, matmuljvp3x8tailAVX2},
	4: {matmuljvp4x16AVX2, matmuljvp4x16tailAVX2, matmuljvp4x8tailAVX2},
	5: {matmuljvp5x16AVX2, matmuljvp5x16tailAVX2, matmuljvp5x8tailAVX2},
	6: {matmuljvp6x16AVX2, matmuljvp6x16tailAVX2, matmuljvp6x8tailAVX2},
}
