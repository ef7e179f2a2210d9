//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of a product together with its tangent. Both go down the same packed panel of B, while it is in the cache, with the tiles
// of MatMul and of MatMulJVP: each output is its own chain, as the laws have it, and rows of A, panels of B and their tangents are packed once.
// Of a single accumulator more a tile would have half the rows, and the multiply-adds, which bound both tiles, are as many either way.

func init() {
	scratch(func(o op.Dual[op.MatMul], in []op.Type, cells int) int { return 2 * productWords(o.Of, in[:2], cells) })
	for i, t := range matmulTiles {
		tangents := matmulJVPTiles[i]
		twin(t.family, func(o op.Dual[op.MatMul], in []op.Type) kernel {
			p := newProduct(o.Of, in[0].Shape, in[1].Shape, t)
			if o.With != 3 || p.M < fewRows {
				return nil
			}
			return p.kernelDual(tangents)
		})
	}
}

func (p *product) kernelDual(tangents *tileSet) kernel {
	return func(w *workspace, out, in []op.Tensor) {
		n := len(in) - 2
		a, b := operandsAB{in[0].F(), in[n].F()}, operandsAB{in[1].F(), in[n+1].F()}
		p.runDual(w, p.terms(in[2:n]), results{out[0].F(), out[1].F()}, results{}, a, b, tangents)
	}
}

// fewRows is the number of rows below which MatMul has kernels of its own for them.
const fewRows = 8

// runDual computes C = A B and its tangent dC over the first terms; of one chunk X + C and dX + dC, if there are X and dX.
func (p *product) runDual(w *workspace, terms int, c, x results, a, b operandsAB, tangents *tileSet) {
	if terms == 0 || p.M == 0 || p.N == 0 {
		clear(c[0])
		clear(c[1])
		return
	}
	p.cut(w, 3*p.Batch*p.M*p.N*terms, func(w *workspace, q portion) {
		q.run(w, terms, c.from(q.to), x.from(q.ofX), a.from(q.ofA), b, [2]*tileSet{p.tiles, tangents})
	})
}
