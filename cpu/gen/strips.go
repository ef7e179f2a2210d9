package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A strip is an elementwise op on n words of contiguous memory.
type strip struct {
	name string
	in   string // the parameters of the operands
	doc  string
	body body
}

// A body computes the result in a register from registers with the operands, which it may overwrite.
type body func(k *code, x []reg.VecVirtual) reg.VecVirtual

var elementwise = []strip{
	{"stripAdd", "a, b", "a + b", arithmetic((*build.Context).VADDPS)},
	{"stripSub", "a, b", "a - b", arithmetic((*build.Context).VSUBPS)},
	{"stripMul", "a, b", "a * b", arithmetic((*build.Context).VMULPS)},
	{"stripDiv", "a, b", "a / b", arithmetic((*build.Context).VDIVPS)},
	{"stripMax", "a, b", "max(a, b)", extremum((*build.Context).VMAXPS, isa.and)},
	{"stripMin", "a, b", "min(a, b)", extremum((*build.Context).VMINPS, isa.or)},
	{"stripGt", "a, b", "a > b", comparison(less, true)},
	{"stripGe", "a, b", "a >= b", comparison(lessEqual, true)},
	{"stripLt", "a, b", "a < b", comparison(less, false)},
	{"stripLe", "a, b", "a <= b", comparison(lessEqual, false)},
	{"stripEq", "a, b", "a == b", comparison(equal, false)},
	{"stripSame", "a, b", "1 where a and b have the same bits, else 0", sameBits},
	{"stripNeg", "x", "-x", negation},
	{"stripRelu", "x", "relu(x)", relu},
	{"stripSqrt", "x", "the square root of x", squareRoot},
	{"stripSelect", "c, a, b", "c != 0 ? a : b", selection},
}

// strips generates the kernels of elementwise ops and of Sum.
func strips(c *build.Context) {
	widths(c, func(k *code) {
		for _, s := range elementwise {
			s.generate(k)
		}
		accumulate(k)
	})
	sumRuns(newCode(c, newAVX2))
}

// arithmetic is an IEEE operation of two operands.
func arithmetic(f func(c *build.Context, ops ...operand.Op)) body {
	return func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		f(k.Context, x[1], x[0], x[0])
		return k.canonical(x[0], x[0], x[0])
	}
}

// extremum is a maximum or minimum. The processor's is its second source where both are zeros or one is a NaN. Of two zeros,
// taken in both orders, join makes the law's; of two equal results it makes the same.
func extremum(f func(c *build.Context, ops ...operand.Op), join func(v isa, x, y, z operand.Op)) body {
	return func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		y, z := k.reg(), k.reg()
		f(k.Context, x[1], x[0], y)
		f(k.Context, x[0], x[1], z)
		join(k, z, y, y)
		return k.canonical(x[0], x[1], y)
	}
}

// comparison is 1 where the predicate holds for (a, b), or with swap for (b, a), else 0.
func comparison(predicate uint8, swap bool) body {
	return func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		a, b := x[0], x[1]
		if swap {
			a, b = b, a
		}
		y := k.reg()
		k.keep(k.compare(predicate, b, a), k.word(1), y)
		return y
	}
}

func sameBits(k *code, x []reg.VecVirtual) reg.VecVirtual {
	k.keep(k.equal(x[1], x[0]), k.word(1), x[0])
	return x[0]
}

// negation changes the sign, but of no NaN.
func negation(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y := k.reg()
	k.xor(k.word(signBit), x[0], y)
	return k.canonical(x[0], x[0], y)
}

// relu clears what has a sign: -0 and all below, for no stored NaN has one.
func relu(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y := k.reg()
	k.VPSRAD(operand.U8(31), x[0], y)
	k.andn(x[0], y, y)
	return y
}

func squareRoot(k *code, x []reg.VecVirtual) reg.VecVirtual {
	k.VSQRTPS(x[0], x[0])
	return k.canonical(x[0], x[0], x[0])
}

// selection is b where the condition is 0, else a.
func selection(k *code, x []reg.VecVirtual) reg.VecVirtual {
	k.blend(k.equal(k.word(zeroBits), x[0]), x[2], x[1], x[1])
	return x[1]
}

// generate writes a loop over whole vectors and a masked rest.
func (s strip) generate(k *code) { s.generateAbreast(k, 1) }

// generateAbreast is generate with a loop before it over some vectors at a time, for bodies that are long chains.
func (s strip) generateAbreast(k *code, abreast int) {
	k.begin(s.name, "y, "+s.in+" *uint32, n int", "sets y to "+s.doc+", for n > 0 words.")
	y, n := load(k.Context, "y", 0), load(k.Context, "n", 0)
	var in []reg.GPVirtual
	for _, name := range strings.Split(s.in, ", ") {
		in = append(in, load(k.Context, name, 0))
	}
	at := k.GP64()
	k.XORQ(at, at)
	k.preload(func(k *code) { s.body(k, k.regs(len(in))) })
	vector := func(i int) {
		place := func(p reg.GPVirtual) operand.Mem {
			return operand.Mem{Base: p, Index: at, Scale: 4, Disp: k.bytes() * i}
		}
		x := k.regs(len(in))
		for i, p := range in {
			k.VMOVUPS(place(p), x[i])
		}
		k.VMOVUPS(s.body(k, x), place(y))
	}
	left := 0 // n is the number of words left, less these
	for _, vectors := range slices.Compact([]int{abreast, 1}) {
		words, loop, next := vectors*k.lanes(), fmt.Sprintf("by%d", vectors), fmt.Sprintf("after%d", vectors)
		k.SUBQ(operand.I32(words-left), n)
		k.JL(operand.LabelRef(next))
		k.Label(loop)
		parts := make([]func(), vectors)
		for i := range parts {
			parts[i] = func() { vector(i) }
		}
		k.abreast(parts...)
		k.ADDQ(operand.U32(words), at)
		k.SUBQ(operand.U32(words), n)
		k.JGE(operand.LabelRef(loop))
		k.Label(next)
		left = words
	}
	k.ADDQ(operand.U32(left), n)
	k.JZ(operand.LabelRef("done"))
	mask := k.firstLanes(n)
	x := k.regs(len(in))
	for i, p := range in {
		k.loadMasked(indexed(p, at, 4), mask, x[i])
	}
	k.storeMasked(s.body(k, x), mask, indexed(y, at, 4))
	k.Label("done")
	end(k.Context)
}

// accumulate generates y[i] += x[i] for the lanes of a Sum.
func accumulate(k *code) {
	k.begin("accumulate", "y, x *float32, n int", "adds x[i] to y[i] for n > 0 elements; NaNs may be any.")
	y, x, n := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "n", 0)
	const unroll = 4
	r, size := k.regs(unroll), k.bytes()
	k.SUBQ(operand.U32(unroll*k.lanes()), n)
	k.JL(operand.LabelRef("vectors"))
	k.Label("quads")
	for i := range r {
		k.VMOVUPS(mem(y, size*i), r[i])
		k.VADDPS(mem(x, size*i), r[i], r[i])
		k.VMOVUPS(r[i], mem(y, size*i))
	}
	k.ADDQ(operand.U32(unroll*size), x)
	k.ADDQ(operand.U32(unroll*size), y)
	k.SUBQ(operand.U32(unroll*k.lanes()), n)
	k.JGE(operand.LabelRef("quads"))
	k.Label("vectors")
	k.ADDQ(operand.U32((unroll-1)*k.lanes()), n)
	k.JL(operand.LabelRef("rest"))
	k.Label("vector")
	k.VMOVUPS(mem(y, 0), r[0])
	k.VADDPS(mem(x, 0), r[0], r[0])
	k.VMOVUPS(r[0], mem(y, 0))
	k.ADDQ(operand.U8(size), x)
	k.ADDQ(operand.U8(size), y)
	k.SUBQ(operand.U8(k.lanes()), n)
	k.JGE(operand.LabelRef("vector"))
	k.Label("rest")
	k.ADDQ(operand.U8(k.lanes()), n)
	k.JZ(operand.LabelRef("done"))
	mask := k.firstLanes(n)
	k.loadMasked(mem(y, 0), mask, r[0])
	k.loadMasked(mem(x, 0), mask, r[1])
	k.VADDPS(r[1], r[0], r[0])
	k.storeMasked(r[0], mask, mem(y, 0))
	k.Label("done")
	end(k.Context)
}

// sumRuns generates the sum of a segment of at most 1024 contiguous elements, for each of some runs: the 32 lanes of the law are
// four registers.
func sumRuns(k *code) {
	c := k.Context
	k.begin("sumRuns", "y, x *float32, runs, n int", "sums runs > 0 runs of n elements, 0 < n <= 1024, that follow one another, each in the order of one segment.")
	y, x, runs := load(c, "y", 0), load(c, "x", 0), load(c, "runs", 0)
	nan := k.word(nanBits)
	lanes, next := k.regs(4), c.GP64()
	c.Label("run")
	k.clear(lanes...)
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
