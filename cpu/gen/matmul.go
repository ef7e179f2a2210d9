package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The tiles of a matrix product: rows by vectors of accumulators that stay in registers while k runs. A family of tiles has as
// many vectors and up to as many rows; the last rows of a panel are done by its smaller tiles.
//
// AVX2: of 16 registers a tile of 6 by 2 leaves four for the row of B and the broadcast of A, and its twelve chains cover the
// latency of the two FMA units (2 units x 4 cycles = 8 chains). Narrow panels take as many chains by twice the rows.
//
// AVX-512: 8 by 2 and 12 by 1 cover it, too. More rows would need fewer loads for each FMA, but they are not what bounds these
// tiles; and 8 rows of A, whatever their distance in memory, fit into 8 ways of a cache.
var tileFamilies = []struct {
	make       func(c *build.Context) isa
	vecs, rows int
	tail       bool // the last vector is masked
}{
	{newAVX2, 2, 6, false},
	{newAVX2, 2, 6, true},
	{newAVX2, 1, 12, true},
	{newAVX512, 2, 8, true},
	{newAVX512, 1, 12, true},
}

// panel is the number of vectors of columns of the widest tiles, and so of a packed panel.
const panel = 2

// matmul generates the kernels of MatMul and the packing of its operand B.
func matmul(c *build.Context) {
	tiles(c, false)
	widths(c, packRows)
	widths(c, packTransposed)
	widths(c, fetchLines)
	matmulRow(c)
}

// matmuljvp generates the kernels of MatMulJVP.
func matmuljvp(c *build.Context) { tiles(c, true) }

func tiles(c *build.Context, tangent bool) {
	for _, f := range tileFamilies {
		for rows := 1; rows <= f.rows; rows++ {
			tile{newCode(c, f.make), rows, f.vecs, f.tail, tangent}.generate()
		}
	}
}

// tile is one kernel: blocks of rows x (vecs vectors) of outputs. In a tail the columns of the last vector are masked.
type tile struct {
	*code
	rows, vecs    int
	tail, tangent bool
}

func (t tile) name() string {
	name := "matmul"
	if t.tangent {
		name += "jvp"
	}
	name += fmt.Sprintf("%dx%d", t.rows, t.vecs*t.lanes())
	if t.tail {
		name += "tail"
	}
	return name
}

// term is one product of a chain: the pointers to A at the block's first row, and to the row of B.
type term struct{ a, b reg.GPVirtual }

func (t tile) generate() {
	c := t.Context
	t.begin(t.name(), "blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, x *float32, xm, cols int, ahead *float32, step int")
	names := [][2]string{{"a", "b"}}
	if t.tangent {
		names = [][2]string{{"da", "b"}, {"a", "db"}} // the order of the law
	}
	var mask reg.Register
	if t.tail {
		mask = t.firstLanes(load(c, "cols", 0))
	}
	ak, bk := load(c, "ak", 2), load(c, "bk", 2)
	am := t.distances(load(c, "am", 2))
	acc := make([][]reg.VecVirtual, t.rows)
	for i := range acc {
		acc[i] = t.regs(t.vecs)
	}

	c.Label("block")
	for _, row := range acc {
		t.clear(row...)
	}
	row, cm := load(c, "c", 0), load(c, "cm", 2)
	if !t.tangent {
		for range t.rows {
			t.fetch(row)
			c.ADDQ(cm, row)
		}
	}
	add := load(c, "add", 0)
	c.TESTQ(add, add)
	c.JGE(operand.LabelRef("begin"))
	c.MOVQ(load(c, "c", 0), row)
	for _, vs := range acc {
		for j, x := range vs {
			if t.masked(j) {
				t.loadMasked(mem(row, j*t.bytes()), mask, x)
			} else {
				c.VMOVUPS(mem(row, j*t.bytes()), x)
			}
		}
		c.ADDQ(cm, row)
	}
	c.Label("begin")
	terms := make([]term, len(names))
	for i, n := range names {
		terms[i] = term{load(c, n[0], 0), load(c, n[1], 0)}
	}
	k := load(c, "k", 0)
	var ahead, step reg.GPVirtual
	if !t.tangent {
		ahead, step = load(c, "ahead", 0), load(c, "step", 2)
	}

	c.Label("term")
	for _, x := range terms {
		b := t.regs(t.vecs)
		for j, r := range b {
			if t.masked(j) {
				t.loadMasked(mem(x.b, j*t.bytes()), mask, r)
			} else {
				c.VMOVUPS(mem(x.b, j*t.bytes()), r)
			}
		}
		for i, row := range acc {
			t.multiplyAdd(distant(x.a, am, i), b, row)
		}
		c.ADDQ(ak, x.a)
		c.ADDQ(bk, x.b)
	}
	if !t.tangent {
		t.fetch(ahead)
		c.ADDQ(step, ahead)
	}
	c.DECQ(k)
	c.JNZ(operand.LabelRef("term"))

	t.store(acc, mask)

	// The next block of rows: the arguments' own slots hold the pointers between blocks.
	stride := load(c, "am", 2)
	for _, n := range names {
		p := load(c, n[0], 0)
		for range t.rows {
			c.ADDQ(stride, p)
		}
		c.Store(p, c.Param(n[0]))
	}
	blocks := load(c, "blocks", 0)
	c.DECQ(blocks)
	c.Store(blocks, c.Param("blocks"))
	c.JNZ(operand.LabelRef("block"))
	end(c)
}

// fetch brings a row of the tile into the cache.
func (t tile) fetch(row reg.GPVirtual) {
	const line = 64
	for at := 0; at < t.vecs*t.bytes(); at += line {
		t.PREFETCHT0(mem(row, at))
	}
}

// distances are the odd multiples of a stride in bytes that addresses of the tile's rows are made of, by the multiple.
func (t tile) distances(stride reg.GPVirtual) map[int]reg.GPVirtual {
	d := map[int]reg.GPVirtual{1: stride}
	for n := 3; n < t.rows; n += 2 {
		d[n] = t.GP64()
		t.LEAQ(indexed(d[n-2], stride, 2), d[n])
	}
	return d
}

// distant is the memory at n strides from base, n < 16: an odd multiple of the stride, scaled by a power of 2.
func distant(base reg.GPVirtual, distances map[int]reg.GPVirtual, n int) operand.Mem {
	if n == 0 {
		return mem(base, 0)
	}
	scale := 1 << bits.TrailingZeros(uint(n))
	return indexed(base, distances[n/scale], uint8(scale))
}

// masked tells whether vector j of a row is cut by the tail's mask.
func (t tile) masked(j int) bool { return t.tail && j == t.vecs-1 }

// store writes the block: C = acc, or C = X + acc if add > 0; a NaN as the canonical one.
func (t tile) store(acc [][]reg.VecVirtual, mask reg.Register) {
	c := t.Context
	first, cm, add := load(c, "c", 0), load(c, "cm", 2), load(c, "add", 0)
	c.TESTQ(add, add)
	c.JLE(operand.LabelRef("store"))
	row, xm := load(c, "x", 0), load(c, "xm", 2)
	for _, vs := range acc {
		for j, x := range vs {
			if t.masked(j) {
				old := t.reg()
				t.loadMasked(mem(row, j*t.bytes()), mask, old)
				c.VADDPS(old, x, x)
			} else {
				c.VADDPS(mem(row, j*t.bytes()), x, x)
			}
		}
		c.ADDQ(xm, row)
	}
	c.Store(row, c.Param("x"))
	c.Label("store")
	for _, vs := range acc {
		for j, x := range vs {
			t.canonical(x, x, x)
			if t.masked(j) {
				t.storeMasked(x, mask, mem(first, j*t.bytes()))
			} else {
				c.VMOVUPS(x, mem(first, j*t.bytes()))
			}
		}
		c.ADDQ(cm, first)
	}
	c.Store(first, c.Param("c"))
}

// multiplyAdd is acc = fma(a, b, acc) for vectors b and one a in memory.
func (t tile) multiplyAdd(a operand.Mem, b, acc []reg.VecVirtual) {
	if t.lanes() == 16 && t.vecs == 1 {
		t.VFMADD231PS_BCST(a, b[0], acc[0]) // a broadcast of its own would take a 512-bit slot for each FMA
		return
	}
	x := t.reg()
	t.VBROADCASTSS(a, x)
	for j := range acc {
		t.VFMADD231PS(b[j], x, acc[j])
	}
}

// packRows generates the copy of a panel of contiguous rows.
func packRows(v *code) {
	c := v.Context
	n := panel * v.lanes()
	v.begin("packRows", "dst, src *float32, k, stride int",
		fmt.Sprintf("copies k rows of %d words, the first at src, the next at stride words, to dst, one after the other.", n))
	dst, src, k, stride := load(c, "dst", 0), load(c, "src", 0), load(c, "k", 0), load(c, "stride", 2)
	x := v.regs(panel)
	c.Label("row")
	for j, r := range x {
		c.VMOVUPS(mem(src, j*v.bytes()), r)
	}
	for j, r := range x {
		c.VMOVUPS(r, mem(dst, j*v.bytes()))
	}
	c.ADDQ(stride, src)
	c.ADDQ(operand.U32(panel*v.bytes()), dst)
	c.DECQ(k)
	c.JNZ(operand.LabelRef("row"))
	end(c)
}

// packTransposed generates the transposition of 8 columns of a panel whose terms are contiguous, 8 terms at a time. It is AVX2
// code for both widths: 512-bit registers would take one exchange more for each word.
func packTransposed(v *code) {
	c := v.Context
	pitch := panel * v.lanes()
	v.begin("packTransposed", "dst, src *float32, k, stride, n int",
		fmt.Sprintf("turns n rows, 1 to 8, of k words, the first at src, the next at stride words, into k columns: dst[%d*l+j]", pitch),
		"is word l of row j. Rows from n on are row n-1 once more, and columns from k to the next multiple of 8 are written, too.")
	dst, src, k, stride, n := load(c, "dst", 0), load(c, "src", 0), load(c, "k", 0), load(c, "stride", 2), load(c, "n", 0)
	// The rows from n on are row n-1 once more: what they give is never stored in C.
	rows := make([]reg.GPVirtual, 8)
	zero := c.GP64()
	c.XORQ(zero, zero)
	for i := range rows {
		rows[i] = c.GP64()
		if i == 0 {
			c.MOVQ(src, rows[i])
			continue
		}
		step := c.GP64()
		c.MOVQ(stride, step)
		c.CMPQ(n, operand.U8(i))
		c.CMOVQLE(zero, step)
		c.MOVQ(rows[i-1], rows[i])
		c.ADDQ(step, rows[i])
	}
	at := c.GP64()
	c.XORQ(at, at)
	c.SUBQ(operand.U8(8), k)
	c.JL(operand.LabelRef("tail"))

	c.Label("loop")
	x := yregs(c, 8)
	for i, r := range x {
		c.VMOVUPS(indexed(rows[i], at, 4), r)
	}
	storeTransposed(c, x, dst, pitch)
	c.ADDQ(operand.U8(8), at)
	c.SUBQ(operand.U8(8), k)
	c.JGE(operand.LabelRef("loop"))

	c.Label("tail") // k is now the number of terms left, less 8
	c.ADDQ(operand.U8(8), k)
	c.JZ(operand.LabelRef("done"))
	mask := avx2{c}.firstLanes(k)
	x = yregs(c, 8)
	for i, r := range x {
		c.VMASKMOVPS(indexed(rows[i], at, 4), mask, r)
	}
	storeTransposed(c, x, dst, pitch)
	c.Label("done")
	end(c)
}

// fetchLines generates the request for some memory that is soon needed.
func fetchLines(v *code) {
	c := v.Context
	v.begin("fetchLines", "p *float32, lines int", "brings lines of 64 bytes, the first at p, into the caches.")
	p, lines := load(c, "p", 0), load(c, "lines", 0)
	c.Label("line")
	c.PREFETCHT0(mem(p, 0))
	c.ADDQ(operand.U8(64), p)
	c.DECQ(lines)
	c.JNZ(operand.LabelRef("line"))
	end(c)
}

// storeTransposed writes the transposed 8 x 8 matrix x to rows at a pitch in words and moves dst past them. Words are
// exchanged within pairs of rows, then between pairs, then between the 128-bit halves.
func storeTransposed(c *build.Context, x []reg.VecVirtual, dst reg.GPVirtual, pitch int) {
	y := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		y[i], y[i+1] = c.YMM(), c.YMM()
		c.VUNPCKLPS(x[i+1], x[i], y[i])
		c.VUNPCKHPS(x[i+1], x[i], y[i+1])
	}
	z := make([]reg.VecVirtual, 8) // z[4h+q]: column q of each half, of rows 4h to 4h+3
	for h := 0; h < 8; h += 4 {
		for p := range 2 {
			z[h+2*p], z[h+2*p+1] = c.YMM(), c.YMM()
			c.VUNPCKLPD(y[h+2+p], y[h+p], z[h+2*p])
			c.VUNPCKHPD(y[h+2+p], y[h+p], z[h+2*p+1])
		}
	}
	for q := range 4 {
		low, high := c.YMM(), c.YMM()
		c.VPERM2F128(operand.U8(0x20), z[4+q], z[q], low)
		c.VPERM2F128(operand.U8(0x31), z[4+q], z[q], high)
		c.VMOVUPS(low, mem(dst, 4*pitch*q))
		c.VMOVUPS(high, mem(dst, 4*pitch*(q+4)))
	}
	c.ADDQ(operand.U32(8*4*pitch), dst)
}
