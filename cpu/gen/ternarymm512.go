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
	ternaryIndexWide(newCode(c, newAVX512))
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

// Functions of three bits as VPTERNLOGD wants them: by a the destination, b and c the sources, the last one first.
const (
	firstWhere  = 0xe4 // c ? a : b
	secondWhere = 0xd8 // c ? b : a
	andOr       = 0xea // a & b | c
)

// ternaryIndexWide generates, for groups of 8 rows of W and the columns of a wide block, the pairs of codes of each column: byte p of
// a 32-bit lane is that of rows 2p and 2p+1, a nibble for each of two positions.
func ternaryIndexWide(k *code) {
	c := k.Context
	begin(c, "ternaryIndexVBMI", "index, w *uint32, pitch, last, groups, words int",
		"makes, for groups of 8 rows and the 256 columns at w, 8 vectors of 64 bytes a group: byte 4e+p of 128-bit lane l of vector 2u+i",
		"are the codes in rows 2p and 2p+1, of column 64l+16u+4e+i in the low nibble, and of the column two further in the high one.",
		"Of a row only so many words are in memory. The pitch from row to row and the offset of the last row, which stands for those",
		"behind it, too, are in bytes.")
	index, row, pitch, last, groups := load(c, "index", 0), load(c, "w", 0), load(c, "pitch", 0), load(c, "last", 0), load(c, "groups", 0)
	c.ADDQ(row, last)
	mask := k.firstLanes(load(c, "words", 0))
	even := k.word(0x33333333)
	next := c.GP64()
	c.Label("group")
	c.LEAQ(indexed(row, pitch, 8), next)
	var x, y [4]reg.VecVirtual // by pairs of rows: the nibbles of positions 0 and 2, 1 and 3
	for p := range x {
		var pair [2]reg.VecVirtual
		for r := range pair {
			pair[r] = k.reg()
			c.VMOVDQU32_Z(mem(row, 0), mask, pair[r])
			c.ADDQ(pitch, row)
			c.CMPQ(row, last)
			c.CMOVQHI(last, row)
		}
		x[p], y[p] = k.reg(), k.reg()
		c.VPSLLW(operand.U8(2), pair[1], x[p])
		c.VPTERNLOGD(operand.U8(secondWhere), even, pair[0], x[p])
		c.VPSRLW(operand.U8(2), pair[0], y[p])
		c.VPTERNLOGD(operand.U8(firstWhere), even, pair[1], y[p])
	}
	for i, nibbles := range [][4]reg.VecVirtual{x, y} {
		for u, r := range interleaved(k, nibbles) {
			c.VMOVDQU32(r, mem(index, zmm*(2*u+i)))
		}
	}
	c.ADDQ(operand.U32(groupBytes), index)
	c.MOVQ(next, row)
	c.DECQ(groups)
	c.JNZ(operand.LabelRef("group"))
	end(c)
}

// groupBytes are the indices of 8 rows: a nibble for each column of a wide block and pair of rows.
const groupBytes = 8 * zmm

// interleaved makes of four vectors of bytes four in which they alternate, in each 128-bit lane.
func interleaved(k *code, x [4]reg.VecVirtual) (y [4]reg.VecVirtual) {
	t := k.regs(4)
	k.VPUNPCKLBW(x[1], x[0], t[0])
	k.VPUNPCKHBW(x[1], x[0], t[1])
	k.VPUNPCKLBW(x[3], x[2], t[2])
	k.VPUNPCKHBW(x[3], x[2], t[3])
	for h := range 2 {
		y[2*h], y[2*h+1] = k.reg(), k.reg()
		k.VPUNPCKLWD(t[2+h], t[h], y[2*h])
		k.VPUNPCKHWD(t[2+h], t[h], y[2*h+1])
	}
	return y
}

// ternaryColumnsVBMI generates the products for the columns of a wide block. A byte permutation looks the pairs of codes of 8 rows
// up in the tables of their four pairs, plane by plane, and VNNI adds the four bytes that are a column's.
func ternaryColumnsVBMI(k *code) {
	c := k.Context
	begin(c, "ternaryColumnsVBMI", "y *float32, index, tables *uint32, stride, groups int, exponent float32",
		"computes 256 outputs y = f32(f32(T) * 2^exponent), where T is the sum of what the tables give for the indices over at most",
		"1024 groups, less 2^33 a group.")
	y, index, stride := load(c, "y", 0), load(c, "index", 0), load(c, "stride", 0)
	exponent := broadcastFloat(k, "exponent")
	bias, excess := k.reg(), load(c, "groups", 0) // of the upper two planes
	c.SHLQ(operand.U8(33-16), excess)
	c.VPBROADCASTD(excess.As32(), bias)
	ones, nibble, tables := k.word(0x01010101), k.word(0x0f0f0f0f), k.word(0x30201000) // table p is entries 16p to 16p+15
	quarter := c.GP64()
	c.MOVQ(operand.U32(4), quarter)
	acc := make([][]reg.VecVirtual, positions) // [positions][planes]
	for i := range acc {
		acc[i] = k.regs(planes)
	}

	c.Label("quarter")
	for _, a := range acc {
		k.clear(a...)
	}
	table, third, at, groups := load(c, "tables", 0), c.GP64(), c.GP64(), load(c, "groups", 0)
	c.LEAQ(indexed(table, stride, 2), third)
	c.MOVQ(index, at)
	c.Label("group")
	entries := k.regs(planes)
	for t, r := range entries {
		base := []reg.GPVirtual{table, third}[t/2]
		if t%2 == 0 {
			c.VMOVDQU32(mem(base, 0), r)
		} else {
			c.VMOVDQU32(indexed(base, stride, 1), r)
		}
	}
	for i := range 2 {
		low, high := k.reg(), k.reg()
		c.VMOVDQU32(mem(at, zmm*i), low)
		c.VPSRLW(operand.U8(4), low, high)
		for h, indices := range []reg.VecVirtual{low, high} {
			c.VPTERNLOGD(operand.U8(andOr), tables, nibble, indices)
			for t := range planes {
				x := k.reg()
				c.VPERMB(entries[t], indices, x)
				c.VPDPBUSD(ones, x, acc[i+2*h][t])
			}
		}
	}
	c.ADDQ(operand.U32(groupBytes), at)
	c.ADDQ(operand.U8(zmm), table)
	c.ADDQ(operand.U8(zmm), third)
	c.DECQ(groups)
	c.JNZ(operand.LabelRef("group"))

	for _, a := range acc {
		outputs(k, a, bias, exponent)
	}
	storeColumns(k, [4]reg.VecVirtual{acc[0][0], acc[1][0], acc[2][0], acc[3][0]}, y)
	c.ADDQ(operand.U32(2*zmm), index)
	c.ADDQ(operand.U8(zmm), y)
	c.DECQ(quarter)
	c.JNZ(operand.LabelRef("quarter"))
	end(c)
}

// outputs makes 16 outputs of the sums of the planes, in the first one's register. No plane's sum exceeds 2^20, so that two planes
// make 32 bits.
func outputs(k *code, a []reg.VecVirtual, bias, exponent reg.VecVirtual) {
	for t := 0; t < planes; t += 2 {
		k.VPSLLD(operand.U8(8), a[t+1], a[t+1])
		k.VPADDD(a[t+1], a[t], a[t])
	}
	k.VPSUBD(bias, a[2], a[2])
	half := [2]reg.VecVirtual{k.YMM(), k.YMM()}
	for h, y := range half {
		low, high := a[0].AsY(), a[2].AsY()
		if h == 1 {
			low, high = k.YMM(), k.YMM()
			k.VEXTRACTI64X4(operand.U8(1), a[0], low)
			k.VEXTRACTI64X4(operand.U8(1), a[2], high)
		}
		sum, rest := k.ZMM(), k.ZMM()
		k.VPMOVSXDQ(high, sum)
		k.VPMOVZXDQ(low, rest)
		k.VPSLLQ(operand.U8(16), sum, sum)
		k.VPADDQ(rest, sum, sum)
		k.VCVTQQ2PS(sum, y)
	}
	k.VINSERTF64X4(operand.U8(1), half[1], half[0].AsZ(), a[0])
	k.VSCALEFPS(exponent, a[0], a[0])
}

// storeColumns writes lane e of 128-bit lane l of x[i] to y[64l+4e+i].
func storeColumns(k *code, x [4]reg.VecVirtual, y reg.GPVirtual) {
	t := k.regs(4)
	for h := range 2 {
		k.VUNPCKLPS(x[2*h+1], x[2*h], t[2*h])
		k.VUNPCKHPS(x[2*h+1], x[2*h], t[2*h+1])
	}
	var v [4]reg.VecVirtual // v[e]: entries 4e to 4e+3 of each part
	for h := range 2 {
		v[2*h], v[2*h+1] = k.reg(), k.reg()
		k.VUNPCKLPD(t[2+h], t[h], v[2*h])
		k.VUNPCKHPD(t[2+h], t[h], v[2*h+1])
	}
	for l, part := range exchanged(k, v) {
		k.VMOVUPS(part, mem(y, 4*64*l))
	}
}
