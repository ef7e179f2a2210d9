package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Functions of three bits as VPTERNLOGD wants them: by a the destination, b and c the sources, the last one first.
const (
	firstWhere  = 0xe4 // c ? a : b
	secondWhere = 0xd8 // c ? b : a
	andOr       = 0xea // a & b | c
)

// ternaryIndexAVX512 generates, for groups of 8 rows of W and the columns of a wide block, the pair of codes of each column as a
// nibble in a byte of its own, one register for each pair of rows and position.
func ternaryIndexAVX512(k *code) {
	begin(k.Context, "ternaryIndexAVX512", indexParameters,
		"makes, for groups of 8 rows and the 256 columns at w, 16 vectors of 64 bytes a group: byte b of vector 4p+i are the codes of",
		"column 4b+i in rows 2p and 2p+1. "+indexMemory[0], indexMemory[1])
	nibble := k.word(0x0f0f0f0f)
	indexGroups(k, 16, func(x, y [4]reg.VecVirtual, index reg.GPVirtual) {
		for p := range x {
			for i, from := range []reg.VecVirtual{x[p], y[p], x[p], y[p]} {
				r := k.reg()
				if i < 2 {
					k.VPANDD(nibble, from, r)
				} else {
					k.VPSRLW(operand.U8(4), from, r)
					k.VPANDD(nibble, r, r)
				}
				k.VMOVDQU32(r, mem(index, zmm*(positions*p+i)))
			}
		}
	})
}

// ternaryIndexVBMI generates the same for ternaryColumnsVBMI: byte p of a 32-bit lane is that of rows 2p and 2p+1, a nibble for each
// of two positions.
func ternaryIndexVBMI(k *code) {
	begin(k.Context, "ternaryIndexVBMI", indexParameters,
		"makes, for groups of 8 rows and the 256 columns at w, 8 vectors of 64 bytes a group: byte 4e+p of 128-bit lane l of vector 2u+i",
		"are the codes in rows 2p and 2p+1, of column 64l+16u+4e+i in the low nibble, and of the column two further in the high one.",
		indexMemory[0], indexMemory[1])
	indexGroups(k, 8, func(x, y [4]reg.VecVirtual, index reg.GPVirtual) {
		for i, nibbles := range [][4]reg.VecVirtual{x, y} {
			for u, r := range interleaved(k, nibbles) {
				k.VMOVDQU32(r, mem(index, zmm*(2*u+i)))
			}
		}
	})
}

const indexParameters = "index, w *uint32, pitch, last, groups, words int"

var indexMemory = []string{
	"Of a row only so many words are in memory. The pitch from row to row and the offset of the last row,",
	"which stands for those behind it, too, are in bytes.",
}

// indexGroups goes through groups of 8 rows, so many vectors of the index each. It makes, by pairs of rows, the nibbles of positions 0
// and 2 and those of positions 1 and 3.
func indexGroups(k *code, vectors int, write func(x, y [4]reg.VecVirtual, index reg.GPVirtual)) {
	c := k.Context
	index, row, pitch, last, groups := load(c, "index", 0), load(c, "w", 0), load(c, "pitch", 0), load(c, "last", 0), load(c, "groups", 0)
	c.ADDQ(row, last)
	mask := k.firstLanes(load(c, "words", 0))
	even := k.word(0x33333333)
	next := c.GP64()
	c.Label("group")
	c.LEAQ(indexed(row, pitch, 8), next)
	var x, y [4]reg.VecVirtual
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
	write(x, y, index)
	c.ADDQ(operand.U32(vectors*zmm), index)
	c.MOVQ(next, row)
	c.DECQ(groups)
	c.JNZ(operand.LabelRef("group"))
	end(c)
}

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

// ternaryColumnsAVX512 generates the products for the columns of a wide block as ternaryColumns does, two planes at a time.
func ternaryColumnsAVX512(k *code) {
	c := k.Context
	begin(c, "ternaryColumnsAVX512", "y *float32, index, tables *uint32, stride, groups int, exponent float32",
		"computes 256 outputs y = f32(f32(T) * 2^exponent), where T is the sum of what the tables give for the indices over at most",
		"64 groups, less 2^33 a group.")
	c.Attributes(0) // its frame is too large for NOSPLIT
	table, stride := load(c, "tables", 0), load(c, "stride", 0)
	start := k.word(0x80008000) // sums begin at -2^15, so that they are signed when they are done
	bytes := c.AllocLocal(planes * positions * 2 * zmm)
	at := func(t, i, h int) operand.Mem { return bytes.Offset(zmm * (2*(positions*t+i) + h)) }
	for t := 0; t < planes; t += 2 {
		var all, high [2][]reg.VecVirtual
		for e := range all {
			all[e], high[e] = k.regs(positions), k.regs(positions)
			for i := range positions {
				c.VMOVDQA32(start, all[e][i])
				c.VMOVDQA32(start, high[e][i])
			}
		}
		loop := "planes" + string(rune('0'+t))
		index, entry, pairs := load(c, "index", 0), c.GP64(), load(c, "groups", 2)
		c.MOVQ(table, entry)
		c.Label(loop)
		entries := k.regs(2)
		c.VBROADCASTI32X4(mem(entry, 0), entries[0])
		c.VBROADCASTI32X4(indexed(entry, stride, 1), entries[1])
		for i := range positions {
			indices := k.reg()
			c.VMOVDQU32(mem(index, zmm*i), indices)
			for e := range entries {
				x, y := k.reg(), k.reg()
				c.VPSHUFB(indices, entries[e], x)
				c.VPADDW(x, all[e][i], all[e][i])
				c.VPSRLW(operand.U8(8), x, y)
				c.VPADDW(y, high[e][i], high[e][i])
			}
		}
		c.ADDQ(operand.U8(16), entry)
		c.ADDQ(operand.U32(positions*zmm), index)
		c.DECQ(pairs)
		c.JNZ(operand.LabelRef(loop))
		for e := range all {
			for i := range positions {
				x := k.reg()
				c.VPSLLW(operand.U8(8), high[e][i], x)
				c.VPSUBW(x, all[e][i], all[e][i])
				c.VMOVDQU32(all[e][i], at(t+e, i, 0))
				c.VMOVDQU32(high[e][i], at(t+e, i, 1))
			}
		}
		c.LEAQ(indexed(table, stride, 2), table)
	}

	// Two planes make 32 bits; their sums of bytes are 2^15 too small, and the tables' entries 2^31 too large.
	weights, low, high := k.word(256<<16|1), k.word(0x101<<15), k.reg()
	excess := load(c, "groups", 33-16)
	c.VPBROADCASTD(excess.As32(), high)
	c.VPSUBD(high, low, high)
	exponent, y := broadcastFloat(k, "exponent"), load(c, "y", 0)
	for half := range 2 {
		var results [2][4]reg.VecVirtual // of columns 64l+16u+4e+i, u = 2 half and 2 half + 1
		for i := range positions {
			words := k.regs(planes)
			for t, w := range words {
				c.VMOVDQU32(at(t, i, 0), w)
				if half == 0 {
					c.VPUNPCKLWD(at(t, i, 1), w, w)
				} else {
					c.VPUNPCKHWD(at(t, i, 1), w, w)
				}
			}
			for q := range results {
				two := k.regs(2)
				for h, r := range two {
					if q == 0 {
						c.VPUNPCKLWD(words[2*h+1], words[2*h], r)
					} else {
						c.VPUNPCKHWD(words[2*h+1], words[2*h], r)
					}
					c.VPMADDWD(weights, r, r)
				}
				c.VPADDD(low, two[0], two[0])
				c.VPADDD(high, two[1], two[1])
				outputs(k, two[0], two[1], exponent)
				results[q][i] = two[0]
			}
		}
		for q, r := range results {
			storeColumns(k, r, y, 4*16*(2*half+q))
		}
	}
	end(c)
}

// ternaryColumnsVBMI generates the products for the columns of a wide block. A byte permutation looks the pairs of codes of 8 rows
// up in the tables of their four pairs, plane by plane, and VNNI adds the four bytes that are a column's.
func ternaryColumnsVBMI(k *code) {
	c := k.Context
	begin(c, "ternaryColumnsVBMI", "y *float32, index, tables *uint32, stride, groups int, exponent float32",
		"computes 256 outputs y = f32(f32(T) * 2^exponent), where T is the sum of what the tables give for the indices over at most",
		"8192 groups, less 2^33 a group.")
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
	c.ADDQ(operand.U32(8*zmm), at)
	c.ADDQ(operand.U8(zmm), table)
	c.ADDQ(operand.U8(zmm), third)
	c.DECQ(groups)
	c.JNZ(operand.LabelRef("group"))

	var results [4]reg.VecVirtual
	for i, a := range acc {
		// Of 8192 groups no sum exceeds 8192 * 4 * 255, and 257 times that is less than 2^31: two planes make 32 bits.
		for t := 0; t < planes; t += 2 {
			k.VPSLLD(operand.U8(8), a[t+1], a[t+1])
			k.VPADDD(a[t+1], a[t], a[t])
		}
		k.VPSUBD(bias, a[2], a[2])
		outputs(k, a[0], a[2], exponent)
		results[i] = a[0]
	}
	storeColumns(k, results, y, 0)
	c.ADDQ(operand.U32(2*zmm), index)
	c.ADDQ(operand.U8(zmm), y)
	c.DECQ(quarter)
	c.JNZ(operand.LabelRef("quarter"))
	end(c)
}

// outputs makes 16 outputs of the sums low + 2^16 high, in the register of low.
func outputs(k *code, low, high, exponent reg.VecVirtual) {
	half := [2]reg.VecVirtual{k.YMM(), k.YMM()}
	for h, y := range half {
		l, u := low.AsY(), high.AsY()
		if h == 1 {
			l, u = k.YMM(), k.YMM()
			k.VEXTRACTI64X4(operand.U8(1), low, l)
			k.VEXTRACTI64X4(operand.U8(1), high, u)
		}
		sum, rest := k.ZMM(), k.ZMM()
		k.VPMOVSXDQ(u, sum)
		k.VPMOVSXDQ(l, rest)
		k.VPSLLQ(operand.U8(16), sum, sum)
		k.VPADDQ(rest, sum, sum)
		k.VCVTQQ2PS(sum, y)
	}
	k.VINSERTF64X4(operand.U8(1), half[1], half[0].AsZ(), low)
	k.VSCALEFPS(exponent, low, low)
}

// storeColumns writes lane e of 128-bit lane l of x[i] to y[64l+4e+i], from the given byte on.
func storeColumns(k *code, x [4]reg.VecVirtual, y reg.GPVirtual, from int) {
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
		k.VMOVUPS(part, mem(y, from+4*64*l))
	}
}
