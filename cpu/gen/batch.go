package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// batch generates the Feistel rounds of an epoch's order.
func batch(c *build.Context) { widths(c, feistel) }

// feistelRun is the number of words that take the rounds side by side, to hide the latency of the multiplications.
const feistelRun = 32

func feistel(k *code) {
	c := k.Context
	k.begin("feistelWords", "x *uint32, n int, half, mask uint32, keys *[8]uint32",
		fmt.Sprintf("takes n > 0 words, and those up to the next multiple of %d, through the eight rounds; the halves of a word have", feistelRun),
		"half bits, those of mask.")
	x, n, keys := load(c, "x", 0), load(c, "n", 0), load(c, "keys", 0)
	param := func(name string) reg.GPVirtual {
		r := c.GP32()
		c.Load(c.Param(name), r)
		return r
	}
	half, mask := c.XMM(), k.broadcast32(param("mask"))
	c.VMOVD(param("half"), half)
	m0, m1 := k.word(0x85ebca6b), k.word(0xc2b2ae35)

	c.Label("words")
	vectors := feistelRun / k.lanes()
	left, right := k.regs(vectors), k.regs(vectors)
	for i := range vectors {
		c.VMOVUPS(mem(x, i*k.bytes()), right[i])
		c.VPSRLD(half, right[i], left[i])
		k.and(mask, right[i], right[i])
	}
	for round := range 8 {
		key := k.reg()
		c.VPBROADCASTD(mem(keys, 4*round), key)
		for i := range vectors {
			f, high := k.reg(), k.reg()
			k.xor(key, right[i], f)
			c.VPSRLD(operand.U8(16), f, high)
			k.xor(high, f, f)
			c.VPMULLD(m0, f, f)
			c.VPSRLD(operand.U8(13), f, high)
			k.xor(high, f, f)
			c.VPMULLD(m1, f, f)
			c.VPSRLD(operand.U8(16), f, high)
			k.xor(high, f, f)
			k.and(mask, f, f)
			k.xor(f, left[i], left[i])
		}
		left, right = right, left
	}
	for i := range vectors {
		c.VPSLLD(half, left[i], left[i])
		k.or(left[i], right[i], right[i])
		c.VMOVUPS(right[i], mem(x, i*k.bytes()))
	}
	c.ADDQ(operand.U32(feistelRun*4), x)
	c.SUBQ(operand.U8(feistelRun), n)
	c.JG(operand.LabelRef("words"))
	end(c)
}
