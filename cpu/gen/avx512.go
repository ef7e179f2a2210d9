package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx512 is AVX-512 F, BW, DQ and VL: 32 registers of 16 float32; masks have registers of their own.
type avx512 struct{ *build.Context }

func newAVX512(c *build.Context) isa { return avx512{c} }

func (c avx512) suffix() string          { return "AVX512" }
func (c avx512) lanes() int              { return 16 }
func (c avx512) reg() reg.VecVirtual     { return c.ZMM() }
func (c avx512) held() int               { return 14 } // the others are for two bodies of a function side by side
func (c avx512) scales() bool            { return true }
func (c avx512) zero(x reg.VecVirtual)   { c.VXORPS(x, x, x) } // avo knows that it reads nothing, but not of VPXORD
func (c avx512) xor(x, y, z operand.Op)  { c.VPXORD(x, y, z) }
func (c avx512) and(x, y, z operand.Op)  { c.VPANDD(x, y, z) }
func (c avx512) andn(y, x, z operand.Op) { c.VPANDND(y, x, z) }
func (c avx512) or(x, y, z operand.Op)   { c.VPORD(x, y, z) }

func (c avx512) xor3(x, y, z operand.Op) {
	c.VPTERNLOGD(operand.U8(0x96), x, y, z) // the bit of the sum of three
}

func (c avx512) compare(predicate uint8, b, a operand.Op) reg.Register {
	m := c.K()
	c.VCMPPS(operand.U8(predicate), b, a, m)
	return m
}

func (c avx512) equal(b, a operand.Op) reg.Register {
	m := c.K()
	c.VPCMPEQD(b, a, m)
	return m
}

func (c avx512) greater(b, a operand.Op) reg.Register {
	m := c.K()
	c.VPCMPGTD(b, a, m)
	return m
}

func (c avx512) blend(m reg.Register, x, y, z operand.Op) { c.VPBLENDMD(x, y, m, z) }
func (c avx512) keep(m reg.Register, x, z operand.Op)     { c.VMOVDQA32_Z(x, m, z) }

func (c avx512) loadMasked(from operand.Mem, m reg.Register, x reg.VecVirtual) {
	c.VMOVUPS_Z(from, m, x)
}
func (c avx512) storeMasked(x reg.VecVirtual, m reg.Register, to operand.Mem) { c.VMOVUPS(x, m, to) }

func (c avx512) firstLanes(n reg.GPVirtual) reg.Register {
	bits, m := c.GP32(), c.K()
	c.MOVL(operand.U32(0xffffffff), bits)
	c.BZHIL(n.As32(), bits, bits)
	c.KMOVW(bits, m)
	return m
}

func (c avx512) firstOf32(n reg.GPVirtual) []reg.Register {
	bits, low, high := c.GP32(), c.K(), c.K()
	c.MOVL(operand.U32(0xffffffff), bits)
	c.BZHIL(n.As32(), bits, bits)
	c.KMOVW(bits, low)
	c.SHRL(operand.U8(16), bits)
	c.KMOVW(bits, high)
	return []reg.Register{low, high}
}

func (c avx512) laneBits(m reg.Register, bits reg.GPVirtual) { c.KMOVW(m, bits) }

func (c avx512) within(x reg.VecVirtual, f func(y, x, z operand.Op)) {
	high := c.ZMM()
	c.VEXTRACTF64X4(operand.U8(1), x, high.AsY())
	f(high.AsY(), x.AsY(), x.AsY()) // h = 8
	c.VEXTRACTF32X4(operand.U8(1), x.AsY(), high.AsX())
	f(high.AsX(), x.AsX(), x.AsX()) // h = 4
	c.VPSHUFD(operand.U8(0xee), x.AsX(), high.AsX())
	f(high.AsX(), x.AsX(), x.AsX()) // h = 2
	c.VPSHUFD(operand.U8(0x55), x.AsX(), high.AsX())
	f(high.AsX(), x.AsX(), x.AsX()) // h = 1
}

func (c avx512) parts(h int, a, b, low, high operand.Op) {
	switch h {
	case 8:
		c.VSHUFF64X2(operand.U8(0x44), b, a, low)
		c.VSHUFF64X2(operand.U8(0xee), b, a, high)
	case 4:
		c.VSHUFF64X2(operand.U8(0x88), b, a, low)
		c.VSHUFF64X2(operand.U8(0xdd), b, a, high)
	case 2:
		c.VUNPCKLPD(b, a, low)
		c.VUNPCKHPD(b, a, high)
	case 1:
		c.VSHUFPS(operand.U8(0x88), b, a, low)
		c.VSHUFPS(operand.U8(0xdd), b, a, high)
	}
}
