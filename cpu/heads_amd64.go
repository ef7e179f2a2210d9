//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of products of heads: those of the products, on rows that lie further apart.

func init() {
	for i, t := range matmulTiles {
		tangents := matmulJVPTiles[i]
		twin(t.family, func(h heads[op.MatMul], in []op.Type) kernel {
			if p := headsProduct(h.Of, h.In&1 != 0, h.In>>1&1 != 0, h.Out, h.inner(in), t); p != nil {
				return p.kernel()
			}
			return nil
		})
		twin(t.family, func(h heads[op.MatMulJVP], in []op.Type) kernel {
			p := headsProduct(op.MatMul(h.Of), h.In&1 != 0, h.In>>1&1 != 0, h.Out, h.inner(in), tangents)
			if p == nil || h.In&3 != h.In>>2 {
				return nil
			}
			return p.kernelJVP()
		})
		twin(t.family, func(h heads[op.Dual[op.MatMul]], in []op.Type) kernel {
			p := headsProduct(h.Of.Of, h.In&1 != 0, h.In>>1&1 != 0, h.Out, h.inner(in), t)
			if p == nil || h.In&3 != h.In>>(len(in)-2) || p.M < fewRows {
				return nil
			}
			return p.kernelDual(tangents)
		})
	}
	scratch(func(h heads[op.MatMul], in []op.Type, cells int) int { return productWords(h.Of, h.inner(in), cells) })
	scratch(func(h heads[op.MatMulJVP], in []op.Type, cells int) int {
		return 2 * productWords(op.MatMul(h.Of), h.inner(in), cells)
	})
	scratch(func(h heads[op.Dual[op.MatMul]], in []op.Type, cells int) int {
		return 2 * productWords(h.Of.Of, h.inner(in), cells)
	})
}

// headsProduct is a product of operands of such types, [example, head, ..], of which A, B or C lie as [example, position, head, width]; nil of any
// others.
func headsProduct(o op.MatMul, a, b, c bool, in []op.Type, t *tileSet) *product {
	if in[0].Rank != 4 || in[1].Rank != 4 {
		return nil
	}
	p := newProduct(o, in[0].Shape, in[1].Shape, t)
	if p.K == 0 || p.N == 0 || p.M == 0 { // of no term, whose entries newProduct may have taken for one, or of no result
		return nil
	}
	n := in[0].At(1)
	if a {
		p.a, p.AM, p.AK = lies{n, p.ABatch * n, in[0].At(3)}, n*in[0].At(3), 1
		if o.TA {
			p.AM, p.AK = p.AK, p.AM
		}
	}
	if b {
		p.b, p.BK, p.BN = lies{n, p.BBatch * n, in[1].At(3)}, n*in[1].At(3), 1
		if o.TB {
			p.BK, p.BN = p.BN, p.BK
		}
	}
	if c {
		p.c, p.cm = lies{n, p.M * p.N * n, p.N}, p.N*n
	}
	return p
}
