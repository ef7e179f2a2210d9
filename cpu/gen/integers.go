package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var integerStrips = []strip{
	{"stripIAdd", "a, b", "a + b modulo 2^32", func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		k.VPADDD(x[1], x[0], x[0])
		return x[0]
	}},
	{"stripI32ToF32", "x", "the float32 nearest to an int32", func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		k.VCVTDQ2PS(x[0], x[0])
		return x[0]
	}},
	{"stripU32ToF32", "x", "the float32 nearest to a uint32", uintToFloat},
	{"stripF32ToI32", "x", "the int32 nearest to x, 0 for a NaN", floatToInt},
	{"stripF32ToU32", "x", "the uint32 nearest to x, 0 for a NaN", floatToUint},
	{"stripU32ToI32", "x", "the int32 nearest to a uint32", func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		k.VPMINUD(k.word(math.MaxInt32), x[0], x[0])
		return x[0]
	}},
	{"stripI32ToU32", "x", "the uint32 nearest to an int32", func(k *code, x []reg.VecVirtual) reg.VecVirtual {
		k.VPMAXSD(k.word(0), x[0], x[0])
		return x[0]
	}},
}

// integers generates the strips of casts and of iadd.
func integers(c *build.Context) {
	widths(c, func(k *code) {
		for _, s := range integerStrips {
			s.generate(k)
		}
	})
}

// The words of the powers of two at which conversions to integers end.
var (
	two31 = math.Float32bits(0x1p+31)
	two32 = math.Float32bits(0x1p+32)
)

// ordered is the predicate that holds for two numbers neither of which is a NaN.
const ordered = 0x07

// uintToFloat adds the halves of a word, each of which is exact, so that there is one rounding.
func uintToFloat(k *code, x []reg.VecVirtual) reg.VecVirtual {
	low := k.reg()
	k.and(k.word(0xffff), x[0], low)
	k.VPSRLD(operand.U8(16), x[0], x[0])
	k.VCVTDQ2PS(low, low)
	k.VCVTDQ2PS(x[0], x[0])
	k.VMULPS(k.word(math.Float32bits(0x1p+16)), x[0], x[0])
	k.VADDPS(low, x[0], x[0])
	return x[0]
}

// floatToInt: what the processor cannot convert becomes -2^31, which is right for numbers below.
func floatToInt(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y := k.reg()
	k.VCVTPS2DQ(x[0], y)
	k.blend(k.compare(lessEqual, x[0], k.word(two31)), k.word(math.MaxInt32), y, y)
	k.keep(k.compare(ordered, x[0], x[0]), y, y)
	return y
}

// floatToUint converts numbers from 2^31 on, which are integers, without their highest bit.
func floatToUint(k *code, x []reg.VecVirtual) reg.VecVirtual {
	y, high := k.reg(), k.reg()
	big := k.compare(lessEqual, x[0], k.word(two31))
	k.keep(big, k.word(two31), high)
	k.VSUBPS(high, x[0], y)
	k.VCVTPS2DQ(y, y)
	k.keep(big, k.word(signBit), high)
	k.xor(high, y, y)
	k.blend(k.compare(lessEqual, x[0], k.word(two32)), k.word(math.MaxUint32), y, y)
	k.keep(k.compare(less, x[0], k.word(zeroBits)), y, y)
	return y
}
