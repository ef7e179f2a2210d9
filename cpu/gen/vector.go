package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector is a vector instruction set: code that is written against it is generated for each width.
type vector struct {
	lanes int                                            // float32 in a register
	reg   func(*build.Context) reg.VecVirtual            // a fresh register
	xor   func(*build.Context, operand.Op, reg.Register) // xor(x, y): y ^= x
}

// avx2 is AVX2 with FMA3, 8 float32 in a register.
var avx2 = vector{
	lanes: 8,
	reg:   (*build.Context).YMM,
	xor:   func(c *build.Context, x operand.Op, y reg.Register) { c.VPXOR(x, y, y) },
}

// bytes is the size of a register.
func (v vector) bytes() int { return 4 * v.lanes }

// regs are n fresh registers.
func (v vector) regs(c *build.Context, n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = v.reg(c)
	}
	return r
}

// clear sets registers to +0.
func (v vector) clear(c *build.Context, r ...reg.VecVirtual) {
	for _, x := range r {
		v.xor(c, x, x)
	}
}

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

// begin starts a function that calls nothing.
func begin(c *build.Context, name, signature string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(" + signature + ")")
}

// end returns to Go.
func end(c *build.Context) {
	c.VZEROUPPER()
	c.RET()
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

// constant is a register that holds a table.
func constant(c *build.Context, name string, table []byte) reg.VecVirtual {
	r := c.YMM()
	c.VMOVDQU(static(c, name, table), r)
	return r
}

// broadcast32 is a register with a word in every lane.
func broadcast32(c *build.Context, word uint32) reg.VecVirtual {
	w, x, r := c.GP32(), c.XMM(), c.YMM()
	c.MOVL(operand.U32(word), w)
	c.VMOVD(w, x)
	c.VPBROADCASTD(x, r)
	return r
}

// broadcastParam is a register with a float64 parameter in every lane.
func broadcastParam(c *build.Context, name string) reg.VecVirtual {
	r, x := c.YMM(), c.XMM()
	c.Load(c.Param(name), x)
	c.VBROADCASTSD(x, r)
	return r
}
