package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const noSplit = attr.NOSPLIT

// load puts an integer or pointer parameter into a register; a stride in words becomes one in bytes with shift 2.
func load(c *build.Context, name string, shift uint64) reg.GPVirtual {
	r := c.GP64()
	c.Load(c.Param(name), r)
	if shift > 0 {
		c.SHLQ(operand.U8(shift), r)
	}
	return r
}

// mem is the memory at base + disp.
func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// indexed is the memory at base + scale*index.
func indexed(base, index reg.Register, scale uint8) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale}
}

// static is a table of bytes in read-only memory.
func static(c *build.Context, name string, table []byte) operand.Mem {
	m := c.StaticGlobal(name)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, b := range table {
		c.AddDatum(i, operand.U8(b))
	}
	return m
}

// bytesOf is a table that holds n times the words, little endian.
func bytesOf(n int, words ...int32) (table []byte) {
	for range n {
		for _, w := range words {
			table = append(table, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
	}
	return table
}

// constant is a register of 32 bytes that holds a table.
func constant(c *build.Context, name string, table []byte) reg.VecVirtual {
	r := c.YMM()
	c.VMOVDQU(static(c, name, table), r)
	return r
}

// broadcastParam is a register with a float64 parameter in every lane.
func broadcastParam(c *build.Context, name string) reg.VecVirtual {
	r, x := c.YMM(), c.XMM()
	c.Load(c.Param(name), x)
	c.VBROADCASTSD(x, r)
	return r
}

// ymm is the size of a register of code for AVX2 alone.
const ymm = 32

// yregs are n fresh registers of 32 bytes.
func yregs(c *build.Context, n int) []reg.VecVirtual { return newCode(c, newAVX2).regs(n) }

// yword is a fresh register of 32 bytes with a word in every lane.
func yword(c *build.Context, bits uint32) reg.VecVirtual { return newCode(c, newAVX2).word(bits) }
