//go:build !purego

package cpu

import "lockstep/op"

func init() {
	for family, r := range rowSets {
		twin(family, func(op.Xent, []op.Type) kernel {
			return byRows(func(w *workspace, out, in []op.Tensor) {
				b := r.newRowBlock(w, in[0])
				e, picked := w.Words(b.most*b.c), w.Words(b.most)
				for b.next() {
					b.shiftedExp(e[:b.n*b.c])
					for i, label := range b.of(in[1]) {
						picked[i] = 0 // also of a label that is no class
						if label < uint32(b.c) {
							picked[i] = b.x[i*b.c+int(label)]
						}
					}
					r.xent(&b.of(out[0])[0], &b.s[0], &picked[0], &b.m[0], b.n)
				}
			})
		})
		twin(family, func(op.XentGrad, []op.Type) kernel {
			return byRows(func(w *workspace, out, in []op.Tensor) {
				b := r.newRowBlock(w, in[0])
				hot, wide := w.Words(b.most*b.c), w.Words(b.most*b.c+slack)
				clear(hot)
				for b.next() {
					y, labels, g := b.of(out[0]), b.of(in[1]), b.of(in[2])
					b.shiftedExp(y)
					if !b.short {
						for i := range b.n {
							row := &y[i*b.c]
							b.mark(hot, labels[i:i+1], oneBits)
							r.gradientOne(row, row, &hot[0], &b.s[i], &g[i], b.c)
							b.mark(hot, labels[i:i+1], 0)
						}
						continue
					}
					b.mark(hot, labels, oneBits)
					b.spread(b.wide, b.s)
					b.spread(wide, g)
					r.gradient(&y[0], &y[0], &hot[0], &b.wide[0], &wide[0], len(y))
					b.mark(hot, labels, 0)
				}
			})
		})
	}
}

// oneBits is the float32 1.
const oneBits = 0x3f800000

// mark writes a word at the label of each row; one that is no class has no place.
func (b *rowBlock) mark(hot, labels []uint32, word uint32) {
	for i, label := range labels {
		if label < uint32(b.c) {
			hot[i*b.c+int(label)] = word
		}
	}
}
