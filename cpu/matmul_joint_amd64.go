//go:build !purego

package cpu

import "lockstep/op"

// The joint kernel of MatMul: the rows of all cells of a block, against a matrix that they share, are one product, which reads the
// matrix once. Cells of different klen have chains of different lengths: those of equal klen, side by side, make a product each.

func init() {
	for _, t := range matmulTiles {
		jointTwin(t.family, func(o op.MatMul, in []op.Type) jointKernel {
			if o.TA || in[0].Rank != 2 || in[1].Rank != 2 {
				return nil
			}
			return func(w *workspace, out, in [][]op.Tensor) {
				for len(in) > 0 {
					n := 1
					for n < len(in) && sameLength(in[0], in[n]) {
						n++
					}
					jointProduct(w, o, out[:n], in[:n], t)
					out, in = out[n:], in[n:]
				}
			}
		})
	}
}

// sameLength tells whether two cells have one klen, or none.
func sameLength(a, b []op.Tensor) bool { return len(a) < 3 || a[2].W[0] == b[2].W[0] }

// jointProduct computes the products of cells with the same matrix and klen.
func jointProduct(w *workspace, o op.MatMul, out, in [][]op.Tensor, tiles *tileSet) {
	m, k, n := in[0][0].At(0), in[0][0].At(1), out[0][0].At(1)
	a, c := w.Words(len(in)*m*k), w.Words(len(in)*m*n)
	for i := range in {
		copy(a[i*m*k:], in[i][0].W)
	}
	p := newProduct(o, op.S(len(in)*m, k), in[0][1].Shape, tiles)
	p.run(w, p.terms(in[0][2:]), floats(c), operandsAB{floats(a), nil}, operandsAB{in[0][1].F(), nil})
	for i := range out {
		copy(out[i][0].W, c[i*m*n:])
	}
}
