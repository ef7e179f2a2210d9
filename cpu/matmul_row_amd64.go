//go:build !purego

package cpu

import (
	"unsafe"

	"lockstep/op"
)

// The product of one row by a matrix: a cell that is alone with its dense basis. It makes two operations of each word that it reads, so
// it is as fast as the matrix comes from memory, and reads that in long runs, where the tiles of matmul_amd64.go take a line of each row.

// rowKernels are the kernels of one family.
type rowKernels struct {
	// terms takes the chains of n columns some terms further, 1 to 8; by their number less 1.
	terms []func(c, a, b *float32, bk, n int)
	// transposed makes the chains of k terms of 8, 16, 24 or 32 columns, by this number over 8, less 1. The terms of a column are contiguous, the next column is at stride bn.
	transposed []func(c, a, b *float32, bn, k int)
	// few makes the chains of k terms of the columns of some vectors, the last of last columns; by their number less 1.
	few []func(c, a, b *float32, bk, k, last int)
	add func(y, a, b *uint32, n int)
}

var matmulRows = map[string]*rowKernels{
	"avx2": {
		[]func(c, a, b *float32, bk, n int){
			matmulRow1AVX2, matmulRow2AVX2, matmulRow3AVX2, matmulRow4AVX2, matmulRow5AVX2, matmulRow6AVX2, matmulRow7AVX2, matmulRow8AVX2,
		},
		[]func(c, a, b *float32, bn, k int){
			matmulRowTransposed1AVX2, matmulRowTransposed2AVX2, matmulRowTransposed3AVX2, matmulRowTransposed4AVX2,
		},
		[]func(c, a, b *float32, bk, k, last int){
			matmulRowFew1AVX2, matmulRowFew2AVX2, matmulRowFew3AVX2, matmulRowFew4AVX2, matmulRowFew5AVX2, matmulRowFew6AVX2, matmulRowFew7AVX2,
			matmulRowFew8AVX2, matmulRowFew9AVX2, matmulRowFew10AVX2, matmulRowFew11AVX2, matmulRowFew12AVX2, matmulRowFew13AVX2,
		},
		stripAddAVX2,
	},
	"avx512": {
		[]func(c, a, b *float32, bk, n int){
			matmulRow1AVX512, matmulRow2AVX512, matmulRow3AVX512, matmulRow4AVX512, matmulRow5AVX512, matmulRow6AVX512, matmulRow7AVX512, matmulRow8AVX512,
		},
		[]func(c, a, b *float32, bn, k int){
			matmulRowTransposed1AVX2, matmulRowTransposed2AVX2, matmulRowTransposed3AVX2, matmulRowTransposed4AVX2,
		},
		[]func(c, a, b *float32, bk, k, last int){
			matmulRowFew1AVX512, matmulRowFew2AVX512, matmulRowFew3AVX512, matmulRowFew4AVX512, matmulRowFew5AVX512, matmulRowFew6AVX512, matmulRowFew7AVX512,
			matmulRowFew8AVX512, matmulRowFew9AVX512, matmulRowFew10AVX512, matmulRowFew11AVX512, matmulRowFew12AVX512, matmulRowFew13AVX512,
		},
		stripAddAVX512,
	},
}

// rowPays tells whether n columns of a product are for the kernels of one row, which take a register of columns or more, and terms that lie side by side.
func (p *product) rowPays(n int, b operandsAB) bool {
	return p.M == 1 && p.AK == 1 && b[1] == nil && (p.BN == 1 || p.BK == 1 && !p.on) && n >= p.tiles.lanes
}

// rowColumns is the number of columns whose chains stay in the second-level cache, and for the most part in the first, while terms go by.
const rowColumns = 8192

// fewColumns is the number of columns up to which a product of more terms keeps its chains in registers.
const fewColumns = 512

// row computes the columns from from to to of entry e of the batch. A chunk after the first goes to a place of its own, and is added.
func (p *product) row(w *workspace, e, terms, from, to int, c, a, b []float32) {
	kernels := matmulRows[p.tiles.family]
	width := rowColumns
	if p.BN != 1 {
		width = to - from
	}
	var later []float32
	if terms > op.Chunk {
		later = floats(w.Words(min(width, to-from)))
	}
	for ; from < to; from += width {
		n := min(width, to-from)
		out := c[p.c.at(e)+from:][:n]
		for r := 0; r < terms; r += op.Chunk {
			k := min(op.Chunk, terms-r)
			x, y, chain := a[p.a.at(e)+r*p.AK:], b[p.b.at(e)+r*p.BK+from*p.BN:], out
			if r > 0 {
				chain = later[:n]
			}
			switch {
			case p.BN != 1:
				kernels.chains(k, chain, x, y, p.BN)
			case !p.on && n <= fewColumns && k > n:
				kernels.inRegisters(k, chain, x, y, p.BK, p.tiles.lanes)
			default:
				if !p.on {
					clear(chain)
				}
				for i := 0; i < k; i += len(kernels.terms) {
					kernels.terms[min(k-i, len(kernels.terms))-1](&chain[0], &x[i], &y[i*p.BK], p.BK, n)
				}
			}
			if r > 0 {
				kernels.add(firstWord(out), firstWord(out), firstWord(later), n)
			}
		}
	}
}

// inRegisters makes the chains of k terms for a few columns of B, whose rows are at stride bk.
func (kernels *rowKernels) inRegisters(k int, c, a, b []float32, bk, lanes int) {
	for j, most := 0, len(kernels.few)*lanes; j < len(c); j += most {
		columns := min(len(c)-j, most)
		vectors := (columns + lanes - 1) / lanes
		kernels.few[vectors-1](&c[j], &a[0], &b[j], bk, k, columns-(vectors-1)*lanes)
	}
}

// chains makes the chains of k terms for columns of B that are rows of memory, 8 or more. Registers of columns are shared out evenly
// among the fewest calls; those of the last call are the last columns, some of which the call before has made already.
func (kernels *rowKernels) chains(k int, c, a, b []float32, bn int) {
	const lanes = 8
	registers := (len(c) + lanes - 1) / lanes
	calls := (registers + len(kernels.transposed) - 1) / len(kernels.transposed)
	if calls == 1 && len(c)%lanes != 0 {
		calls = 2 // one would need more columns than there are
	}
	for i := range calls {
		from, to := registers*i/calls, registers*(i+1)/calls
		j := min(from*lanes, len(c)-(to-from)*lanes)
		kernels.transposed[to-from-1](&c[j], &a[0], &b[j*bn], bn, k)
	}
}

func firstWord(f []float32) *uint32 { return (*uint32)(unsafe.Pointer(&f[0])) }
