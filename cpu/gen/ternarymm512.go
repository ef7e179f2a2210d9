package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// zmm is the size of a 512-bit register: a wide block is the codes of one.
const zmm = 64

// ternaryWide generates the kernels of TernaryMM for 512-bit registers: sums along rows of W by AVX-512BW or by VNNI, sums over
// its rows by VBMI and VNNI.
func ternaryWide(c *build.Context, digitShifts operand.Mem) {
	ternaryDigitsWide(newCode(c, newAVX512))
	weights := [2]operand.Mem{ // of the two codes of a nibble, plus 1
		static(c, "firstWeightsWide", bytesOf(4, 1|2<<8|1<<16)),
		static(c, "secondWeightsWide", bytesOf(1, 0x01010101, 0x02020202, 0x01010101, 0)),
	}
	ternaryDotsWide(newCode(c, newAVX512), "ternaryDotsAVX512", weights, digitShifts, false)
	ternaryDotsWide(newCode(c, newAVX512), "ternaryDotsVNNI", weights, digitShifts, true)
	ternaryIndexAVX512(newCode(c, newAVX512))
	ternaryColumnsAVX512(newCode(c, newAVX512))
	ternaryIndexVBMI(newCode(c, newAVX512))
	ternaryColumnsVBMI(newCode(c, newAVX512))
}

// ternaryDigitsWide generates ternaryDigits for wide blocks. A float32 times a power of 2 is rounded only where it is subnormal, and so
// becomes the integer 0 in any case.
func ternaryDigitsWide(k *code) {
	c := k.Context
	begin(c, "ternaryDigitsAVX512", "digits *uint32, x *float32, blocks int, exponent float32, sum *[8]int64",
		"makes, for each block of 256 numbers q = RNE(x * 2^exponent), 16 vectors of 64 bytes: byte b of vector 4*i+t is digit t",
		"of number 4*b+i, where q is the sum of its four digits, -128 to 127, times 256^t. The sum of all q + 0x80808080 is that of the",
		"eight sums.")
	digits, x, blocks := load(c, "digits", 0), load(c, "x", 0), load(c, "blocks", 0)
	exponent, balance := broadcastFloat(k, "exponent"), k.word(0x80808080)
	low, sum := k.reg(), k.reg() // low: the low words of pairs
	c.VPTERNLOGD(operand.U8(0xff), low, low, low)
	c.VPSRLQ(operand.U8(32), low, low)
	k.clear(sum)
	c.Label("block")
	rows := make([]reg.VecVirtual, 16) // 128-bit lane l of row j: the digits of numbers 64l+4j to 64l+4j+3
	for g := range 4 {
		var q [4]reg.VecVirtual
		for l := range q {
			q[l] = k.reg()
			c.VMOVUPS(mem(x, 4*(64*l+16*g)), q[l])
			c.VSCALEFPS(exponent, q[l], q[l])
			c.VCVTPS2DQ(q[l], q[l])       // to nearest even
			c.VPADDD(balance, q[l], q[l]) // carries go up, and the digits are bytes less 128
			even, odd := k.reg(), k.reg()
			c.VPANDD(low, q[l], even)
			c.VPADDQ(even, sum, sum)
			c.VPSRLQ(operand.U8(32), q[l], odd)
			c.VPADDQ(odd, sum, sum)
			c.VPXORD(balance, q[l], q[l])
		}
		copy(rows[4*g:], exchanged(k, q))
	}
	for i, column := range shuffled(k, rows) {
		c.VMOVDQU32(column, mem(digits, zmm*i))
	}
	c.ADDQ(operand.U32(4*4*zmm), x)
	c.ADDQ(operand.U32(planes*positions*zmm), digits)
	c.DECQ(blocks)
	c.JNZ(operand.LabelRef("block"))
	at := load(c, "sum", 0)
	c.VMOVDQU32(sum, mem(at, 0))
	end(c)
}

// broadcastFloat is a register with a float32 parameter in every lane.
func broadcastFloat(k *code, name string) reg.VecVirtual {
	r, x := k.reg(), k.XMM()
	k.Load(k.Param(name), x)
	k.VBROADCASTSS(x, r)
	return r
}

// exchanged transposes the 4 x 4 matrix of the 128-bit lanes of four registers.
func exchanged(k *code, x [4]reg.VecVirtual) []reg.VecVirtual {
	half, y := k.regs(4), k.regs(4)
	for h := range 2 { // the lanes 0 and 1 of a pair of registers, then 2 and 3
		k.VSHUFI32X4(operand.U8(0x44), x[2*h+1], x[2*h], half[h])
		k.VSHUFI32X4(operand.U8(0xee), x[2*h+1], x[2*h], half[2+h])
	}
	for l := range y {
		k.VSHUFI32X4(operand.U8([]int{0x88, 0xdd}[l%2]), half[l/2*2+1], half[l/2*2], y[l])
	}
	return y
}

// ternaryDotsWide generates ternaryDots for wide blocks, the last one masked. Two rows of W at a time share what they load of the
// digits. VNNI adds the products of bytes in 32 bits: 2^19 blocks of at most 16 * 2 * 128. Without it, sums of 16 bits hold 16 blocks.
func ternaryDotsWide(k *code, name string, tables [2]operand.Mem, digitShifts operand.Mem, vnni bool) {
	c := k.Context
	limit := "At most 16 blocks."
	if vnni {
		limit = "At most 2^19 blocks."
	}
	begin(c, name, "sums *int64, w *uint32, pitch, rows int, digits *uint32, blocks, rest int",
		"adds to sums[j], for the codes at row j of w, the sum of (weight + 1) * q over blocks blocks of 256 codes and, if rest is",
		"not 0, one of which only rest words are in memory. The pitch from row to row is in bytes. "+limit)
	sums, pitch, rows := load(c, "sums", 0), load(c, "pitch", 0), load(c, "rows", 0)
	var at [2]reg.GPVirtual // the codes of both rows
	at[0] = load(c, "w", 0)
	first, second := k.reg(), k.reg()
	c.VBROADCASTI32X4(tables[0], first)
	c.VBROADCASTI32X4(tables[1], second)
	nibble := k.word(0x0f0f0f0f)
	rest := load(c, "rest", 0)
	some := c.GP64()
	c.MOVQ(rest, some)
	mask := k.firstLanes(some)
	acc := [2][]reg.VecVirtual{k.regs(planes), k.regs(planes)}
	at[1] = c.GP64()

	c.Label("rows")
	c.MOVQ(at[0], at[1])
	c.CMPQ(rows, operand.U8(1))
	c.JE(operand.LabelRef("begin")) // a row without another is its own pair
	c.ADDQ(pitch, at[1])
	c.Label("begin")
	k.clear(append(acc[0], acc[1]...)...)
	digits, blocks, offset := load(c, "digits", 0), load(c, "blocks", 0), c.GP64()
	c.XORQ(offset, offset)
	c.TESTQ(blocks, blocks)
	c.JZ(operand.LabelRef("rest"))
	addBlock := func(load func(m operand.Mem, r reg.VecVirtual)) {
		var low, high [2]reg.VecVirtual
		for r := range at {
			codes := k.reg()
			load(indexed(at[r], offset, 1), codes)
			low[r], high[r] = k.reg(), k.reg()
			c.VPANDD(nibble, codes, low[r])
			c.VPSRLW(operand.U8(4), codes, high[r])
			c.VPANDD(nibble, high[r], high[r])
		}
		for i := range positions {
			index, table := low, first
			if i >= 2 {
				index = high
			}
			if i%2 == 1 {
				table = second
			}
			weights := k.regs(2)
			for r := range at {
				c.VPSHUFB(index[r], table, weights[r])
			}
			for t := range planes {
				d := k.reg()
				c.VMOVDQU32(mem(digits, zmm*(planes*i+t)), d)
				for r := range at {
					if vnni {
						c.VPDPBUSD(d, weights[r], acc[r][t])
						continue
					}
					x := k.reg()
					c.VPMADDUBSW(d, weights[r], x)
					c.VPADDW(x, acc[r][t], acc[r][t])
				}
			}
		}
	}
	c.Label("block")
	addBlock(func(m operand.Mem, r reg.VecVirtual) { c.VMOVDQU32(m, r) })
	c.ADDQ(operand.U8(zmm), offset)
	c.ADDQ(operand.U32(planes*positions*zmm), digits)
	c.DECQ(blocks)
	c.JNZ(operand.LabelRef("block"))
	c.Label("rest")
	c.TESTQ(rest, rest)
	c.JZ(operand.LabelRef("sum"))
	addBlock(func(m operand.Mem, r reg.VecVirtual) { c.VMOVDQU32_Z(m, mask, r) }) // what is masked has digits of 0

	c.Label("sum")
	ones := k.word(1<<16 | 1)
	for r := range at {
		if r == 1 {
			c.CMPQ(rows, operand.U8(1))
			c.JE(operand.LabelRef("done"))
		}
		if !vnni {
			for _, a := range acc[r] {
				c.VPMADDWD(ones, a, a)
			}
		}
		half := yregs(c, planes)
		for t, a := range acc[r] {
			c.VEXTRACTI64X4(operand.U8(1), a, half[t])
			c.VPADDD(a.AsY(), half[t], half[t])
		}
		total := weigh(c, half, digitShifts)
		c.ADDQ(total, mem(sums, 8*r))
	}
	c.ADDQ(operand.U8(16), sums)
	c.LEAQ(indexed(at[1], pitch, 1), at[0])
	c.SUBQ(operand.U8(2), rows)
	c.JNZ(operand.LabelRef("rows"))
	c.Label("done")
	end(c)
}
