//go:build !purego

package cpu

const (
	wideCodes = 256 // codes in a 512-bit register
	groupRows = 8   // rows of W that are indexed together
	rowPairs  = groupRows / 2
)

// columnSet is the kernels of sums over rows of W for 512-bit registers.
type columnSet struct {
	groups     int // of 8 rows, at most
	indexWords int // of a group, for the columns of a block
	index      func(index, w *uint32, pitch, last, groups, words int)
	columns    func(y *float32, index, tables *uint32, stride, groups int, exponent float32)
}

// How many groups a kernel can add up. Each adds a byte of each of its pairs to the sum of a plane, and a byte is at most 255.
const (
	groupBytes  = 255 * rowPairs
	narrowSums  = (1<<16 - 1) / groupBytes         // sums of a plane have 16 bits, unsigned
	jointPlanes = (1<<31 - 1) / (groupBytes * 257) // two planes, of weights 1 and 256, have 32 bits, signed
)

var (
	columnsAVX512 = &columnSet{narrowSums, wideCodes, ternaryIndexAVX512, ternaryColumnsAVX512}
	columnsVBMI   = &columnSet{jointPlanes, wideCodes / 2, ternaryIndexVBMI, ternaryColumnsVBMI}
)

// run computes y[j], the sum over l of q[l] times weight j of row l, for rows of activations that share W: what they look up
// is made once for all. Rows may be of different lengths.
func (s *columnSet) run(w *workspace, rows []ternary) {
	most, outputs := 0, 0
	for _, p := range rows {
		most, outputs = max(most, len(p.x)), max(outputs, len(p.y))
	}
	tables := make([][]uint32, len(rows)) // [4 bytes][pairs][16 entries]
	for i := range rows {
		tables[i] = rows[i].tables(w, groupRows, most)
	}
	codes, pitch := rows[0].codes, rows[0].pitch
	groups := (most + groupRows - 1) / groupRows
	index := w.Words(groups * s.indexWords)
	rest := floats(w.Words(wideCodes))
	for j := 0; j < outputs; j += wideCodes {
		s.index(&index[0], &codes[j/16], 4*pitch, 4*pitch*(most-1), groups, min(wideCodes/16, pitch-j/16))
		for i, p := range rows {
			if j >= len(p.y) {
				continue
			}
			y, whole := p.y[j:], len(p.y)-j >= wideCodes
			if !whole {
				y = rest
			}
			s.columns(&y[0], &index[0], &tables[i][0], len(tables[i]), len(tables[i])/(4*entryWords*rowPairs), float32(p.E-29))
			if !whole {
				copy(p.y[j:], rest)
			}
		}
	}
}

// digitsAVX512 is digitsAVX2 for wide blocks.
func digitsAVX512(digits []uint32, x []float32, exponent int) (sum int64) {
	var lanes [8]int64
	if len(x) > 0 {
		ternaryDigitsAVX512(&digits[0], &x[0], len(x)/wideCodes, float32(exponent), &lanes)
	}
	for _, s := range lanes {
		sum += s
	}
	return sum - 0x80808080*int64(len(x))
}
