//go:build !purego

package cpu

import (
	"unsafe"

	"lockstep/op"
)

func init() {
	goWords := func(o op.TernaryMM, in []op.Type) int { // sums and numbers of 64 bits
		_, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
		return 2 * (n + k)
	}
	scratch(func(o op.TernaryMM, in []op.Type, _ int) int { return goWords(o, in) })
	scratch(func(o op.TernaryMMTail, in []op.Type, _ int) int { return goWords(op.TernaryMM(o), in) })
	twin("go", func(o op.TernaryMM, in []op.Type) kernel {
		if in[0].DType != op.F32 {
			return nil
		}
		return func(w *workspace, out, in []op.Tensor) {
			_, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
			if len(in) == 3 {
				k = clampLen(in[2], k)
			}
			ternaryRows(o.TB, n, k, out, in, w)
		}
	})
	twin("go", func(o op.TernaryMMTail, _ []op.Type) kernel {
		return func(w *workspace, out, in []op.Tensor) {
			_, k, n, _ := op.TernaryMM(o).Dims(in[0].Shape, in[1].Shape)
			clear(out[0].W)
			ternaryRows(o.TB, clampLen(in[2], n), k, out, in, w)
		}
	})
}

// clampLen is the number of entries that a klen operand leaves of n.
func clampLen(klen op.Tensor, n int) int { return int(min(uint64(n), uint64(klen.W[0]))) }

// ternaryRows computes the first n outputs of every row of x, contracting over its first k entries.
func ternaryRows(tb bool, n, k int, out, in []op.Tensor, w *workspace) {
	width, outWidth, pitch := in[0].At(1), out[0].At(1), op.RowWords(in[1].At(1))
	sums := int64s(w.Words(2 * n))
	q := int64s(w.Words(2 * k))
	for i := range in[0].At(0) {
		x := in[0].F()[i*width : i*width+k]
		scale := op.ScaleOf(x)
		for l, v := range x {
			q[l] = scale.Quantise(v)
		}
		clear(sums)
		if tb { // row j of W against q
			for j := range sums {
				codes := in[1].W[j*pitch : (j+1)*pitch]
				var t int64
				for l, v := range q {
					t += v * weight(codes[l/16]>>(2*(l%16)))
				}
				sums[j] = t
			}
		} else { // q[l] times row l of W, added to all outputs
			for l, v := range q {
				codes := in[1].W[l*pitch : (l+1)*pitch]
				if v != 0 {
					for j := range sums {
						sums[j] += v * weight(codes[j/16]>>(2*(j%16)))
					}
				}
			}
		}
		for j, t := range sums {
			out[0].SetF(i*outWidth+j, scale.Result(t))
		}
	}
}

// weight is -1, 0 or +1 for a ternary code in the lowest two bits.
func weight(code uint32) int64 { return int64(code&1) - int64(code&1&(code>>1))*2 }

// int64s views pairs of words as int64; workspace memory is aligned.
func int64s(w []uint32) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/2)
}
