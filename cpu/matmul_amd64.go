//go:build !purego

package cpu

import "lockstep/op"

// The AVX2 twins of MatMul and, in matmuljvp_amd64.go, of its tangent. Vectors run over the columns j, accumulators over the
// rows i, and nothing over k, so each output is the one chain of the law. A panel is 16 columns of B; a kernel goes down the
// rows of A in blocks of up to 6, whose accumulators stay in registers while k runs over a chunk. Only the sum over the
// chunks goes through C.

func init() {
	twin("avx2", func(o op.MatMul, _ []op.Type) kernel {
		return func(w *workspace, out, in []op.Tensor) {
			d, _ := o.Dims(in[0].Shape, in[1].Shape)
			newProduct(d, in[2:]).run(w, out[0].F(), [][]float32{in[0].F()}, [][]float32{in[1].F()}, &matmulTiles)
		}
	})
}

// Rows and columns of the largest tile; the generator has the same.
const (
	tileRows  = 6
	panelCols = 16
)

// A tileKernel computes some blocks of rows of a panel over k > 0 terms. a points to A at the first row and term, its
// strides are am from row to row and ak from term to term; b points to the panel's columns of the first term, the next
// term is at stride bk; c points to the outputs of the first row, stride cm. Strides are in words. da and db, laid out as a
// and b, are the tangents; the kernels of MatMul ignore them. The kernel sets C, or adds to it if add is not 0. mask holds
// -1 for those columns of the last vector that exist: the kernels for tails touch no others, the rest ignore it.
type tileKernel func(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32)

// tileSet holds the kernels by the rows of a block, 1 to 6, and by the kind of panel.
type tileSet [tileRows + 1][3]tileKernel

var matmulTiles = tileSet{
	1: {matmul1x16AVX2, matmul1x16tailAVX2, matmul1x8tailAVX2},
	2: {matmul2x16AVX2, matmul2x16tailAVX2, matmul2x8tailAVX2},
	3: {matmul3x16AVX2, matmul3x16tailAVX2, matmul3x8tailAVX2},
	4: {matmul4x16AVX2, matmul4x16tailAVX2, matmul4x8tailAVX2},
	5: {matmul5x16AVX2, matmul5x16tailAVX2, matmul5x8tailAVX2},
	6: {matmul6x16AVX2, matmul6x16tailAVX2, matmul6x8tailAVX2},
}

// The kinds of panels, by their columns.
const (
	whole  = iota // 16
	wide          // 9 to 15
	narrow        // 1 to 8
)

func panelKind(cols int) int {
	switch {
	case cols == panelCols:
		return whole
	case cols > panelCols/2:
		return wide
	}
	return narrow
}

// laneMasks[n] is -1 in the first n lanes.
var laneMasks = func() (m [9][8]int32) {
	for n := range m {
		for i := range n {
			m[n][i] = -1
		}
	}
	return m
}()

// span is a number of blocks of equally many rows.
type span struct{ blocks, rows int }

// spans cuts m rows into blocks of 6 and, for the rest, one or two smaller blocks. Small blocks have too few chains to hide
// the latency of an FMA, so a rest of 1, 2 or 3 rows takes 6 more and is halved.
func spans(m int) [3]span {
	full, rest := m/tileRows, m%tileRows
	if full > 0 && rest > 0 && rest <= tileRows/2 {
		rest += tileRows
		return [3]span{{full - 1, tileRows}, {1, (rest + 1) / 2}, {1, rest / 2}}
	}
	return [3]span{{full, tileRows}, {1, rest}}
}

// product is the geometry of one matrix product, strides in words.
type product struct {
	op.MatDims
	terms int // the terms to execute
}

// newProduct is the geometry for operands of sizes d and, if there is one, the operand klen.
func newProduct(d op.MatDims, klen []op.Tensor) product {
	p := product{d, d.K}
	if len(klen) > 0 {
		p.terms = clampLen(klen[0], d.K)
	}
	if p.BBatch == 0 && p.AK == 1 { // the rows of all batch entries follow one another
		p.M, p.Batch = p.M*p.Batch, 1
	}
	return p
}

// run computes C. as is {a} and bs {b} for a product, {a, da} and {b, db} for its tangent.
func (p product) run(w *workspace, c []float32, as, bs [][]float32, tiles *tileSet) {
	if p.terms == 0 || p.M == 0 || p.N == 0 {
		clear(c)
		return
	}
	parts := spans(p.M)
	var buf [2][]float32
	for i := range bs {
		buf[i] = floats(w.Words(p.packed()))
	}
	for e := range p.Batch {
		for j := 0; j < p.N; j += panelCols {
			cols := min(p.N-j, panelCols)
			kind, mask := panelKind(cols), &laneMasks[(cols-1)%8+1]
			for r := 0; r < p.terms; r += op.Chunk {
				k := min(op.Chunk, p.terms-r)
				var a, b [2]*float32
				var bk int
				for i := range bs {
					b[i], bk = p.panel(bs[i][e*p.BBatch+r*p.BK+j*p.BN:], buf[i], k, cols)
				}
				row := 0
				for _, s := range parts {
					if s.blocks == 0 || s.rows == 0 {
						continue
					}
					for i := range as {
						a[i] = &as[i][e*p.ABatch+row*p.AM+r*p.AK]
					}
					tiles[s.rows][kind](s.blocks, k, a[0], a[1], p.AM, p.AK, b[0], b[1], bk, &c[(e*p.M+row)*p.N+j], p.N, r, mask)
					row += s.blocks * s.rows
				}
			}
		}
	}
}

// packed is the number of words of a packed panel; 0 where panels are used as they lie. A panel whose columns are not
// contiguous must be packed. For others it pays if many rows use it and B is too large for the first-level cache, in
// which the rows of a panel, far apart, would displace each other.
func (p product) packed() int {
	const firstLevel = 24 << 10 // bytes
	if p.BN == 1 && (p.M < 4*tileRows || 4*p.K*p.N <= firstLevel) {
		return 0
	}
	return panelCols * (min(op.Chunk, p.terms) + 7) // packTransposed8 writes 8 terms at a time
}

// panel gives k terms of the panel that b begins with, and its stride. It packs them into buf if there is one; a tail with
// contiguous columns is left where it is.
func (p product) panel(b, buf []float32, k, cols int) (panel *float32, stride int) {
	switch {
	case p.BN != 1:
		packTransposed8(&buf[0], &b[0], k, p.BN, min(cols, 8))
		if cols > 8 {
			packTransposed8(&buf[8], &b[8*p.BN], k, p.BN, cols-8)
		}
	case len(buf) == 0 || cols < panelCols:
		return &b[0], p.BK
	default:
		packRows16(&buf[0], &b[0], k, p.BK)
	}
	return &buf[0], panelCols
}
