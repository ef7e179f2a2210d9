//go:build !purego

package cpu

import (
	"math"
	"unsafe"

	"lockstep/op"
)

// The AVX2 twin of TernaryMM and TernaryMMTail for float32 activations. The sums are exact, so it may split the fixed-point
// numbers q into bytes, and take rows and columns as it likes.
//
// Where the contraction runs over the rows of W, a vector holds columns. Two rows make a 4-bit index for each column, which
// a byte shuffle looks up in four tables, the bytes of the 16 sums that the pair's two numbers can have. Where it runs along
// the rows of W, a vector holds terms: q in balanced digits of base 256, multiplied by weights that are plus 1, unsigned.

func init() {
	twin("avx2", func(o op.TernaryMM, in []op.Type) kernel {
		_, k, _, _ := o.Dims(in[0].Shape, in[1].Shape)
		if in[0].DType != op.F32 || !o.TB && k > maxTernaryTerms {
			return nil
		}
		return func(w *workspace, out, in []op.Tensor) {
			_, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
			if len(in) == 3 {
				k = clampLen(in[2], k)
			}
			ternaryVectors(w, o.TB, n, k, out[0], in)
		}
	})
	twin("avx2", func(o op.TernaryMMTail, in []op.Type) kernel {
		_, k, _, _ := op.TernaryMM(o).Dims(in[0].Shape, in[1].Shape)
		if !o.TB && k > maxTernaryTerms {
			return nil
		}
		return func(w *workspace, out, in []op.Tensor) {
			_, k, n, _ := op.TernaryMM(o).Dims(in[0].Shape, in[1].Shape)
			clear(out[0].W)
			ternaryVectors(w, o.TB, clampLen(in[2], n), k, out[0], in)
		}
	})
}

const (
	blockCodes      = 128     // codes in a vector register
	blockWords      = 8       // words of W that hold them, four to a byte
	entryWords      = 4       // words of a table of 16 bytes
	columnRows      = 320     // rows that ternaryColumns adds up at a time: at most 512 in 16 bits, and their indices fit the first-level cache
	dotBlocks       = 8       // blocks that ternaryDots may add up in 16 bits
	maxTernaryTerms = 1 << 22 // terms of 2^30 that the float64 sums of ternaryColumns hold exactly
)

// ternaryVectors computes the first n outputs of every row of x, contracting over its first k entries.
func ternaryVectors(w *workspace, tb bool, n, k int, out op.Tensor, in []op.Tensor) {
	width, outWidth := in[0].At(1), out.At(1)
	for i := range in[0].At(0) {
		p := ternary{w, in[0].F()[i*width : i*width+k], in[1].W, op.RowWords(in[1].At(1)), op.Scale{}}
		p.Scale = op.ScaleFromBits(largest(p.x))
		y := out.F()[i*outWidth : i*outWidth+n]
		switch {
		case p.NaN:
			for j := range y {
				out.W[i*outWidth+j] = op.NaN
			}
		case p.Zero || n == 0:
			clear(y)
		case tb:
			p.dots(y)
		default:
			p.columns(y)
		}
	}
}

// largest is the largest magnitude in x, as bits.
func largest(x []float32) (m uint32) {
	n := len(x) &^ 7
	if n > 0 {
		var lanes [8]uint32
		largestMagnitude(&x[0], n, &lanes)
		for _, v := range lanes {
			m = max(m, v)
		}
	}
	for _, v := range x[n:] {
		m = max(m, math.Float32bits(v)&^(1<<31))
	}
	return m
}

// ternary is the product of one row of activations that are finite and not all zero.
type ternary struct {
	w     *workspace
	x     []float32
	codes []uint32 // W
	pitch int      // words from row to row of W
	op.Scale
}

// columns computes y[j], the sum over l of q[l] times weight j of row l.
func (p *ternary) columns(y []float32) {
	k := len(p.x)
	q := p.w.Words(k + 1)
	for l, v := range p.x {
		q[l] = uint32(p.Quantise(v))
	}
	if k%2 == 1 { // the last pair is made of the last two rows, of which the first has been counted
		q[k-1], q[k] = 0, q[k-1]
	}
	allPairs := (k + 1) / 2
	tables := p.w.Words(4 * entryWords * allPairs) // [4 bytes][pairs][16 entries]
	ternaryTables(&tables[0], &q[0], 4*entryWords*allPairs, allPairs)
	index := p.w.Words(columnRows / 2 * blockCodes / 4)
	sums := float64s(p.w.Words(2 * blockCodes))
	rest := floats(p.w.Words(blockCodes))
	for j := 0; j < len(y); j += blockCodes {
		clear(sums)
		pairUp := ternaryIndex
		if j/16+blockWords > p.pitch {
			pairUp = ternaryIndexHalf
		}
		for r := 0; r < k; r += columnRows {
			rows, step := min(columnRows, k-r), 4*p.pitch
			if rows == 1 {
				step = 0
			}
			pairs := (rows + 1) / 2
			pairUp(&index[0], &p.codes[r*p.pitch+j/16], step, max(0, rows-2)*step, pairs)
			// Every sum of two numbers is 2^31 too large, every sum of bytes 2^15 too small.
			bias := 1<<15*(1+1<<8+1<<16+1<<24) - float64(pairs)*(1<<31)
			ternaryColumns(&sums[0], &index[0], &tables[r/2*entryWords], 4*entryWords*allPairs, pairs, bias)
		}
		if j+blockCodes <= len(y) {
			ternaryScale(&y[j], &sums[0], math.Ldexp(1, p.E-29))
		} else {
			ternaryScale(&rest[0], &sums[0], math.Ldexp(1, p.E-29))
			copy(y[j:], rest)
		}
	}
}

// dots computes y[j], the sum over l of q[l] times weight l of row j.
func (p *ternary) dots(y []float32) {
	blocks, whole := (len(p.x)+blockCodes-1)/blockCodes, len(p.x)/blockCodes
	digits := p.w.Words(blocks * blockCodes)
	var sum, restSum [4]int64
	if whole > 0 {
		ternaryDigits(&digits[0], &p.x[0], whole, math.Ldexp(1, 29-p.E), &sum)
	}
	if whole < blocks {
		rest := floats(p.w.Words(blockCodes))
		clear(rest[copy(rest, p.x[whole*blockCodes:]):])
		ternaryDigits(&digits[whole*blockCodes], &rest[0], 1, math.Ldexp(1, 29-p.E), &restSum)
	}
	sums := int64s(p.w.Words(2 * len(y)))
	clear(sums)
	for b := 0; b < blocks; b += dotBlocks {
		n, half := min(dotBlocks, blocks-b), 0
		if (b+n)*blockWords > p.pitch {
			n, half = n-1, 1
		}
		ternaryDots(&sums[0], &p.codes[b*blockWords], 4*p.pitch, len(y), &digits[b*blockCodes], n, half)
	}
	var total int64
	for i := range sum {
		total += sum[i] + restSum[i]
	}
	for j, t := range sums {
		y[j] = p.Result(t - total)
	}
}

// float64s views pairs of words as float64; workspace memory is aligned.
func float64s(w []uint32) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/2)
}
