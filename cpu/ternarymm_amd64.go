//go:build !purego

package cpu

import (
	"math"
	"unsafe"

	"lockstep/op"
)

// The vector twins of TernaryMM and TernaryMMTail for float32 activations. The sums are exact, so they may split the fixed-point
// numbers q into bytes, and take rows and columns as they like.
//
// Where the contraction runs over the rows of W, a vector holds columns. Two rows make a 4-bit index for each column, which
// a byte shuffle looks up in four tables, the bytes of the 16 sums that the pair's two numbers can have. VBMI permutes 64 bytes at
// once, and so has the tables of four pairs in one register; VNNI adds what it finds, four bytes at a time.
//
// Where the contraction runs along the rows of W, a vector holds terms: q in balanced digits of base 256, multiplied by weights that
// are plus 1, unsigned. VNNI multiplies and adds four bytes at a time in 32 bits, which AVX2 and AVX-512BW do two at a time in 16.

// ternarySet is how a family computes the products of rows of activations with one W.
type ternarySet struct {
	family    string
	columns   func(w *workspace, rows []ternary) // contracting over the rows of W; nil: not by this family
	mostTerms int                                // of columns
	dots      *ternaryDotSet                     // along the rows of W; nil: not by this family
}

// Sums over the rows of W are float64 in columnsAVX2: integers, and exact as long as none is beyond 2^floatBits. Each term is below
// 2^numberBits, and a block's sum is added to those of the blocks before in one addition, so so many terms are sure.
const (
	floatBits  = 53
	numberBits = 30
)

var ternarySets = []ternarySet{
	{"avx2", columnsAVX2, 1 << (floatBits - numberBits), &ternaryDotSet{128, 16, digitsAVX2, ternaryDots}},
	{"avx512", columnsAVX512.run, groupRows * columnsAVX512.groups, &ternaryDotSet{256, 16, digitsAVX512, ternaryDotsAVX512}},
	{"vnni", nil, 0, &ternaryDotSet{256, 24, digitsAVX512, ternaryDotsVNNI}}, // the digits of 24 blocks fit the first-level cache
	{"vbmi", columnsVBMI.run, groupRows * columnsVBMI.groups, nil},
}

func init() {
	for _, s := range ternarySets {
		twin(s.family, func(o op.TernaryMM, in []op.Type) kernel {
			_, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
			if in[0].DType != op.F32 || !s.serves(o.TB, k) {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				terms := k
				if len(in) == 3 {
					terms = clampLen(in[2], k)
				}
				s.run(w, o.TB, appendRows(nil, n, terms, out[0], in))
			}
		})
		twin(s.family, func(o op.TernaryMMTail, in []op.Type) kernel {
			_, k, n, _ := op.TernaryMM(o).Dims(in[0].Shape, in[1].Shape)
			if !s.serves(o.TB, k) {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				clear(out[0].W)
				s.run(w, o.TB, appendRows(nil, clampLen(in[2], n), k, out[0], in))
			}
		})
	}
}

func init() {
	for _, s := range ternarySets {
		if s.columns == nil {
			continue
		}
		jointTwin(s.family, func(o op.TernaryMM, in []op.Type) jointKernel {
			_, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
			if o.TB || in[0].DType != op.F32 || !s.serves(o.TB, k) {
				return nil
			}
			return func(w *workspace, out, in [][]op.Tensor) {
				var rows []ternary
				for i := range in {
					terms := k
					if len(in[i]) == 3 {
						terms = clampLen(in[i][2], k)
					}
					rows = appendRows(rows, n, terms, out[i][0], in[i])
				}
				s.run(w, o.TB, rows)
			}
		})
	}
}

func init() {
	scratch(ternaryWords)
	scratch(func(o op.TernaryMMTail, in []op.Type, cells int) int { return ternaryWords(op.TernaryMM(o), in, cells) })
}

// ternaryWords are, of sums over rows of W, the numbers and tables of some rows of activations, what they look up, and their sums in a
// block of columns; of sums along rows of W the digits of one row of activations, and its sums.
func ternaryWords(o op.TernaryMM, in []op.Type, cells int) int {
	m, k, n, _ := o.Dims(in[0].Shape, in[1].Shape)
	if o.TB {
		return k + 2*wideCodes + 2*n
	}
	const line = 16 // words
	rows := min(m*cells, tableBytes/rowTableBytes)
	numbers := min(m*cells*(k+groupRows), max(tableBytes/rowTableBytes, k)+groupRows*rows)
	return (1+rowTableBytes/4)*numbers + 2*line*rows + max(columnRows/2*blockCodes/4, (k/groupRows+1)*wideCodes) + 2*blockCodes*rows + wideCodes
}

// serves tells whether the family computes products along rows of W (tb) or over so many of them.
func (s *ternarySet) serves(tb bool, k int) bool {
	if tb {
		return s.dots != nil
	}
	return s.columns != nil && k <= s.mostTerms
}

// ternary is the product of one row of activations.
type ternary struct {
	x, y  []float32
	codes []uint32 // W
	pitch int      // words from row to row of W
	op.Scale
}

// appendRows appends the products of the rows of one cell: of their first outputs, contracting over their first terms.
func appendRows(rows []ternary, outputs, terms int, out op.Tensor, in []op.Tensor) []ternary {
	width, outWidth := in[0].At(1), out.At(1)
	for i := range in[0].At(0) {
		x := in[0].F()[i*width : i*width+terms]
		rows = append(rows, ternary{x, out.F()[i*outWidth : i*outWidth+outputs], in[1].W, op.RowWords(in[1].At(1)), op.ScaleFromBits(largest(x))})
	}
	return rows
}

// run computes rows of one W.
func (s *ternarySet) run(w *workspace, tb bool, rows []ternary) {
	finite := rows[:0]
	for _, p := range rows {
		switch {
		case p.NaN:
			for j := range p.y {
				p.y[j] = math.Float32frombits(op.NaN)
			}
		case p.Zero || len(p.y) == 0:
			clear(p.y)
		default:
			finite = append(finite, p)
		}
	}
	mark := w.used
	for len(finite) > 0 {
		n := 1
		if tb {
			finite[0].dots(w, s.dots)
		} else {
			for bytes := rowTableBytes * len(finite[0].x); n < len(finite); n++ {
				if bytes += rowTableBytes * len(finite[n].x); bytes > tableBytes {
					break
				}
			}
			s.columns(w, finite[:n])
		}
		finite, w.used = finite[n:], mark // what these rows needed is free for the next
	}
}

// tableBytes is the size of the tables of the rows that go through W together: they should stay in the second-level cache.
const tableBytes = 256 << 10

// rowTableBytes is the size of the tables of a row for each of its numbers: a pair has a table of 16 bytes for each of the four bytes of its sums.
const rowTableBytes = 2 * 4 * entryWords

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

const (
	blockCodes = 128 // codes in a vector register
	blockWords = 8   // words of W that hold them, four to a byte
	entryWords = 4   // words of a table of 16 bytes
	columnRows = 320 // rows that ternaryColumns adds up at a time: at most 512 in 16 bits, and their indices fit the first-level cache
)

// columnsAVX2 computes y[j], the sum over l of q[l] times weight j of row l, for rows of activations that share W: the indices of a
// block are made once for all. Rows may be of different lengths.
func columnsAVX2(w *workspace, rows []ternary) {
	most, outputs := 0, 0
	for _, p := range rows {
		most, outputs = max(most, len(p.x)), max(outputs, len(p.y))
	}
	tables := make([][]uint32, len(rows)) // [4 bytes][pairs][16 entries]
	for i := range rows {
		tables[i] = rows[i].tables(w, 2, most)
	}
	codes, pitch := rows[0].codes, rows[0].pitch
	index := w.Words(columnRows / 2 * blockCodes / 4)
	sums := float64s(w.Words(2 * blockCodes * len(rows)))
	rest := floats(w.Words(blockCodes))
	for j := 0; j < outputs; j += blockCodes {
		clear(sums)
		pairUp := ternaryIndex
		if j/16+blockWords > pitch {
			pairUp = ternaryIndexHalf
		}
		for r := 0; r < most; r += columnRows {
			n, step := min(columnRows, most-r), 4*pitch
			if n == 1 {
				step = 0
			}
			pairUp(&index[0], &codes[r*pitch+j/16], step, max(0, n-2)*step, (n+1)/2)
			for i, p := range rows {
				pairs := (min(columnRows, len(p.x)-r) + 1) / 2
				if pairs <= 0 || j >= len(p.y) {
					continue
				}
				// Every sum of two numbers is 2^31 too large, every sum of bytes 2^15 too small.
				bias := 1<<15*(1+1<<8+1<<16+1<<24) - float64(pairs)*(1<<31)
				ternaryColumns(&sums[blockCodes*i], &index[0], &tables[i][r/2*entryWords], len(tables[i]), pairs, bias)
			}
		}
		for i, p := range rows {
			switch left := len(p.y) - j; {
			case left >= blockCodes:
				ternaryScale(&p.y[j], &sums[blockCodes*i], math.Ldexp(1, p.E-29))
			case left > 0:
				ternaryScale(&rest[0], &sums[blockCodes*i], math.Ldexp(1, p.E-29))
				copy(p.y[j:], rest)
			}
		}
	}
}

// tables are the tables of the row's numbers, for whole groups of so many: what lies behind the last number is 0. If it is one of the
// longest rows and has no partner for its last number, it has that of the row of W before, which has been counted.
func (p *ternary) tables(w *workspace, group, longest int) []uint32 {
	k := len(p.x)
	whole := (k + group - 1) / group * group
	q := w.Words(whole)
	for l, v := range p.x {
		q[l] = uint32(p.Quantise(v))
	}
	clear(q[k:])
	if group == 2 && k == longest && k%2 == 1 {
		q[k-1], q[k] = 0, q[k-1]
	}
	tables := w.Words(4 * entryWords * whole / 2)
	ternaryTables(&tables[0], &q[0], 4*entryWords*whole/2, whole/2)
	return tables
}

// ternaryDotSet is the kernels of sums along rows of W.
type ternaryDotSet struct {
	block  int                                                          // codes of a vector
	most   int                                                          // blocks at a time
	digits func(digits []uint32, x []float32, exponent int) (sum int64) // of whole blocks of numbers x * 2^exponent
	dots   func(sums *int64, w *uint32, pitch, rows int, digits *uint32, blocks, rest int)
}

// digitsAVX2 makes the digits of numbers and adds the numbers up.
func digitsAVX2(digits []uint32, x []float32, exponent int) (sum int64) {
	var lanes [4]int64
	if len(x) > 0 {
		ternaryDigits(&digits[0], &x[0], len(x)/blockCodes, math.Ldexp(1, exponent), &lanes)
	}
	for _, s := range lanes {
		sum += s
	}
	return sum
}

// dots computes y[j], the sum over l of q[l] times weight l of row j.
func (p *ternary) dots(w *workspace, s *ternaryDotSet) {
	k := len(p.x)
	blocks, whole := (k+s.block-1)/s.block, k/s.block
	digits := w.Words(blocks * s.block)
	total := s.digits(digits, p.x[:whole*s.block], 29-p.E)
	if whole < blocks {
		rest := floats(w.Words(s.block))
		clear(rest[copy(rest, p.x[whole*s.block:]):])
		total += s.digits(digits[whole*s.block:], rest, 29-p.E)
	}
	sums := int64s(w.Words(2 * len(p.y)))
	clear(sums)
	words := s.block / 16
	for b := 0; b < blocks; b += s.most {
		n, rest := min(s.most, blocks-b), 0
		if (b+n)*words > p.pitch {
			n, rest = n-1, p.pitch%words
		}
		s.dots(&sums[0], &p.codes[b*words], 4*p.pitch, len(p.y), &digits[b*s.block], n, rest)
	}
	for j, t := range sums {
		p.y[j] = p.Result(t - total)
	}
}

// float64s views pairs of words as float64; workspace memory is aligned.
func float64s(w []uint32) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/2)
}
