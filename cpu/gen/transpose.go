package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stripRows is the number of rows that are transposed together: the words of a cache line of the result.
const stripRows = 16

// transpose generates the transposition of rows.
func transpose(c *build.Context) { widths(c, transposeRows) }

func transposeRows(k *code) {
	c := k.Context
	k.begin("transposeRows", "y, x *uint32, n, from, to int",
		fmt.Sprintf("sets y[j*to+i] to x[i*from+j] for i < %d and j < n, a multiple of %[1]d above 0.", stripRows))
	y, x, n, from, to := load(c, "y", 0), load(c, "x", 0), load(c, "n", 0), load(c, "from", 2), load(c, "to", 2)
	c.Label("columns")
	row := c.GP64()
	c.MOVQ(x, row)
	for part := range stripRows / k.lanes() {
		r := k.regs(k.lanes())
		for _, v := range r {
			c.VMOVUPS(mem(row, 0), v)
			c.ADDQ(from, row)
		}
		column := c.GP64()
		c.MOVQ(y, column)
		for _, v := range transposed(k, r) {
			c.VMOVUPS(v, mem(column, part*k.bytes()))
			c.ADDQ(to, column)
		}
		if part == stripRows/k.lanes()-1 {
			c.MOVQ(column, y)
		}
	}
	c.ADDQ(operand.U8(k.bytes()), x)
	c.SUBQ(operand.U8(k.lanes()), n)
	c.JNZ(operand.LabelRef("columns"))
	end(c)
}

// transposed is the transposed square matrix x. Words are exchanged between the rows of a pair, then pairs of words between the
// pairs of four rows, then lanes of 128 bits between the fours.
func transposed(k *code, x []reg.VecVirtual) []reg.VecVirtual {
	c, n := k.Context, len(x)
	for i := 0; i < n; i += 2 {
		low, high := k.reg(), k.reg()
		c.VUNPCKLPS(x[i+1], x[i], low)
		c.VUNPCKHPS(x[i+1], x[i], high)
		x[i], x[i+1] = low, high
	}
	fours := make([][4]reg.VecVirtual, n/4) // [h][q]: columns q, q+4, .. of rows 4h to 4h+3
	for h := range fours {
		for p := range 2 {
			low, high := k.reg(), k.reg()
			c.VUNPCKLPD(x[4*h+2+p], x[4*h+p], low)
			c.VUNPCKHPD(x[4*h+2+p], x[4*h+p], high)
			fours[h][2*p], fours[h][2*p+1] = low, high
		}
	}
	y := make([]reg.VecVirtual, n)
	for q := range 4 {
		lanes := make([]reg.VecVirtual, n/4)
		for h := range lanes {
			lanes[h] = fours[h][q]
		}
		for p, r := range transposedLanes(k, lanes) {
			y[4*p+q] = r
		}
	}
	return y
}

// transposedLanes is the transposed square matrix of lanes of 128 bits, 2 by 2 or 4 by 4.
func transposedLanes(k *code, x []reg.VecVirtual) []reg.VecVirtual {
	pair := func(f func(order, b, a, y operand.Op), first, second uint64, a, b reg.VecVirtual) (low, high reg.VecVirtual) {
		low, high = k.reg(), k.reg()
		f(operand.U8(first), b, a, low)
		f(operand.U8(second), b, a, high)
		return low, high
	}
	if len(x) == 2 {
		low, high := pair(k.VPERM2F128, 0x20, 0x31, x[0], x[1])
		return []reg.VecVirtual{low, high}
	}
	shuffle := func(order, b, a, y operand.Op) { k.VSHUFF32X4(order, b, a, y) }
	a, b := pair(shuffle, 0x44, 0xee, x[0], x[1]) // lanes 0 and 1 of both, lanes 2 and 3 of both
	c, d := pair(shuffle, 0x44, 0xee, x[2], x[3])
	y0, y1 := pair(shuffle, 0x88, 0xdd, a, c)
	y2, y3 := pair(shuffle, 0x88, 0xdd, b, d)
	return []reg.VecVirtual{y0, y1, y2, y3}
}
