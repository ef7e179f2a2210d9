//go:build !purego

package cpu

import (
	"slices"

	"lockstep/op"
)

// The vector twins of Softmax and, in xent_amd64.go, of the cross-entropy. They go through their composition a block of rows at a
// time, small enough for the nearest cache. The elementwise steps go over a block of short rows as if it were one row, with
// the numbers of each row repeated over its elements: no vector has to end where a row does.

// rowSet is the kernels of one family.
type rowSet struct {
	*sumSet
	*maxSet
	exp, expOne           strip2                                // exp(x - m); One: with one m, here and below, for all elements
	div                   strip2                                // x / s; its One is sumSet's divide
	xent                  strip3                                // log(s) - (x - m)
	gradient, gradientOne func(y, e, hot, s, ct *uint32, n int) // (e / s - hot) * ct
	repeat                func(y, x *uint32, words, n int)
}

var rowSets = map[string]*rowSet{
	"avx2": {
		sumSets["avx2"], maxSets["avx2"], stripShiftedExpAVX2, stripShiftedExpOneAVX2, stripDivAVX2, stripXentAVX2,
		stripXentGradAVX2, stripXentGradOneAVX2, repeatEachAVX2,
	},
	"avx512": {
		sumSets["avx512"], maxSets["avx512"], stripShiftedExpAVX512, stripShiftedExpOneAVX512, stripDivAVX512, stripXentAVX512,
		stripXentGradAVX512, stripXentGradOneAVX512, repeatEachAVX512,
	},
}

func init() {
	repeater = func(n int, variants []string) (func(y, x *uint32, words, n int), string) {
		const lanes = 16 // of the widest: of so many no vector goes beyond
		for _, family := range []string{"avx512", "avx2"} {
			if slices.Contains(variants, family) && n%lanes == 0 {
				return rowSets[family].repeat, family
			}
		}
		return nil, ""
	}
	for family, r := range rowSets {
		twin(family, func(op.Softmax, []op.Type) kernel {
			return byRows(func(w *workspace, out, in []op.Tensor) {
				for b := r.newRowBlock(w, in[0]); b.next(); {
					y := b.of(out[0])
					b.shiftedExp(y)
					if !b.short {
						for i := range b.n {
							r.divide(&y[i*b.c], &y[i*b.c], &b.s[i], b.c)
						}
						continue
					}
					b.spread(b.wide, b.s)
					r.div(&y[0], &y[0], &b.wide[0], len(y))
				}
			})
		})
	}
}

// byRows is a kernel of operands and results [.., c] and [.., 1] that runs on parts of their rows. It gets tensors with the words of its rows, and
// the shapes of all.
func byRows(k kernel) kernel {
	const work = 40 // for an element: an exponential, a division, and what belongs to them
	return func(w *workspace, out, in []op.Tensor) {
		if !w.splits(len(in[0].W) * work) {
			k(w, out, in)
			return
		}
		w.split(len(in[0].W)/in[0].At(-1), 1, len(in[0].W)*work, func(w *workspace, from, to int) {
			var ins, outs [4]op.Tensor
			some := func(to []op.Tensor, of []op.Tensor, first, end int) []op.Tensor {
				for i, t := range of {
					width := t.At(-1)
					to[i] = t
					to[i].W = t.W[first*width : end*width : end*width]
				}
				return to[:len(of)]
			}
			k(w, some(outs[:], out, from, to), some(ins[:], in, from, to))
		})
	}
}

const (
	rowWords = 2048 // of a block, if a row has no more
	shortRow = 64   // elements of a row up to which it is short
	slack    = 15   // words that repeat may write beyond the last
)

// rowBlock is some rows of c elements at a time, and scratch for what belongs to them.
type rowBlock struct {
	*rowSet
	w       *workspace
	all     op.Tensor
	c       int
	short   bool
	most    int      // rows of a block
	from, n int      // the rows of this one
	x       []uint32 // [n, c]
	m, s    []uint32 // [n]: the maximum of each row, and the sum of its exponentials
	wide    []uint32 // [most, c] and slack, of short rows
}

func init() {
	scratch(func(_ op.Softmax, in []op.Type, _ int) int { return rowBlockWords(in) })
	scratch(func(_ op.Xent, in []op.Type, _ int) int { return rowBlockWords(in) })
	scratch(func(_ op.XentGrad, in []op.Type, _ int) int { return rowBlockWords(in) })
}

// rowBlockWords are three words for each row of a block, and three for each of its elements: what newRowBlock takes, and Xent and
// XentGrad beside.
func rowBlockWords(in []op.Type) int {
	c := max(1, in[0].At(-1))
	return max(1, rowWords/c)*3*(c+1) + 2*slack
}

// newRowBlock stands before the first block of the rows of x.
func (r *rowSet) newRowBlock(w *workspace, x op.Tensor) rowBlock {
	b := rowBlock{rowSet: r, w: w, all: x, c: x.At(-1)}
	b.short = b.c <= shortRow
	b.most = min(len(x.W)/b.c, max(1, rowWords/b.c))
	b.m, b.s = w.Words(b.most), w.Words(b.most)
	if b.short {
		b.wide = w.Words(b.most*b.c + slack)
	}
	return b
}

// next goes to the next block; false: there is none.
func (b *rowBlock) next() bool {
	b.from += b.n
	b.n = min(b.most, len(b.all.W)/b.c-b.from)
	b.x, b.m, b.s = b.of(b.all), b.m[:b.n], b.s[:b.n]
	return b.n > 0
}

// of is the block's part of a tensor with equally many rows.
func (b *rowBlock) of(t op.Tensor) []uint32 {
	width := t.At(-1)
	return t.W[b.from*width : (b.from+b.n)*width]
}

// spread repeats the number of each row over its elements, into wide, which has slack.
func (b *rowBlock) spread(wide, numbers []uint32) { b.repeat(&wide[0], &numbers[0], b.n, b.c) }

// shiftedExp sets e to exp(x - m), and m and s.
func (b *rowBlock) shiftedExp(e []uint32) {
	b.maxSet.contiguous(b.m, b.x, b.c)
	if b.short {
		b.spread(b.wide, b.m)
		b.exp(&e[0], &b.x[0], &b.wide[0], len(e))
	} else {
		for i := range b.n {
			b.expOne(&e[i*b.c], &b.x[i*b.c], &b.m[i], b.c)
		}
	}
	b.sumSet.contiguous(b.w, floats(b.s), floats(e), b.c)
}
