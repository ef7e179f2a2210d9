//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of MatMulTail: the product of the columns before klen; those from there on are +0.

func init() {
	scratch(func(o op.MatMulTail, in []op.Type, cells int) int { return productWords(op.MatMul(o), in, cells) })
	for _, t := range matmulTiles {
		twin(t.family, func(o op.MatMulTail, in []op.Type) kernel {
			whole := newProduct(op.MatMul(o), in[0].Shape, in[1].Shape, t)
			return func(w *workspace, out, in []op.Tensor) {
				p := *whole
				p.N = clampLen(in[2], p.N)
				clearTail(out[0], p.N)
				p.run(w, p.K, out[0].F(), operandsAB{in[0].F(), nil}, operandsAB{in[1].F(), nil})
			}
		})
		jointTwin(t.family, func(o op.MatMulTail, in []op.Type) jointKernel {
			if o.TA || in[0].Rank != 2 || in[1].Rank != 2 {
				return nil
			}
			ascending := func(a, b []op.Tensor) bool { return a[2].W[0] <= b[2].W[0] }
			return joined(ascending, func(w *workspace, out, in [][]op.Tensor) {
				for i := range out {
					clearTail(out[i][0], clampLen(in[i][2], out[i][0].At(1)))
				}
				jointProduct(w, op.MatMul(o), out, in, t, true)
			})
		})
	}
}

// clearTail sets the columns from kept on to +0.
func clearTail(y op.Tensor, kept int) {
	for w, n := y.W, y.At(-1); len(w) > 0; w = w[n:] {
		clear(w[kept:n])
	}
}
