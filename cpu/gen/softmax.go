package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What softmax and the cross-entropy do with each element, from end to end in registers. m, s and ct are numbers of a row: its
// maximum, the sum of its exponentials and its cotangent, which for short rows are repeated, so that one strip goes over many.
var rowStrips = []strip{
	{"stripDivOne", "x, one s", "x / s", arithmetic((*build.Context).VDIVPS)},
	{"stripXent", "s, x, m", "log(s) - (x - m)", crossEntropy},
	{"stripXentGrad", "e, hot, s, ct", "(e / s - hot) * ct", crossEntropyGradient},
	{"stripXentGradOne", "e, hot, one s, one ct", "(e / s - hot) * ct", crossEntropyGradient},
}

var exponentialStrips = []strip{
	{"stripShiftedExp", "x, m", "exp(x - m)", shiftedExp},
	{"stripShiftedExpOne", "x, one m", "exp(x - m)", shiftedExp},
}

// softmax generates the kernels of softmax and of the cross-entropy and its gradient.
func softmax(c *build.Context) {
	widths(c, func(k *code) {
		for _, s := range exponentialStrips {
			s.generateAbreast(k, 2)
		}
		for _, s := range rowStrips {
			s.generate(k)
		}
		repeatEach(k)
	})
}

// shiftedExp may make a NaN that is not canonical, of two infinities: it is for results that go on into sums and quotients.
func shiftedExp(k *code, x []reg.VecVirtual) reg.VecVirtual {
	k.VSUBPS(x[1], x[0], x[0])
	return exponential(k, x[0])
}

func crossEntropy(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y := logarithm(k, x[0])
	k.VSUBPS(x[2], x[1], x[1])
	k.VSUBPS(x[1], y, y)
	return k.canonical(y, y, y)
}

func crossEntropyGradient(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y := x[0]
	k.VDIVPS(x[2], y, y)
	k.VSUBPS(x[1], y, y)
	k.VMULPS(x[3], y, y)
	return k.canonical(y, y, y)
}

// repeatEach generates the repetition of words. It may write beyond the last, which spares the rest of each.
func repeatEach(k *code) {
	k.begin("repeatEach", "y, x *uint32, words, n int", "writes each of words > 0 words n > 0 times, and perhaps as many more as a register but one has.")
	y, x, words, n := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "words", 0), load(k.Context, "n", 0)
	at, r := k.GP64(), k.reg()
	k.Label("word")
	k.VPBROADCASTD(mem(x, 0), r)
	k.XORQ(at, at)
	k.Label("vector")
	k.VMOVUPS(r, indexed(y, at, 4))
	k.ADDQ(operand.U8(k.lanes()), at)
	k.CMPQ(at, n)
	k.JL(operand.LabelRef("vector"))
	k.LEAQ(indexed(y, n, 4), y)
	k.ADDQ(operand.U8(4), x)
	k.DECQ(words)
	k.JNZ(operand.LabelRef("word"))
	end(k.Context)
}
