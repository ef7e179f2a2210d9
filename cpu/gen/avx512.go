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
