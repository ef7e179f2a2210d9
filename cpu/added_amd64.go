//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of products with what is added to them: the tiles add it before they write a block of results.

func init() {
	for i, t := range matmulTiles {
		tangents := matmulJVPTiles[i]
		twin(t.family, func(o withAdded[op.MatMul], in []op.Type) kernel {
			of, added := o.split(in)
			p := sumProduct(o.Of, of, added, t)
			if p == nil {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				p.runPlus(w, p.K, out[0].F(), in[2].F(), operandsAB{in[0].F(), nil}, operandsAB{in[1].F(), nil})
			}
		})
		twin(t.family, func(o withAdded[op.MatMulJVP], in []op.Type) kernel {
			of, added := o.split(in)
			p := sumProduct(op.MatMul(o.Of), of, added, tangents)
			if p == nil {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				p.runPlus(w, p.K, out[0].F(), in[4].F(), operandsAB{in[0].F(), in[2].F()}, operandsAB{in[1].F(), in[3].F()})
			}
		})
		twin(t.family, func(o withAdded[op.Dual[op.MatMul]], in []op.Type) kernel {
			of, added := o.split(in)
			p := sumProduct(o.Of.Of, of, added, t)
			if p == nil || o.Of.With != 3 {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				a, b := operandsAB{in[0].F(), in[2].F()}, operandsAB{in[1].F(), in[3].F()}
				p.runDual(w, p.K, results{out[0].F(), out[1].F()}, results{in[4].F(), in[5].F()}, a, b, tangents)
			}
		})
	}
	scratch(func(o withAdded[op.MatMul], in []op.Type, cells int) int {
		of, _ := o.split(in)
		return productWords(o.Of, of, cells)
	})
	scratch(func(o withAdded[op.MatMulJVP], in []op.Type, cells int) int {
		of, _ := o.split(in)
		return 2 * productWords(op.MatMul(o.Of), of, cells)
	})
	scratch(func(o withAdded[op.Dual[op.MatMul]], in []op.Type, cells int) int {
		of, _ := o.split(in)
		return 2 * productWords(o.Of.Of, of, cells)
	})
}

// sumProduct is a single product of one chunk, of many rows, to which a row, or as many rows as it has, are added; nil of any other.
func sumProduct(o op.MatMul, of, added []op.Type, t *tileSet) *product {
	p := newProduct(o, of[0].Shape, of[1].Shape, t)
	if p.Batch != 1 || p.M < fewRows || p.N == 0 || p.K == 0 || p.K > op.Chunk {
		return nil
	}
	for i, x := range added {
		xm := p.N
		if x.Len() == p.N {
			xm = 0
		}
		if i > 0 && xm != p.xm {
			return nil // one stride for both
		}
		p.xm = xm
	}
	return p
}
