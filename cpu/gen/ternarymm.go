package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A block is the codes of one register: four to a byte, code 4b+i in bits 2i and 2i+1 of byte b. Kernels take the bytes of a
// block side by side and the four positions i one after the other.
const (
	positions = 4
	planes    = 4 // bytes of a fixed-point number
)

// ternarymm generates the kernels of TernaryMM.
func ternarymm(c *build.Context) {
	largestMagnitude(c)
	ternaryTables(c)
	ternaryIndex(c, "ternaryIndex", ymm,
		"makes, for pairs of rows and the 128 columns at w, 4 vectors of 32 bytes a pair: byte b of vector i is the table",
		"index of column 4b+i. The pitch from row to row and the offset of the first row of the last pair, which may overlap the pair",
		"before, are in bytes.")
	ternaryIndex(c, "ternaryIndexHalf", ymm/2, "is ternaryIndex where only 64 columns are in memory; it indexes them twice.")
	ternaryColumns(c)
	ternaryScale(c)
	ternaryDigits(c)
	shifts := c.ConstData("digitShifts", operand.U32(24<<24|16<<16|8<<8))
	ternaryDots(c, shifts)
	ternaryWide(c, shifts)
}

// largestMagnitude generates the maximum of the bits of |x|.
func largestMagnitude(c *build.Context) {
	begin(c, "largestMagnitude", "x *float32, n int, largest *[8]uint32",
		"is, by lanes, the maximum of the bits of |x[i]|, i < n, for a multiple n > 0 of 8.")
	x, n, largest := load(c, "x", 0), load(c, "n", 0), load(c, "largest", 0)
	magnitude, m, v := c.YMM(), c.YMM(), c.YMM()
	c.VPCMPEQD(magnitude, magnitude, magnitude)
	c.VPSRLD(operand.U8(1), magnitude, magnitude)
	c.VPXOR(m, m, m)
	c.Label("loop")
	c.VPAND(mem(x, 0), magnitude, v)
	c.VPMAXUD(v, m, m)
	c.ADDQ(operand.U8(32), x)
	c.SUBQ(operand.U8(8), n)
	c.JNZ(operand.LabelRef("loop"))
	c.VMOVDQU(m, mem(largest, 0))
	end(c)
}

// ternaryTables generates, for pairs of fixed-point numbers (q0, q1), the 16 sums c0 q0 + c1 q1 + 2^31 by the pair of codes
// (bits 0 and 1: c0, bits 2 and 3: c1), as 4 tables of bytes, the lowest first.
func ternaryTables(c *build.Context) {
	begin(c, "ternaryTables", "tables, q *uint32, stride, pairs int",
		"makes four tables of 16 bytes for each pair of the numbers q: byte t of c0*q0 + c1*q1 + 2^31 is entry i of table",
		"t, where bits 0 and 1 of i are the code of c0, bits 2 and 3 that of c1. Table t is at stride*t bytes.")
	tables, q, stride, pairs := load(c, "tables", 0), load(c, "q", 0), load(c, "stride", 0), load(c, "pairs", 0)
	third := c.GP64()
	c.LEAQ(indexed(tables, stride, 2), third)
	// The register u holds the sums of codes 0 to 3 and 8 to 11, v those of 4 to 7 and 12 to 15: in u c1 is 0, in v +1 and -1.
	signs0 := constant(c, "tableSigns0", bytesOf(2, 0, 1, 0, -1))
	signs1 := constant(c, "tableSigns1", bytesOf(1, 1, 1, 1, 1, -1, -1, -1, -1))
	bias := yword(c, 1<<31)
	var order []byte
	for range 2 {
		for t := range planes {
			for i := range 4 {
				order = append(order, byte(4*i+t))
			}
		}
	}
	byPlane := constant(c, "tablePlanes", order)
	u, v, low, high := c.YMM(), c.YMM(), c.YMM(), c.YMM()
	c.Label("loop")
	c.VPBROADCASTD(mem(q, 0), u)
	c.VPBROADCASTD(mem(q, 4), v)
	c.VPSIGND(signs0, u, u)
	c.VPXOR(bias, u, u) // + 2^31 modulo 2^32
	c.VPSIGND(signs1, v, v)
	c.VPADDD(u, v, v)
	c.VPSHUFB(byPlane, u, u)
	c.VPSHUFB(byPlane, v, v)
	c.VPUNPCKLDQ(v, u, low)
	c.VPUNPCKHDQ(v, u, high)
	c.VPERMQ(operand.U8(0xd8), low, low)
	c.VPERMQ(operand.U8(0xd8), high, high)
	c.VMOVDQU(low.AsX(), mem(tables, 0))
	c.VEXTRACTI128(operand.U8(1), low, indexed(tables, stride, 1))
	c.VMOVDQU(high.AsX(), mem(third, 0))
	c.VEXTRACTI128(operand.U8(1), high, indexed(third, stride, 1))
	c.ADDQ(operand.U8(8), q)
	c.ADDQ(operand.U8(16), tables)
	c.ADDQ(operand.U8(16), third)
	c.DECQ(pairs)
	c.JNZ(operand.LabelRef("loop"))
	end(c)
}

// ternaryIndex generates, for pairs of rows of W and the columns of a block, of which width bytes are in memory, the pair of
// codes of each column as a nibble in a byte of its own, one register for each position.
func ternaryIndex(c *build.Context, name string, width int, doc ...string) {
	begin(c, name, "index, w *uint32, pitch, last, pairs int", doc...)
	index, row, pitch, last, pairs := load(c, "index", 0), load(c, "w", 0), load(c, "pitch", 0), load(c, "last", 0), load(c, "pairs", 0)
	c.ADDQ(row, last)
	even, odd, nibble := yword(c, 0x33333333), yword(c, 0xcccccccc), yword(c, 0x0f0f0f0f)
	read := func(m operand.Mem) reg.VecVirtual {
		r := c.YMM()
		if width < ymm {
			c.VBROADCASTI128(m, r) // twice the half that there is
		} else {
			c.VMOVDQU(m, r)
		}
		return r
	}
	c.Label("pair")
	first, second := read(mem(row, 0)), read(indexed(row, pitch, 1))
	x, y := c.YMM(), c.YMM() // the nibbles of positions 0 and 2, 1 and 3
	c.VPAND(even, second, x)
	c.VPSLLW(operand.U8(2), x, x)
	c.VPAND(odd, second, second)
	c.VPAND(odd, first, y)
	c.VPSRLW(operand.U8(2), y, y)
	c.VPOR(second, y, y)
	c.VPAND(even, first, first)
	c.VPOR(first, x, x)
	for i := range positions {
		from := []reg.VecVirtual{x, y}[i%2]
		r := c.YMM()
		if i < 2 {
			c.VPAND(nibble, from, r)
		} else {
			c.VPSRLW(operand.U8(4), from, r)
			c.VPAND(nibble, r, r)
		}
		c.VMOVDQU(r, mem(index, ymm*i))
	}
	c.ADDQ(operand.U32(positions*ymm), index)
	c.LEAQ(indexed(row, pitch, 2), row)
	c.CMPQ(row, last)
	c.CMOVQHI(last, row) // an odd row at the end makes a pair with the one before
	c.DECQ(pairs)
	c.JNZ(operand.LabelRef("pair"))
	end(c)
}

// ternaryColumns generates the sums over rows of W for the columns of a block: a byte shuffle looks the pairs of codes up in
// the tables of their pair of rows, plane by plane. The bytes are added in 16-bit lanes: the whole lane, and its high byte
// once more, from which the sums of the low and of the high bytes follow.
func ternaryColumns(c *build.Context) {
	begin(c, "ternaryColumns", "sums *float64, index, tables *uint32, stride, pairs int, bias float64",
		"adds to sums, for 128 columns, what the tables give for the indices, summed over at most 256 pairs, and bias.",
		"Column 8m+c is sums[16*c+m].")
	c.Attributes(0) // its frame is too large for NOSPLIT
	table := load(c, "tables", 0)
	// Sums begin at -2^15, so that they are signed when they are done.
	start := yword(c, 0x80008000)
	bytes := c.AllocLocal(planes * positions * 2 * ymm) // sums of bytes, [planes][positions][low, high][16 lanes]
	at := func(t, i, h int) operand.Mem { return bytes.Offset(ymm * (2*(positions*t+i) + h)) }
	for t := range planes {
		all, high := yregs(c, positions), yregs(c, positions)
		for i := range positions {
			c.VMOVDQA(start, all[i])
			c.VMOVDQA(start, high[i])
		}
		loop := "plane" + string(rune('0'+t))
		index, entry, pairs := load(c, "index", 0), c.GP64(), load(c, "pairs", 0)
		c.MOVQ(table, entry)
		c.Label(loop)
		entries := c.YMM()
		c.VBROADCASTI128(mem(entry, 0), entries)
		for i := range positions {
			x, y := c.YMM(), c.YMM()
			c.VPSHUFB(mem(index, ymm*i), entries, x)
			c.VPADDW(x, all[i], all[i])
			c.VPSRLW(operand.U8(8), x, y)
			c.VPADDW(y, high[i], high[i])
		}
		c.ADDQ(operand.U8(16), entry)
		c.ADDQ(operand.U32(positions*ymm), index)
		c.DECQ(pairs)
		c.JNZ(operand.LabelRef(loop))
		for i := range positions {
			x := c.YMM()
			c.VPSLLW(operand.U8(8), high[i], x)
			c.VPSUBW(x, all[i], all[i])
			c.VMOVDQU(all[i], at(t, i, 0))
			c.VMOVDQU(high[i], at(t, i, 1))
		}
		if t < planes-1 {
			stride := load(c, "stride", 0)
			c.ADDQ(stride, table)
		}
	}
	widen(c, at)
	end(c)
}

// widen adds the sums of bytes to the float64 sums [8][16]: column 8m+4h+i is at [4h+i][m]. All of them are integers below 2^53.
func widen(c *build.Context, at func(t, i, h int) operand.Mem) {
	sums := load(c, "sums", 0)
	weights, bias, scale := yword(c, 256<<16|1), broadcastParam(c, "bias"), c.YMM()
	word, x := c.GP64(), c.XMM()
	c.MOVQ(operand.U64(math.Float64bits(65536)), word)
	c.VMOVQ(word, x)
	c.VPBROADCASTQ(x, scale)
	for row := range 2 * positions {
		h, i := row/positions, row%positions
		for g := range 2 { // lanes m = 4g to 4g+3 and 4g+8 to 4g+11
			unpack := c.VPUNPCKLWD
			if g == 1 {
				unpack = c.VPUNPCKHWD
			}
			var pair [2]reg.VecVirtual // planes 0 and 1, planes 2 and 3
			for p := range pair {
				pair[p] = c.YMM()
				c.VMOVDQU(at(2*p, i, h), pair[p])
				unpack(at(2*p+1, i, h), pair[p], pair[p])
				c.VPMADDWD(weights, pair[p], pair[p])
			}
			for half := range 2 {
				low, up := c.YMM(), c.YMM()
				for p, f := range []reg.VecVirtual{low, up} {
					if half == 0 {
						c.VCVTDQ2PD(pair[p].AsX(), f)
						continue
					}
					x := c.XMM()
					c.VEXTRACTI128(operand.U8(1), pair[p], x)
					c.VCVTDQ2PD(x, f)
				}
				c.VFMADD231PD(scale, up, low)
				c.VADDPD(bias, low, low)
				sum := mem(sums, 8*(16*row+4*g+8*half))
				c.VADDPD(sum, low, low)
				c.VMOVUPD(low, sum)
			}
		}
	}
}

// ternaryScale generates the outputs of a block from its sums: one rounding of the integer, one of the scaling.
func ternaryScale(c *build.Context) {
	begin(c, "ternaryScale", "y *float32, sums *float64, scale float64",
		"computes the 128 outputs y[8m+c] = f32(f64(f32(sums[16*c+m])) * scale).")
	y, sums := load(c, "y", 0), load(c, "sums", 0)
	scale := broadcastParam(c, "scale")
	for half := range 2 {
		x := make([]reg.VecVirtual, 8)
		for k := range x {
			var part [2]reg.VecVirtual
			for p := range part {
				part[p] = c.XMM()
				wide := c.YMM()
				c.VCVTPD2PSY(mem(sums, 8*(16*k+8*half+4*p)), part[p])
				c.VCVTPS2PD(part[p], wide)
				c.VMULPD(scale, wide, wide)
				c.VCVTPD2PSY(wide, part[p])
			}
			x[k] = c.YMM()
			c.VINSERTF128(operand.U8(1), part[1], part[0].AsY(), x[k])
		}
		storeTransposed(c, x, y, 8)
	}
	end(c)
}

// ternaryDigits generates the fixed-point numbers of blocks of activations as balanced digits of base 256, one register for
// each position and digit, and adds up the numbers.
func ternaryDigits(c *build.Context) {
	begin(c, "ternaryDigits", "digits *uint32, x *float32, blocks int, scale float64, sum *[4]int64",
		"makes, for each block of 128 numbers q = RNE(x * scale), 16 vectors of 32 bytes: byte b of vector 4*i+t is digit t",
		"of number 4*b+i, where q is the sum of its four digits, -128 to 127, times 256^t. The sum of all q is that of the four sums.")
	digits, x, blocks := load(c, "digits", 0), load(c, "x", 0), load(c, "blocks", 0)
	scale := broadcastParam(c, "scale")
	balance := yword(c, 0x80808080)
	sum := c.YMM()
	c.VPXOR(sum, sum, sum)
	rows := c.AllocLocal(16 * ymm) // [16][2]: the digits of byte b are at [b mod 16][b / 16]
	c.Label("block")
	for b := range ymm {
		f, q := c.YMM(), c.XMM()
		c.VCVTPS2PD(mem(x, 16*b), f)
		c.VMULPD(scale, f, f) // exact
		c.VCVTPD2DQY(f, q)    // to nearest even
		c.VPMOVSXDQ(q, f)
		c.VPADDQ(f, sum, sum)
		c.VPADDD(balance.AsX(), q, q) // carries go up, and the digits are bytes less 128
		c.VPXOR(balance.AsX(), q, q)
		c.VMOVDQU(q, rows.Offset(b%16*32+b/16*16))
	}
	// The 16 x 16 bytes of each half are transposed by four perfect shuffles of the rows.
	for half := range 2 {
		r := make([]reg.VecVirtual, 8)
		for k := range r {
			r[k] = c.YMM()
			c.VMOVDQU(rows.Offset(32*k), r[k])
			if half == 0 {
				c.VPUNPCKLBW(rows.Offset(32*(k+8)), r[k], r[k])
			} else {
				c.VPUNPCKHBW(rows.Offset(32*(k+8)), r[k], r[k])
			}
		}
		for i, column := range shuffled(newCode(c, newAVX2), r) {
			c.VMOVDQU(column, mem(digits, 32*(8*half+i)))
		}
	}
	c.ADDQ(operand.U32(128*4), x)
	c.ADDQ(operand.U32(128*planes), digits)
	c.DECQ(blocks)
	c.JNZ(operand.LabelRef("block"))
	at := load(c, "sum", 0)
	c.VMOVDQU(sum, mem(at, 0))
	end(c)
}

// shuffled interleaves the bytes of the first and the second half of the registers, and so on with the halves that result,
// until each register is by itself.
func shuffled(v *code, r []reg.VecVirtual) []reg.VecVirtual {
	n := len(r) / 2
	if n == 0 {
		return r
	}
	low, high := v.regs(n), v.regs(n)
	for k := range n {
		v.VPUNPCKLBW(r[k+n], r[k], low[k])
		v.VPUNPCKHBW(r[k+n], r[k], high[k])
	}
	return append(shuffled(v, low), shuffled(v, high)...)
}

// ternaryDots generates the sums along rows of W. A weight plus 1 is an unsigned byte, as the byte products want it, and
// what is too much is the sum of all numbers, which the caller takes away. 16-bit sums hold 16 blocks: 64 pairs of at
// most 2 * 2 * 128.
func ternaryDots(c *build.Context, digitShifts operand.Mem) {
	begin(c, "ternaryDots", "sums *int64, w *uint32, pitch, rows int, digits *uint32, blocks, half int",
		"adds to sums[j], for the codes at row j of w, the sum of (weight + 1) * q over blocks blocks and, if half is not 0,",
		"half a block. The pitch from row to row is in bytes. At most 16 blocks with the half one.")
	sums, w, pitch, rows, half := load(c, "sums", 0), load(c, "w", 0), load(c, "pitch", 0), load(c, "rows", 0), load(c, "half", 0)
	var firstWeights, secondWeights []byte // of the two codes of a nibble, plus 1
	for range 2 {
		for nibble := range 16 {
			weights := [4]byte{1, 2, 1, 0}
			firstWeights = append(firstWeights, weights[nibble&3])
			secondWeights = append(secondWeights, weights[nibble>>2])
		}
	}
	first, second := constant(c, "firstWeights", firstWeights), constant(c, "secondWeights", secondWeights)
	nibble := yword(c, 0x0f0f0f0f)
	acc := yregs(c, planes)

	c.Label("row")
	for _, a := range acc {
		c.VPXOR(a, a, a)
	}
	at, digits, blocks := c.GP64(), load(c, "digits", 0), load(c, "blocks", 0)
	c.MOVQ(w, at)
	c.TESTQ(blocks, blocks)
	c.JZ(operand.LabelRef("half"))
	c.Label("block")
	codes := c.YMM()
	c.VMOVDQU(mem(at, 0), codes)
	addBlock(c, codes, nibble, first, second, digits, acc)
	c.ADDQ(operand.U8(32), at)
	c.ADDQ(operand.U32(128*planes), digits)
	c.DECQ(blocks)
	c.JNZ(operand.LabelRef("block"))
	c.Label("half")
	c.TESTQ(half, half)
	c.JZ(operand.LabelRef("sum"))
	codes = c.YMM()
	c.VBROADCASTI128(mem(at, 0), codes) // the digits of the other half are 0
	addBlock(c, codes, nibble, first, second, digits, acc)

	c.Label("sum")
	ones := c.YMM()
	c.VPCMPEQW(ones, ones, ones)
	c.VPSRLW(operand.U8(15), ones, ones)
	for _, a := range acc {
		c.VPMADDWD(ones, a, a)
	}
	total := weigh(c, acc, digitShifts)
	c.ADDQ(total, mem(sums, 0))

	c.ADDQ(operand.U8(8), sums)
	c.ADDQ(pitch, w)
	c.DECQ(rows)
	c.JNZ(operand.LabelRef("row"))
	end(c)
}

// weigh is the sum of the 32-bit lanes of the planes, those of plane t times 256^t.
func weigh(c *build.Context, acc []reg.VecVirtual, digitShifts operand.Mem) reg.GPVirtual {
	c.VPHADDD(acc[1], acc[0], acc[0])
	c.VPHADDD(acc[3], acc[2], acc[2])
	c.VPHADDD(acc[2], acc[0], acc[0]) // [digit 0, 1, 2, 3] in each half
	other, wide, shifts := c.XMM(), c.YMM(), c.YMM()
	c.VEXTRACTI128(operand.U8(1), acc[0], other)
	c.VPADDD(acc[0].AsX(), other, other)
	c.VPMOVSXDQ(other, wide)
	c.VPMOVZXBQ(digitShifts, shifts)
	c.VPSLLVQ(shifts, wide, wide)
	c.VEXTRACTI128(operand.U8(1), wide, other)
	c.VPADDQ(wide.AsX(), other, other)
	c.VPSHUFD(operand.U8(0xee), other, wide.AsX())
	c.VPADDQ(wide.AsX(), other, other)
	total := c.GP64()
	c.VMOVQ(other, total)
	return total
}

// addBlock adds the products of a block of codes with its digits to the sums of the planes.
func addBlock(c *build.Context, codes, nibble, first, second reg.VecVirtual, digits reg.Register, acc []reg.VecVirtual) {
	low, high := c.YMM(), c.YMM()
	c.VPAND(nibble, codes, low)
	c.VPSRLW(operand.U8(4), codes, high)
	c.VPAND(nibble, high, high)
	for i := range positions {
		index, table := low, first
		if i >= 2 {
			index = high
		}
		if i%2 == 1 {
			table = second
		}
		weights := c.YMM()
		c.VPSHUFB(index, table, weights)
		for t := range planes {
			x := c.YMM()
			c.VPMADDUBSW(mem(digits, 32*(planes*i+t)), weights, x)
			c.VPADDW(x, acc[t], acc[t])
		}
	}
}
