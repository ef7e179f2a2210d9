//go:build !purego

package cpu

import "lockstep/op"

func init() {
	for family, rows16 := range map[string]func(y, x *uint32, n, from, to int){"avx2": transposeRowsAVX2, "avx512": transposeRowsAVX512} {
		twin(family, func(o op.Transpose, in []op.Type) kernel {
			return transpose(o, in[0].Shape, func(y, x []uint32, rows, cols, from, to int) {
				transposeVectors(rows16, y, x, rows, cols, from, to)
			})
		})
	}
}

// transposeVectors transposes 16 rows at a time, and by plain loops what is left of the rows, and of the columns.
func transposeVectors(rows16 func(y, x *uint32, n, from, to int), y, x []uint32, rows, cols, from, to int) {
	wholeRows, wholeCols := rows/16*16, cols/16*16
	if wholeCols > 0 {
		for i := 0; i < wholeRows; i += 16 {
			rows16(&y[i], &x[i*from], wholeCols, from, to)
		}
	}
	if wholeCols < cols {
		transposeWords(y[wholeCols*to:], x[wholeCols:], wholeRows, cols-wholeCols, from, to)
	}
	if wholeRows < rows {
		transposeWords(y[wholeRows:], x[wholeRows*from:], rows-wholeRows, cols, from, to)
	}
}
