package main

import (
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// instruction is a three-operand instruction, second source first, as the assembler writes it.
type instruction = func(c *build.Context, ops ...operand.Op)

// A strip is an elementwise op on n words of contiguous memory. Its body computes the result in a register from registers
// with the operands, which it may overwrite.
type strip struct {
	name string
	in   string // the parameters of the operands
	body func(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual
}

// consts are registers that bodies read.
type consts struct{ nan, sign, zero reg.VecVirtual }

// Predicates of VCMPPS; all but unordered are false for a NaN, and none signals.
const (
	equal     = 0x00
	unordered = 0x03
	less      = 0x11
	lessEqual = 0x12
)

// strips generates the kernels of elementwise ops and of Sum.
func strips(c *build.Context) {
	for _, s := range []strip{
		{"stripAdd", "a, b", arithmetic((*build.Context).VADDPS)},
		{"stripSub", "a, b", arithmetic((*build.Context).VSUBPS)},
		{"stripMul", "a, b", arithmetic((*build.Context).VMULPS)},
		{"stripDiv", "a, b", arithmetic((*build.Context).VDIVPS)},
		{"stripMax", "a, b", extremum((*build.Context).VMAXPS, (*build.Context).VANDPS)},
		{"stripMin", "a, b", extremum((*build.Context).VMINPS, (*build.Context).VORPS)},
		{"stripGt", "a, b", comparison(less, true)},
		{"stripGe", "a, b", comparison(lessEqual, true)},
		{"stripLt", "a, b", comparison(less, false)},
		{"stripLe", "a, b", comparison(lessEqual, false)},
		{"stripEq", "a, b", comparison(equal, false)},
		{"stripSame", "a, b", sameBits},
		{"stripNeg", "x", negation},
		{"stripRelu", "x", relu},
		{"stripSqrt", "x", squareRoot},
		{"stripSelect", "c, a, b", selection},
	} {
		s.generate(c)
	}
	accumulate(c)
	sumRuns(c)
}

// arithmetic is an IEEE operation of two operands.
func arithmetic(f instruction) func(*build.Context, consts, []reg.VecVirtual) reg.VecVirtual {
	return func(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual {
		f(c, x[1], x[0], x[0])
		return canonical(c, k, x[0], x[0], x[0])
	}
}

// extremum is a maximum or minimum. The processor's is its second source where both are zeros or one is a NaN. Of two zeros,
// taken in both orders, join makes the law's; of two equal results it makes the same.
func extremum(f, join instruction) func(*build.Context, consts, []reg.VecVirtual) reg.VecVirtual {
	return func(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual {
		y, z := c.YMM(), c.YMM()
		f(c, x[1], x[0], y)
		f(c, x[0], x[1], z)
		join(c, z, y, y)
		return canonical(c, k, x[0], x[1], y)
	}
}

// canonical is y, but the canonical NaN where a or b is a NaN.
func canonical(c *build.Context, k consts, a, b, y reg.VecVirtual) reg.VecVirtual {
	isNaN := c.YMM()
	c.VCMPPS(operand.U8(unordered), b, a, isNaN)
	c.VBLENDVPS(isNaN, k.nan, y, y)
	return y
}

// comparison is 1 where the predicate holds for (a, b), or with swap for (b, a), else 0.
func comparison(predicate uint8, swap bool) func(*build.Context, consts, []reg.VecVirtual) reg.VecVirtual {
	return func(c *build.Context, _ consts, x []reg.VecVirtual) reg.VecVirtual {
		a, b := x[0], x[1]
		if swap {
			a, b = b, a
		}
		y := c.YMM()
		c.VCMPPS(operand.U8(predicate), b, a, y)
		c.VPSRLD(operand.U8(31), y, y)
		return y
	}
}

func sameBits(c *build.Context, _ consts, x []reg.VecVirtual) reg.VecVirtual {
	c.VPCMPEQD(x[1], x[0], x[0])
	c.VPSRLD(operand.U8(31), x[0], x[0])
	return x[0]
}

// negation changes the sign, but of no NaN.
func negation(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual {
	y := c.YMM()
	c.VXORPS(k.sign, x[0], y)
	return canonical(c, k, x[0], x[0], y)
}

// relu clears what has a sign: -0 and all below, for no stored NaN has one.
func relu(c *build.Context, _ consts, x []reg.VecVirtual) reg.VecVirtual {
	y := c.YMM()
	c.VPSRAD(operand.U8(31), x[0], y)
	c.VPANDN(x[0], y, y)
	return y
}

func squareRoot(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual {
	c.VSQRTPS(x[0], x[0])
	return canonical(c, k, x[0], x[0], x[0])
}

// selection is b where the condition is 0, else a.
func selection(c *build.Context, k consts, x []reg.VecVirtual) reg.VecVirtual {
	c.VPCMPEQD(k.zero, x[0], x[0])
	c.VBLENDVPS(x[0], x[2], x[1], x[1])
	return x[1]
}

// generate writes a loop over whole vectors and a masked rest.
func (s strip) generate(c *build.Context) {
	begin(c, s.name, "y, "+s.in+" *uint32, n int")
	k := consts{broadcast32(c, 0x7fc00000), broadcast32(c, 1<<31), c.YMM()}
	c.VPXOR(k.zero, k.zero, k.zero)
	y, n := load(c, "y", 0), load(c, "n", 0)
	var in []reg.GPVirtual
	for _, name := range strings.Split(s.in, ", ") {
		in = append(in, load(c, name, 0))
	}
	at := c.GP64()
	c.XORQ(at, at)
	c.SUBQ(operand.U8(8), n)
	c.JL(operand.LabelRef("rest"))
	c.Label("loop")
	x := avx2.regs(c, len(in))
	for i, p := range in {
		c.VMOVUPS(indexed(p, at, 4), x[i])
	}
	c.VMOVUPS(s.body(c, k, x), indexed(y, at, 4))
	c.ADDQ(operand.U8(8), at)
	c.SUBQ(operand.U8(8), n)
	c.JGE(operand.LabelRef("loop"))
	c.Label("rest") // n is now the number of words left, less 8
	c.ADDQ(operand.U8(8), n)
	c.JZ(operand.LabelRef("done"))
	mask := firstLanes(c, n)
	x = avx2.regs(c, len(in))
	for i, p := range in {
		c.VMASKMOVPS(indexed(p, at, 4), mask, x[i])
	}
	c.VMASKMOVPS(s.body(c, k, x), mask, indexed(y, at, 4))
	c.Label("done")
	end(c)
}

// laneTable is the table of firstLanes, made once for a file.
var laneTable = map[*build.Context]operand.Mem{}

// firstLanes is a mask of the first n lanes, 0 < n < 8; it changes n.
func firstLanes(c *build.Context, n reg.GPVirtual) reg.VecVirtual {
	if _, made := laneTable[c]; !made {
		laneTable[c] = c.StaticGlobal("firstLanes")
		c.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 16 {
			c.AddDatum(4*i, operand.I32(-min(1, max(0, 8-i))))
		}
	}
	base, mask := c.GP64(), c.YMM()
	c.LEAQ(laneTable[c], base)
	c.NEGQ(n)
	c.VMOVUPS(operand.Mem{Base: base, Index: n, Scale: 4, Disp: 32}, mask)
	return mask
}

// accumulate generates y[i] += x[i] for the lanes of a Sum.
func accumulate(c *build.Context) {
	begin(c, "accumulate", "y, x *float32, n int")
	y, x, n := load(c, "y", 0), load(c, "x", 0), load(c, "n", 0)
	r := avx2.regs(c, 4)
	c.SUBQ(operand.U8(32), n)
	c.JL(operand.LabelRef("vectors"))
	c.Label("quads")
	for i := range r {
		c.VMOVUPS(mem(y, 32*i), r[i])
		c.VADDPS(mem(x, 32*i), r[i], r[i])
		c.VMOVUPS(r[i], mem(y, 32*i))
	}
	c.SUBQ(operand.I8(-128), x)
	c.SUBQ(operand.I8(-128), y)
	c.SUBQ(operand.U8(32), n)
	c.JGE(operand.LabelRef("quads"))
	c.Label("vectors")
	c.ADDQ(operand.U8(24), n)
	c.JL(operand.LabelRef("rest"))
	c.Label("vector")
	c.VMOVUPS(mem(y, 0), r[0])
	c.VADDPS(mem(x, 0), r[0], r[0])
	c.VMOVUPS(r[0], mem(y, 0))
	c.ADDQ(operand.U8(32), x)
	c.ADDQ(operand.U8(32), y)
	c.SUBQ(operand.U8(8), n)
	c.JGE(operand.LabelRef("vector"))
	c.Label("rest")
	c.ADDQ(operand.U8(8), n)
	c.JZ(operand.LabelRef("done"))
	mask := firstLanes(c, n)
	c.VMASKMOVPS(mem(y, 0), mask, r[0])
	c.VMASKMOVPS(mem(x, 0), mask, r[1])
	c.VADDPS(r[1], r[0], r[0])
	c.VMASKMOVPS(r[0], mask, mem(y, 0))
	c.Label("done")
	end(c)
}

// sumRuns generates the sum of a segment of at most 1024 contiguous elements, for each of some runs: the 32 lanes of the law are
// four registers.
func sumRuns(c *build.Context) {
	begin(c, "sumRuns", "y, x *float32, runs, n int")
	y, x, runs := load(c, "y", 0), load(c, "x", 0), load(c, "runs", 0)
	nan := broadcast32(c, 0x7fc00000)
	lanes, next := avx2.regs(c, 4), c.GP64()
	c.Label("run")
	avx2.clear(c, lanes...)
	n := load(c, "n", 0)
	c.SUBQ(operand.U8(32), n)
	c.JL(operand.LabelRef("rest"))
	c.Label("round")
	for i, l := range lanes {
		c.VADDPS(mem(x, 32*i), l, l)
	}
	c.SUBQ(operand.I8(-128), x)
	c.SUBQ(operand.U8(32), n)
	c.JGE(operand.LabelRef("round"))
	c.Label("rest")
	c.ADDQ(operand.U8(32), n)
	c.JZ(operand.LabelRef("tree"))
	// Fewer than 32 elements are left. Adding +0 to a lane without one changes nothing, for no lane is -0.
	table := static(c, "firstOf32", bytesOf(1, append(slices.Repeat([]int32{-1}, 32), make([]int32, 32)...)...))
	end32, part, mask := c.GP64(), c.YMM(), c.YMM()
	c.LEAQ(table.Offset(4*32), end32)
	c.LEAQ(indexed(x, n, 4), next)
	c.NEGQ(n)
	for i, l := range lanes {
		c.VMOVUPS(operand.Mem{Base: end32, Index: n, Scale: 4, Disp: 32 * i}, mask)
		c.VMASKMOVPS(mem(x, 32*i), mask, part)
		c.VADDPS(part, l, l)
	}
	c.MOVQ(next, x)
	c.Label("tree")
	c.VADDPS(lanes[2], lanes[0], lanes[0]) // h = 16
	c.VADDPS(lanes[3], lanes[1], lanes[1])
	c.VADDPS(lanes[1], lanes[0], lanes[0]) // h = 8
	low, high := c.XMM(), c.XMM()
	c.VMOVAPS(lanes[0].AsX(), low)
	c.VEXTRACTF128(operand.U8(1), lanes[0], high)
	c.VADDPS(high, low, low) // h = 4
	c.VPSHUFD(operand.U8(0xee), low, high)
	c.VADDPS(high, low, low) // h = 2
	c.VPSHUFD(operand.U8(0x55), low, high)
	c.VADDPS(high, low, low) // h = 1
	c.VCMPPS(operand.U8(unordered), low, low, high)
	c.VBLENDVPS(high, nan.AsX(), low, low)
	c.VMOVSS(low, mem(y, 0))
	c.ADDQ(operand.U8(4), y)
	c.DECQ(runs)
	c.JNZ(operand.LabelRef("run"))
	end(c)
}
