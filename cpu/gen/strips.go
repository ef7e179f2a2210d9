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
	in   string // the parameters of the operands; "one x" is a single word for all elements
	doc  string
	body body
}

// A body computes the result in a register from registers with the operands, which it may overwrite.
type body func(k *code, x []reg.VecVirtual) reg.VecVirtual

// A dualStrip is a strip with a result and its tangent, of an operand and its tangent, which the body may overwrite.
type dualStrip struct {
	name, in, doc string
	body          func(k *code, x, dx reg.VecVirtual) (y, dy reg.VecVirtual)
}

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
	{"stripMulMulAdd", "a, b, c, d", "a * b + c * d, with three roundings", mulMulAdd},
	{"stripSelect", "c, a, b", "c != 0 ? a : b", selection},
}

// strips generates the kernels of elementwise ops.
func strips(c *build.Context) {
	widths(c, func(k *code) {
		for _, s := range elementwise {
			s.generate(k)
		}
	})
}

// arithmetic is an IEEE operation of two operands.
func arithmetic(f func(c *build.Context, ops ...operand.Op)) body {
	return func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		f(k.Context, x[1], x[0], x[0])
		return k.canonical(x[0], x[0], x[0])
	}
}

// mulMulAdd is the sum of two products; of a NaN on the way the sum is one.
func mulMulAdd(k *code, x []reg.VecVirtual) reg.VecVirtual {
	k.VMULPS(x[1], x[0], x[0])
	k.VMULPS(x[3], x[2], x[2])
	k.VADDPS(x[2], x[0], x[0])
	return k.canonical(x[0], x[0], x[0])
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
	k.strip(s.name, s.in, s.doc, []string{"y"}, abreast, func(k *code, x []reg.VecVirtual) []reg.VecVirtual {
		return []reg.VecVirtual{s.body(k, x)}
	})
}

func (s dualStrip) generateAbreast(k *code, abreast int) {
	k.strip(s.name, s.in, s.doc, []string{"y", "dy"}, abreast, func(k *code, x []reg.VecVirtual) []reg.VecVirtual {
		y, dy := s.body(k, x[0], x[1])
		return []reg.VecVirtual{y, dy}
	})
}

// strip writes a strip with such operands and results.
func (k *code) strip(name, operands, doc string, names []string, abreast int, results func(k *code, x []reg.VecVirtual) []reg.VecVirtual) {
	k.begin(name, strings.Join(names, ", ")+", "+strings.ReplaceAll(operands, "one ", "")+" *uint32, n int", "sets "+strings.Join(names, " and ")+" to "+doc+", for n > 0 words.")
	var out []reg.GPVirtual
	for _, name := range names {
		out = append(out, load(k.Context, name, 0))
	}
	n := load(k.Context, "n", 0)
	var in []stripOperand
	for _, name := range strings.Split(operands, ", ") {
		name, one := strings.CutPrefix(name, "one ")
		in = append(in, stripOperand{load(k.Context, name, 0), one})
	}
	at := k.GP64()
	k.XORQ(at, at)
	k.preload(func(k *code) { results(k, k.regs(len(in))) })
	vector := func(i int) {
		place := func(p reg.GPVirtual) operand.Mem {
			return operand.Mem{Base: p, Index: at, Scale: 4, Disp: k.bytes() * i}
		}
		for i, y := range results(k, k.load(in, func(p reg.GPVirtual, x reg.VecVirtual) { k.VMOVUPS(place(p), x) })) {
			k.VMOVUPS(y, place(out[i]))
		}
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
	x := k.load(in, func(p reg.GPVirtual, x reg.VecVirtual) { k.loadMasked(indexed(p, at, 4), mask, x) })
	for i, y := range results(k, x) {
		k.storeMasked(y, mask, indexed(out[i], at, 4))
	}
	k.Label("done")
	end(k.Context)
}

// stripOperand is where the words of an operand begin, or its only one.
type stripOperand struct {
	reg.GPVirtual
	one bool
}

// load fills registers with the operands.
func (k *code) load(in []stripOperand, vector func(from reg.GPVirtual, x reg.VecVirtual)) []reg.VecVirtual {
	x := k.regs(len(in))
	for i, p := range in {
		if p.one {
			k.VBROADCASTSS(mem(p, 0), x[i])
		} else {
			vector(p.GPVirtual, x[i])
		}
	}
	return x
}
