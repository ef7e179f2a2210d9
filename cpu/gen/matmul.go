package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The tiles of a matrix product: rows by vectors of accumulators that stay in registers while k runs. A tile of 6 by 2
// leaves four of sixteen registers for the row of B and the broadcast of A, and its twelve chains cover the latency of
// the two FMA units (2 units x 4 cycles = 8 chains). The remaining rows of a panel are done by smaller tiles.
const (
	maxRows = 6
	panel   = 2 // vectors of columns
)

// matmul generates the kernels of MatMul and the packing of its operand B.
func matmul(c *build.Context) {
	tiles(newCode(c, newAVX2), false)
	packRows(newCode(c, newAVX2))
	packTransposed(c)
}

// matmuljvp generates the kernels of MatMulJVP.
func matmuljvp(c *build.Context) { tiles(newCode(c, newAVX2), true) }

// tiles generates the kernels for whole panels, for tails of more than one vector and for narrower ones.
func tiles(k *code, tangent bool) {
	canonical := k.ConstData("canonicalNaN", operand.U32(0x7fc00000))
	for rows := maxRows; rows > 0; rows-- {
		tile{k, rows, panel, false, tangent}.generate(canonical)
		tile{k, rows, panel, true, tangent}.generate(canonical)
		tile{k, rows, 1, true, tangent}.generate(canonical)
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

// term is one product of a chain: the pointers to A (rows 0 and 3 of the block) and to the row of B.
type term struct{ a0, a3, b reg.GPVirtual }

func (t tile) generate(canonical operand.Mem) {
	c := t.Context
	t.begin(t.name(), "blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, mask *[8]int32")
	names := [][2]string{{"a", "b"}}
	if t.tangent {
		names = [][2]string{{"da", "b"}, {"a", "db"}} // the order of the law
	}

	am, ak, bk := load(c, "am", 2), load(c, "ak", 2), load(c, "bk", 2)
	var mask reg.VecVirtual
	if t.tail {
		mask = t.reg()
		p := load(c, "mask", 0)
		c.VMOVUPS(mem(p, 0), mask)
	}
	acc := make([][]reg.VecVirtual, t.rows)
	for i := range acc {
		acc[i] = t.regs(t.vecs)
	}

	c.Label("block")
	for _, row := range acc {
		t.clear(row...)
	}
	terms := make([]term, len(names))
	for i, n := range names {
		x := term{a0: load(c, n[0], 0), b: load(c, n[1], 0)}
		if t.rows > 3 {
			x.a3 = c.GP64()
			c.LEAQ(indexed(x.a0, am, 2), x.a3)
			c.ADDQ(am, x.a3)
		}
		terms[i] = x
	}
	k := load(c, "k", 0)

	c.Label("term")
	for _, x := range terms {
		b := t.regs(t.vecs)
		for j, r := range b {
			t.load(c, mem(x.b, j*t.bytes()), r, mask, j)
		}
		for i, row := range acc {
			at := t.reg()
			c.VBROADCASTSS(x.row(i, am), at)
			for j := range row {
				c.VFMADD231PS(b[j], at, row[j]) // acc = fma(a, b, acc)
			}
		}
		c.ADDQ(ak, x.a0)
		if t.rows > 3 {
			c.ADDQ(ak, x.a3)
		}
		c.ADDQ(bk, x.b)
	}
	c.DECQ(k)
	c.JNZ(operand.LabelRef("term"))

	t.store(c, acc, mask, canonical)

	// The next block of rows: the arguments' own slots hold the pointers between blocks.
	for _, n := range names {
		p := load(c, n[0], 0)
		for range t.rows {
			c.ADDQ(am, p)
		}
		c.Store(p, c.Param(n[0]))
	}
	blocks := load(c, "blocks", 0)
	c.DECQ(blocks)
	c.Store(blocks, c.Param("blocks"))
	c.JNZ(operand.LabelRef("block"))
	end(c)
}

// row is the address of A at row i of the block.
func (x term) row(i int, am reg.GPVirtual) operand.Mem {
	base := x.a0
	if i >= 3 {
		base, i = x.a3, i-3
	}
	if i == 0 {
		return mem(base, 0)
	}
	return indexed(base, am, uint8(i))
}

// masked tells whether vector j of a row is cut by the tail's mask.
func (t tile) masked(j int) bool { return t.tail && j == t.vecs-1 }

// load reads vector j of a row.
func (t tile) load(c *build.Context, m operand.Mem, r, mask reg.VecVirtual, j int) {
	if t.masked(j) {
		c.VMASKMOVPS(m, mask, r)
	} else {
		c.VMOVUPS(m, r)
	}
}

// store writes the block: C = acc, or C = C + acc when the chunk is not the first; a NaN as the canonical one.
func (t tile) store(c *build.Context, acc [][]reg.VecVirtual, mask reg.VecVirtual, canonical operand.Mem) {
	first := load(c, "c", 0)
	cm := load(c, "cm", 2)
	add := load(c, "add", 0)
	row := c.GP64()
	c.TESTQ(add, add)
	c.JZ(operand.LabelRef("store"))
	c.MOVQ(first, row)
	for _, vs := range acc {
		for j, x := range vs {
			if t.masked(j) {
				old := t.reg()
				c.VMASKMOVPS(mem(row, j*t.bytes()), mask, old)
				c.VADDPS(old, x, x)
			} else {
				c.VADDPS(mem(row, j*t.bytes()), x, x)
			}
		}
		c.ADDQ(cm, row)
	}
	c.Label("store")
	nan, isNaN := t.reg(), t.reg()
	c.VBROADCASTSS(canonical, nan)
	for _, vs := range acc {
		for j, x := range vs {
			c.VCMPPS(operand.U8(3), x, x, isNaN) // 3: unordered
			c.VBLENDVPS(isNaN, nan, x, x)
			if t.masked(j) {
				c.VMASKMOVPS(x, mask, mem(first, j*t.bytes()))
			} else {
				c.VMOVUPS(x, mem(first, j*t.bytes()))
			}
		}
		c.ADDQ(cm, first)
	}
	c.Store(first, c.Param("c"))
}

// packRows generates the copy of a panel of contiguous rows.
func packRows(v *code) {
	c := v.Context
	begin(c, "packRows16", "dst, src *float32, k, stride int",
		"copies k rows of 16 words, the first at src, the next at stride words, to dst, one after the other.")
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

// packTransposed generates the transposition of 8 columns of a panel whose terms are contiguous, 8 terms at a time.
func packTransposed(c *build.Context) {
	begin(c, "packTransposed8", "dst, src *float32, k, stride, n int",
		"turns n rows, 1 to 8, of k words, the first at src, the next at stride words, into k columns: dst[16*l+j]",
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
	storeTransposed(c, x, dst, panel*8)
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
	storeTransposed(c, x, dst, panel*8)
	c.Label("done")
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
