//go:build !purego

package cpu

import (
	"unsafe"

	"lockstep/op"
)

// The joint kernel of MatMul: the rows of all cells of a block, against a matrix that they share, are one product, which reads the
// matrix once. Cells of different klen have chains of different lengths. Blocks have them in ascending order: so all rows take the
// terms of the shortest, then all but those that have ended go on, and so forth.

func init() {
	for _, t := range matmulTiles {
		jointTwin(t.family, func(o op.MatMul, in []op.Type) jointKernel {
			if o.TA || in[0].Rank != 2 || in[1].Rank != 2 {
				return nil
			}
			return joined(joinable, func(w *workspace, out, in [][]op.Tensor) { jointProduct(w, o, out, in, t, false) })
		})
	}
}

// joined runs a joint kernel for as many cells at a time as it can take: each of which goes with the next.
func joined(joinable func(a, b []op.Tensor) bool, run jointKernel) jointKernel {
	return func(w *workspace, out, in [][]op.Tensor) {
		for len(in) > 0 {
			n := 1
			for n < len(in) && joinable(in[n-1], in[n]) {
				n++
			}
			mark := w.used
			run(w, out[:n], in[:n])
			out, in, w.used = out[n:], in[n:], mark
		}
	}
}

// joinable tells whether a cell and the next are of one joint product: their chains are of one length, or of one chunk and the next
// one's is longer.
func joinable(a, b []op.Tensor) bool {
	if len(a) < 3 {
		return true
	}
	return a[2].W[0] == b[2].W[0] || a[2].W[0] < b[2].W[0] && b[0].At(1) <= op.Chunk
}

// jointProduct computes the products of cells with the same matrix, of ascending klen, which is a number of terms or, with a tail, of
// columns. Rows that lie at one distance are used where they are.
func jointProduct(w *workspace, o op.MatMul, out, in [][]op.Tensor, tiles *tileSet, tail bool) {
	m, k := in[0][0].At(0), in[0][0].At(1)
	p := newProduct(o, op.S(len(in)*m, k), in[0][1].Shape, tiles)
	if p.M == 0 || p.N == 0 {
		return
	}
	a, am := rows(in)
	if am == 0 {
		a, am = w.Words(len(in)*m*k), k
		for i := range in {
			copy(a[i*m*k:], in[i][0].W)
		}
	}
	c, cm := rows(out)
	copied := cm == 0
	if copied {
		c, cm = w.Words(len(in)*m*p.N), p.N
		if tail {
			clear(c)
		}
	}
	p.AM, p.cm = am, cm
	whole, matrix, mark := *p, in[0][1].F(), w.used
	for cell, done := 0, 0; cell < len(in); cell++ { // what this one needs, and with it all that follow
		to := whole.K
		if tail {
			to = whole.N
		}
		if len(in[cell]) > 2 {
			to = clampLen(in[cell][2], to)
		}
		if to == done && cell > 0 {
			continue
		}
		p.M = (len(in) - cell) * m
		rows, results := floats(a[cell*m*am:]), floats(c[cell*m*cm:])
		if tail {
			p.N = to - done
			p.run(w, p.K, results[done:], operandsAB{rows, nil}, operandsAB{matrix[min(done*p.BN, len(matrix)):], nil})
		} else {
			p.on = done > 0
			p.run(w, to-done, results, operandsAB{rows[done:], nil}, operandsAB{matrix[done*p.BK:], nil})
		}
		done, w.used = to, mark
	}
	if copied {
		for i := range out {
			copy(out[i][0].W, c[i*m*whole.N:])
		}
	}
}

// rows gives the first operands or results of cells as the rows of one matrix, at a stride: nil if they do not lie so. Several rows of
// several cells must follow one another. They are one value of the program, so all lie in one array, or in what a worker keeps of
// values: never in several allocations, over which no slice may reach.
func rows(of [][]op.Tensor) (all []uint32, stride int) {
	m, width, n := of[0][0].At(0), of[0][0].At(1), len(of[0][0].W)
	if len(of) == 1 {
		return of[0][0].W, width
	}
	if n == 0 {
		return nil, 0
	}
	at := func(i int) int { return int(uintptr(unsafe.Pointer(&of[i][0].W[0]))) / 4 }
	step := at(1) - at(0)
	if step < n || m > 1 && step != n {
		return nil, 0
	}
	for i := range of {
		if at(i) != at(0)+i*step {
			return nil, 0
		}
	}
	return unsafe.Slice(&of[0][0].W[0], (len(of)-1)*step+n), step / m
}
