//go:build !purego

package cpu

const (
	wideCodes  = 256           // codes in a 512-bit register
	vbmiRows   = 8             // rows of W that make one index
	vbmiGroups = 1024          // groups of so many rows, of which 32 bits hold the sums of two planes
	indexWords = wideCodes / 2 // of a group, for a block of columns: a nibble for each column and pair of rows
	pairs      = vbmiRows / 2  // of rows
)

// columnsVBMI computes y[j], the sum over l of q[l] times weight j of row l, for rows of activations that share W: what they look up
// is made once for all. Rows may be of different lengths.
func columnsVBMI(w *workspace, rows []ternary) {
	most, outputs := 0, 0
	for _, p := range rows {
		most, outputs = max(most, len(p.x)), max(outputs, len(p.y))
	}
	tables := make([][]uint32, len(rows)) // [4 bytes][pairs][16 entries]
	for i := range rows {
		tables[i] = rows[i].tables(w, vbmiRows, most)
	}
	codes, pitch := rows[0].codes, rows[0].pitch
	groups := (most + vbmiRows - 1) / vbmiRows
	index := w.Words(groups * indexWords)
	rest := floats(w.Words(wideCodes))
	for j := 0; j < outputs; j += wideCodes {
		ternaryIndexVBMI(&index[0], &codes[j/16], 4*pitch, 4*pitch*(most-1), groups, min(wideCodes/16, pitch-j/16))
		for i, p := range rows {
			if j >= len(p.y) {
				continue
			}
			y, whole := p.y[j:], len(p.y)-j >= wideCodes
			if !whole {
				y = rest
			}
			ternaryColumnsVBMI(&y[0], &index[0], &tables[i][0], len(tables[i]), len(tables[i])/(4*entryWords*pairs), float32(p.E-29))
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
