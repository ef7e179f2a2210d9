package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// drawGroup is the number of words of which whole multiples are drawn, as in cpu/draws.go.
const drawGroup = 64

// draws generates the words of Philox 4x32-10 and what turns them into draws in place.
func draws(c *build.Context) {
	widths(c, func(k *code) {
		philox(k)
		inPlace{"uniformWords", "lo, width", "lo + width * (w >> 8) * 2^-24, each step rounded", uniform}.generate(k)
		inPlace{"integerWords", "below", "(w * below) >> 32", integer}.generate(k)
		signs(k)
		normal(k)
	})
}

// philoxRun is the number of vectors of blocks on which a round works side by side, to hide the latency of the multiplications.
const philoxRun = 2

// philox generates the words of consecutive blocks. A lane of 64 bits holds a word of one block: the product that a round takes of
// it fills the lane, and what stands above a word is never looked at.
func philox(k *code) {
	c := k.Context
	k.begin("philoxWords", "w *uint32, n int, keys *[20]uint32, t, block uint64",
		fmt.Sprintf("writes the words of the blocks from block on, for n > 0 words, a multiple of %d.", drawGroup))
	w, n, keys, block := load(c, "w", 0), load(c, "n", 0), load(c, "keys", 0), load(c, "block", 0)
	blocks := k.lanes() / 2 // of a vector
	// The words of neighbouring lanes, in the halves of 128 bits, are stored one vector apart.
	order := make([]int32, 0, k.lanes())
	for i := range blocks {
		order = append(order, int32(i/2+i%2*blocks/2), 0)
	}
	table := static(c, "blockOrder"+k.suffix(), bytesOf(1, order...))
	m0, m1 := k.word(0xD2511F53), k.word(0xCD9E8D57)
	t := k.broadcast64(load(c, "t", 0))

	c.Label("blocks")
	state := make([][]reg.VecVirtual, philoxRun)
	for i := range state {
		s := k.regs(4)
		c.VPADDQ(table, k.broadcast64(block), s[0])
		c.VPSRLQ(operand.U8(32), s[0], s[1])
		c.VMOVUPS(t, s[2])
		c.VPSRLQ(operand.U8(32), t, s[3])
		c.ADDQ(operand.U8(blocks), block)
		state[i] = s
	}
	for round := range 10 {
		k0, k1 := k.reg(), k.reg()
		c.VPBROADCASTD(mem(keys, 8*round), k0)
		c.VPBROADCASTD(mem(keys, 8*round+4), k1)
		for _, s := range state {
			p0, p1 := k.reg(), k.reg()
			c.VPMULUDQ(m0, s[0], p0)
			c.VPMULUDQ(m1, s[2], p1)
			c.VPSRLQ(operand.U8(32), p1, s[0])
			k.xor3(k0, s[1], s[0])
			c.VPSRLQ(operand.U8(32), p0, s[2])
			k.xor3(k1, s[3], s[2])
			s[1], s[3] = p1, p0
		}
	}
	for i, s := range state {
		c.VSHUFPS(operand.U8(0x88), s[1], s[0], s[0]) // words 0, 0, 1, 1 of two blocks
		c.VSHUFPS(operand.U8(0x88), s[3], s[2], s[2]) // words 2, 2, 3, 3
		c.VSHUFPS(operand.U8(0x88), s[2], s[0], s[1])
		c.VSHUFPS(operand.U8(0xdd), s[2], s[0], s[3])
		c.VMOVUPS(s[1], mem(w, 2*i*k.bytes()))
		c.VMOVUPS(s[3], mem(w, (2*i+1)*k.bytes()))
	}
	c.ADDQ(operand.U32(2*philoxRun*k.bytes()), w)
	c.SUBQ(operand.U8(2*philoxRun*k.lanes()), n)
	c.JNZ(operand.LabelRef("blocks"))
	end(c)
}

// inPlace is a function that replaces words. Its parameters are words that stand in every lane.
type inPlace struct {
	name, params, doc string
	body              func(k *code, w reg.VecVirtual, p []reg.VecVirtual)
}

// uniform makes of a word a number between two others.
func uniform(k *code, w reg.VecVirtual, p []reg.VecVirtual) {
	k.VPSRLD(operand.U8(8), w, w)
	k.VCVTDQ2PS(w, w) // exact
	k.VMULPS(k.word(math.Float32bits(0x1p-24)), w, w)
	k.VMULPS(p[1], w, w)
	k.VADDPS(p[0], w, w)
}

// integer makes of a word an integer below another one.
func integer(k *code, w reg.VecVirtual, p []reg.VecVirtual) {
	odd := k.reg()
	k.VPSRLQ(operand.U8(32), w, odd)
	k.VPMULUDQ(p[0], w, w)
	k.VPMULUDQ(p[0], odd, odd)
	k.VSHUFPS(operand.U8(0xdd), odd, w, w) // the high words of the products 0, 2, 1, 3
	k.VPSHUFD(operand.U8(0xd8), w, w)
}

// inPlaceRun is the number of vectors that a turn of the loop replaces.
const inPlaceRun = 2

func (f inPlace) generate(k *code) {
	c := k.Context
	k.begin(f.name, "w *uint32, n int, "+f.params+" uint32", fmt.Sprintf("replaces each of n > 0 words, a multiple of %d, by %s.", drawGroup, f.doc))
	w, n := load(c, "w", 0), load(c, "n", 0)
	var params []reg.VecVirtual
	for _, name := range strings.Split(f.params, ", ") {
		p := c.GP32()
		c.Load(c.Param(name), p)
		params = append(params, k.broadcast32(p))
	}
	k.preload(func(k *code) { f.body(k, k.reg(), k.regs(len(params))) })
	c.Label("vectors")
	for i := range inPlaceRun {
		x := k.reg()
		c.VMOVUPS(mem(w, i*k.bytes()), x)
		f.body(k, x, params)
		c.VMOVUPS(x, mem(w, i*k.bytes()))
	}
	c.ADDQ(operand.U32(inPlaceRun*k.bytes()), w)
	c.SUBQ(operand.U8(inPlaceRun*k.lanes()), n)
	c.JNZ(operand.LabelRef("vectors"))
	end(c)
}

// signs generates the numbers +1 and -1 from bits.
func signs(k *code) {
	c := k.Context
	k.begin("signs", "y, w *uint32, n int", "writes 1 for each clear bit and -1 for each set bit of n > 0 words, the least significant bit first.")
	y, w, n := load(c, "y", 0), load(c, "w", 0), load(c, "n", 0)
	sign, one := k.word(signBit), k.word(math.Float32bits(1))
	lift := k.regs(32 / k.lanes()) // how far the bit of a lane is from the sign's
	var distances []int32
	for bit := range int32(32) {
		distances = append(distances, 31-bit)
	}
	table := static(c, "distances"+k.suffix(), bytesOf(1, distances...))
	for i, r := range lift {
		c.VMOVUPS(table.Offset(i*k.bytes()), r)
	}
	c.Label("word")
	bits := k.reg()
	c.VPBROADCASTD(mem(w, 0), bits)
	for i, r := range lift {
		x := k.reg()
		c.VPSLLVD(r, bits, x)
		k.and(sign, x, x)
		k.or(one, x, x)
		c.VMOVUPS(x, mem(y, i*k.bytes()))
	}
	c.ADDQ(operand.U8(4), w)
	c.SUBQ(operand.I8(-128), y)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("word"))
	end(c)
}

// normal generates the method of Box and Muller. The words of a pair lie side by side, and so do its normal values.
func normal(k *code) {
	c := k.Context
	k.begin("normalWords", "w *uint32, n int", fmt.Sprintf("replaces each pair of n > 0 words, a multiple of %d, by a pair of normal values.", drawGroup))
	w, n := load(c, "w", 0), load(c, "n", 0)
	k.preload(func(k *code) { boxMuller(k, k.reg(), k.reg()) })
	c.Label("pairs")
	low, high, first, second := k.reg(), k.reg(), k.reg(), k.reg()
	c.VMOVUPS(mem(w, 0), low)
	c.VMOVUPS(mem(w, k.bytes()), high)
	c.VSHUFPS(operand.U8(0x88), high, low, first)
	c.VSHUFPS(operand.U8(0xdd), high, low, second)
	x, y := boxMuller(k, first, second)
	c.VUNPCKLPS(y, x, low)
	c.VUNPCKHPS(y, x, high)
	c.VMOVUPS(low, mem(w, 0))
	c.VMOVUPS(high, mem(w, k.bytes()))
	c.ADDQ(operand.U32(2*k.bytes()), w)
	c.SUBQ(operand.U8(2*k.lanes()), n)
	c.JNZ(operand.LabelRef("pairs"))
	end(c)
}

// boxMuller makes the normal values of the words w0 and w1, which it overwrites, by the steps of op.Normal.
func boxMuller(k *code, w0, w1 reg.VecVirtual) (x, y reg.VecVirtual) {
	for _, w := range []reg.VecVirtual{w0, w1} {
		k.VPSRLD(operand.U8(8), w, w)
	}
	k.VPADDD(k.number(1), w0, w0)
	k.VCVTDQ2PS(w0, w0)
	k.VCVTDQ2PS(w1, w1)
	k.VMULPS(k.number(math.Float32bits(0x1p-24)), w0, w0) // u = ((w0 >> 8) + 1) * 2^-24
	k.VMULPS(k.number(math.Float32bits(0x1p-23)), w1, w1) // 2 v, v = (w1 >> 8) * 2^-24, both exact
	r := logarithm(k, w0)
	k.VMULPS(k.number(math.Float32bits(-2)), r, r) // r = sqrt(-2 * log(u))
	k.VSQRTPS(r, r)
	s, c, i := waves(k, w1)
	j := k.reg()
	k.VPADDD(k.number(1), i, j)
	x, y = k.quarter(s, c, j), k.quarter(s, c, i) // cospi(2 v), sinpi(2 v); 2 v has no sign
	k.VMULPS(r, x, x)
	k.VMULPS(r, y, y)
	return x, y
}
