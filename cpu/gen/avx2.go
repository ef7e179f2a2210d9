package main

import (
	"slices"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx2 is AVX2 with FMA3: 16 registers of 8 float32; masks are vectors.
type avx2 struct{ *build.Context }

func newAVX2(c *build.Context) isa { return avx2{c} }

func (c avx2) suffix() string          { return "AVX2" }
func (c avx2) lanes() int              { return 8 }
func (c avx2) reg() reg.VecVirtual     { return c.YMM() }
func (c avx2) held() int               { return 2 } // their instructions may as well take them from memory
func (c avx2) scales() bool            { return false }
func (c avx2) zero(x reg.VecVirtual)   { c.VPXOR(x, x, x) }
func (c avx2) xor(x, y, z operand.Op)  { c.VPXOR(x, y, z) }
func (c avx2) and(x, y, z operand.Op)  { c.VPAND(x, y, z) }
func (c avx2) andn(y, x, z operand.Op) { c.VPANDN(y, x, z) }
func (c avx2) or(x, y, z operand.Op)   { c.VPOR(x, y, z) }

func (c avx2) xor3(x, y, z operand.Op) {
	c.VPXOR(x, z, z)
	c.VPXOR(y, z, z)
}

func (c avx2) compare(predicate uint8, b, a operand.Op) reg.Register {
	m := c.YMM()
	c.VCMPPS(operand.U8(predicate), b, a, m)
	return m
}

func (c avx2) equal(b, a operand.Op) reg.Register {
	m := c.YMM()
	c.VPCMPEQD(b, a, m)
	return m
}

func (c avx2) greater(b, a operand.Op) reg.Register {
	m := c.YMM()
	c.VPCMPGTD(b, a, m)
	return m
}

func (c avx2) blend(m reg.Register, x, y, z operand.Op) { c.VBLENDVPS(m, x, y, z) }
func (c avx2) keep(m reg.Register, x, z operand.Op)     { c.VPAND(x, m, z) }

func (c avx2) loadMasked(from operand.Mem, m reg.Register, x reg.VecVirtual) {
	c.VMASKMOVPS(from, m, x)
}
func (c avx2) storeMasked(x reg.VecVirtual, m reg.Register, to operand.Mem) { c.VMASKMOVPS(x, m, to) }

// laneTables holds, by file, the table of firstLanes: 8 words of -1 and 8 of 0, of which a load takes 8.
var laneTables = map[*build.Context]operand.Mem{}

func (c avx2) firstLanes(n reg.GPVirtual) reg.Register {
	table, made := laneTables[c.Context]
	if !made {
		table = static(c.Context, "firstLanes", bytesOf(1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0))
		laneTables[c.Context] = table
	}
	base, mask := c.GP64(), c.YMM()
	c.LEAQ(table, base)
	c.NEGQ(n)
	c.VMOVUPS(operand.Mem{Base: base, Index: n, Scale: 4, Disp: 32}, mask)
	return mask
}

func (c avx2) firstOf32(n reg.GPVirtual) (masks []reg.Register) {
	table, made := lane32Tables[c.Context]
	if !made {
		table = static(c.Context, "firstOf32", bytesOf(1, append(slices.Repeat([]int32{-1}, 32), make([]int32, 32)...)...))
		lane32Tables[c.Context] = table
	}
	base := c.GP64()
	c.LEAQ(table.Offset(4*32), base)
	c.NEGQ(n)
	for i := range 4 {
		mask := c.YMM()
		c.VMOVUPS(operand.Mem{Base: base, Index: n, Scale: 4, Disp: ymm * i}, mask)
		masks = append(masks, mask)
	}
	return masks
}

// lane32Tables holds, by file, the table of firstOf32.
var lane32Tables = map[*build.Context]operand.Mem{}

func (c avx2) laneBits(m reg.Register, bits reg.GPVirtual) { c.VMOVMSKPS(m, bits) }

func (c avx2) within(x reg.VecVirtual, f func(y, x, z operand.Op)) {
	low, high := x.AsX(), c.XMM()
	c.VEXTRACTF128(operand.U8(1), x, high)
	f(high, low, low) // h = 4
	c.VPSHUFD(operand.U8(0xee), low, high)
	f(high, low, low) // h = 2
	c.VPSHUFD(operand.U8(0x55), low, high)
	f(high, low, low) // h = 1
}

func (c avx2) parts(h int, a, b, low, high operand.Op) {
	switch h {
	case 4:
		c.VPERM2F128(operand.U8(0x20), b, a, low)
		c.VPERM2F128(operand.U8(0x31), b, a, high)
	case 2:
		c.VUNPCKLPD(b, a, low)
		c.VUNPCKHPD(b, a, high)
	case 1:
		c.VSHUFPS(operand.U8(0x88), b, a, low)
		c.VSHUFPS(operand.U8(0xdd), b, a, high)
	}
}
