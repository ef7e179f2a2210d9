package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions of package op, step by step as their laws write them; the comments are the laws' lines, in which a name is a
// constant of op/constants.go. Results that are selected are all computed, as in the laws.
//
// NaNs: operands are canonical, an operation on one NaN returns it, and where two meet they are the same one. So a function that
// makes none of its own needs no step for them; the others end with canonical.

var unaryFunctions = []strip{
	{"stripExp", "x", "exp(x)", first(exponential)},
	{"stripLog", "x", "log(x)", first(logarithm)},
	{"stripTanh", "x", "tanh(x)", first(tangent)},
	{"stripSinPi", "x", "sin(pi x)", first(sinPi)},
	{"stripCosPi", "x", "cos(pi x)", first(cosPi)},
	{"stripSigmoid", "x", "1 / (1 + exp(-x))", first(sigmoid)},
	{"stripRsqrt", "x", "1 / sqrt(x)", first(inverseRoot)},
	{"stripGelu", "x", "gelu(x)", first(gelu)},
}

// Activations with their tangents, op.DualMap: what both need is computed once.
var dualActivations = []dualStrip{
	{"stripDualTanh", "x, dx", "tanh(x) and its tangent", dualTangent},
	{"stripDualSigmoid", "x, dx", "1 / (1 + exp(-x)) and its tangent", dualSigmoid},
	{"stripDualGelu", "x, dx", "gelu(x) and its tangent", dualGelu},
}

// functions generates the kernels of functions.
func functions(c *build.Context) {
	widths(c, func(k *code) {
		for _, s := range unaryFunctions {
			s.generateAbreast(k, 2)
		}
		for _, s := range dualActivations {
			switch {
			case k.lanes() == 16:
				s.generateAbreast(k, 2)
			case s.name == "stripDualGelu":
				s.generateAbreast(k, 1) // it takes most of AVX2's 16 registers; the others are slower so than strips one after the other
			}
		}
	})
}

// first is a body of one operand.
func first(f func(k *code, x reg.VecVirtual) reg.VecVirtual) body {
	return func(k *code, x []reg.VecVirtual) reg.VecVirtual { return f(k, x[0]) }
}

// law is a constant of the law.
func (k *code) law(name string) operand.Op { return k.number(lawBits(name)) }

// freshLaw is a constant of the law in a register that may be overwritten.
func (k *code) freshLaw(name string) reg.VecVirtual { return k.fresh(lawBits(name)) }

// horner is a polynomial in x by Horner's rule, the constant of the highest power first.
func (k *code) horner(x reg.VecVirtual, constants ...string) reg.VecVirtual {
	q := k.freshLaw(constants[0])
	for _, c := range constants[1:] {
		k.VFMADD213PS(k.law(c), x, q) // q = fma(q, x, c)
	}
	return q
}

var (
	one  = math.Float32bits(1)
	half = math.Float32bits(0.5)
)

// split is the integer n nearest to x / ln 2 as the law rounds it, and t, whose bits are those of ROUND1 and n more.
func (k *code) split(x reg.VecVirtual) (n, t reg.VecVirtual) {
	n, t = k.reg(), k.freshLaw("EXP_LOG2E")
	k.VFMADD213PS(k.law("ROUND1"), x, t) // t = fma(x, EXP_LOG2E, ROUND1)
	k.VSUBPS(k.law("ROUND1"), t, n)      // n = t - ROUND1
	return n, t
}

// scale is y = y * 2^n for a normal result; t is as in split.
func (k *code) scale(y, n, t reg.VecVirtual) {
	if k.scales() {
		k.VSCALEFPS(n, y, y)
		return
	}
	k.VPSUBD(k.number(lawBits("ROUND1")-127), t, t) // k + 127
	k.VPSLLD(operand.U8(23), t, t)
	k.VMULPS(t, y, y)
}

// scaleTwice is y = (y * 2^i) * 2^(n-i), i = n >> 1, for any result; t is as in split. The first product is exact, so that
// one instruction that rounds once has the same bits.
func (k *code) scaleTwice(y, n, t reg.VecVirtual) {
	if k.scales() {
		k.VSCALEFPS(n, y, y)
		return
	}
	i := n
	k.VPSUBD(k.number(lawBits("ROUND1")-2*127), t, t) // k + 2 * 127
	k.VPSRAD(operand.U8(1), t, i)                     // i + 127
	k.VPSUBD(i, t, t)                                 // k - i + 127
	k.VPSLLD(operand.U8(23), i, i)
	k.VPSLLD(operand.U8(23), t, t)
	k.VMULPS(i, y, y)
	k.VMULPS(t, y, y)
}

// expTail is (e^r - 1 - r) / r^2.
func (k *code) expTail(r reg.VecVirtual) reg.VecVirtual {
	return k.horner(r, "EXP_Q5", "EXP_Q4", "EXP_Q3", "EXP_Q2", "EXP_Q1", "EXP_Q0")
}

// exponential is op.Exp32. It overwrites x.
func exponential(k *code, x reg.VecVirtual) reg.VecVirtual {
	low, high := k.freshLaw("EXP_MIN"), k.freshLaw("EXP_MAX")
	k.VMAXPS(x, low, x)                     // x = x < EXP_MIN ? EXP_MIN : x, the second source where one is a NaN
	some := k.compare(notLessEqual, low, x) // where the result is not sure to be +0
	k.VMINPS(x, high, x)                    // x = x > EXP_MAX ? EXP_MAX : x
	n, t := k.split(x)
	k.VFNMADD231PS(k.law("LN2_HI"), n, x) // a = fma(n, -LN2_HI, x)
	h, l := k.reg(), k.reg()
	k.VADDPS(k.number(one), x, h)         // h = 1 + a
	k.VSUBPS(k.number(one), h, l)         // l = a - (h - 1)
	k.VSUBPS(l, x, l)                     //
	k.VFNMADD231PS(k.law("LN2_LO"), n, l) // l = fma(n, -LN2_LO, l)
	k.VFNMADD231PS(k.law("LN2_LO"), n, x) // r = fma(n, -LN2_LO, a)
	q := k.expTail(x)
	k.VMULPS(x, x, x)      // r * r
	k.VFMADD231PS(x, q, l) // fma(r * r, q, l)
	k.VADDPS(l, h, h)      // y = h + ..
	k.keep(some, h, h)     // to scale +0, and not what would be rounded to it: Intel's processors take a hundred cycles for a result below 2^-126
	k.scaleTwice(h, n, t)  // y = (y * 2^i) * 2^(k-i), i = k >> 1
	return h
}

// logarithm is op.Log32. It keeps x.
func logarithm(k *code, x reg.VecVirtual) reg.VecVirtual {
	small := k.compare(less, k.number(0x00800000), x)
	z, e := k.reg(), k.reg()
	k.VMULPS(k.law("LOG_SCALE"), x, z)
	k.blend(small, z, x, z)                 // z = x < 2^-126 ? x * LOG_SCALE : x
	k.keep(small, k.fresh(negative(23)), e) // k0 = x < 2^-126 ? -23 : 0
	f, kk := k.reg(), k.reg()
	k.VPSUBD(k.law("LOG_LOWEST"), z, f) // d = bits(z) - LOG_LOWEST
	k.VPSRAD(operand.U8(23), f, kk)     // k = float32((int32(d) >> 23) + k0)
	k.VPADDD(e, kk, kk)                 //
	k.VCVTDQ2PS(kk, kk)                 //
	k.and(k.number(0x7fffff), f, f)     // f = float((d & 7fffff) + LOG_LOWEST) - 1
	k.VPADDD(k.law("LOG_LOWEST"), f, f) //
	k.VSUBPS(k.number(one), f, f)       //
	p := k.horner(f, "LOG_L8", "LOG_L7", "LOG_L6", "LOG_L5", "LOG_L4", "LOG_L3", "LOG_L2", "LOG_L1", "LOG_L0")
	g, h, l := k.reg(), k.copy(f), k.reg()
	k.VMULPS(k.number(half|signBit), f, g) // g = -0.5 * f
	k.VFMADD231PS(f, g, h)                 // h = fma(g, f, f)
	k.VSUBPS(h, f, l)                      // l = fma(g, f, f - h)
	k.VFMADD231PS(f, g, l)                 //
	k.VMULPS(f, f, g)                      // l = fma((f * f) * f, p, l)
	k.VMULPS(f, g, g)                      //
	k.VFMADD231PS(p, g, l)                 //
	k.VFMADD231PS(k.law("LN2_LO"), kk, l)  // l = fma(k, LN2_LO, l)
	s := k.copy(h)
	k.VFMADD231PS(k.law("LN2_HI"), kk, s)                                                     // s = fma(k, LN2_HI, h)
	k.VFMSUB132PS(k.law("LN2_HI"), s, kk)                                                     // e = fma(k, LN2_HI, -s) + h
	k.VADDPS(h, kk, kk)                                                                       //
	k.VADDPS(l, kk, l)                                                                        // y = s + (e + l)
	k.VADDPS(l, s, s)                                                                         //
	k.blend(k.compare(notLessEqual, k.number(math.Float32bits(math.MaxFloat32)), x), x, s, s) // y = x is +inf or NaN ? x : y
	zero := k.number(zeroBits)
	k.blend(k.compare(equal, zero, x), k.fresh(0xff800000), s, s) // y = x == 0 ? -inf : y
	k.blend(k.compare(less, zero, x), k.number(nanBits), s, s)    // y = x < 0 ? NaN : y
	return s
}

// negative is the word of -n.
func negative(n int32) uint32 { return uint32(-n) }

// tangent is op.Tanh32, the hyperbolic tangent. It overwrites x.
func tangent(k *code, x reg.VecVirtual) reg.VecVirtual {
	z, u, a, b := k.reg(), k.reg(), k.reg(), k.freshLaw("TANH_MAX")
	k.and(k.number(signBit-1), x, z)
	k.VMULPS(z, z, u) // u = z * z
	p := k.horner(u, "TANH_T7", "TANH_T6", "TANH_T5", "TANH_T4", "TANH_T3", "TANH_T2", "TANH_T1", "TANH_T0")
	k.VMULPS(u, z, a)      // a = fma(z * u, p, z)
	k.VFMADD213PS(z, p, a) //
	k.VMINPS(z, b, b)      // w = z > TANH_MAX ? TANH_MAX : z, the second source where one is a NaN
	k.VADDPS(b, b, b)      // w = w + w
	n, t := k.split(b)
	k.VFNMADD231PS(k.law("LN2_HI"), n, b) // r = fma(n, -LN2_HI, w)
	k.VFNMADD231PS(k.law("LN2_LO"), n, b) // r = fma(n, -LN2_LO, r)
	e := k.expTail(b)
	k.VFMADD213PS(k.number(one), b, e) // e = fma(fma(q, r, 1), r, 1) * 2^k
	k.VFMADD213PS(k.number(one), b, e) //
	k.scale(e, n, t)                   //
	k.VADDPS(k.number(one), e, e)      // b = 1 - 2 / (e + 1)
	k.VDIVPS(e, k.fresh(math.Float32bits(2)), e)
	k.VSUBPS(e, k.fresh(one), e)
	k.blend(k.compare(less, k.law("TANH_SPLIT"), z), a, e, e) // y = z < TANH_SPLIT ? a : b
	k.and(k.number(signBit), x, x)                            // with the sign bit of x
	k.or(x, e, e)
	return e
}

// sinPi is op.SinPi32. It keeps x.
func sinPi(k *code, x reg.VecVirtual) reg.VecVirtual {
	s, c, i := waves(k, x)
	y, sign := k.quarter(s, c, i), k.reg()
	k.and(k.number(signBit), x, sign)
	k.xor(sign, y, y)
	return k.canonical(y, y, y)
}

// cosPi is op.CosPi32. It keeps x.
func cosPi(k *code, x reg.VecVirtual) reg.VecVirtual {
	s, c, i := waves(k, x)
	k.VPADDD(k.number(1), i, i)
	y := k.quarter(s, c, i)
	return k.canonical(y, y, y)
}

// waves is the part of op's quarterWave that sinPi and cosPi share: |x| = 2 j + i/2 + r, s = sin(pi r), c = cos(pi r).
func waves(k *code, x reg.VecVirtual) (s, c, i reg.VecVirtual) {
	r, w, i := k.reg(), k.reg(), k.reg()
	k.and(k.number(signBit-1), x, r)
	k.VADDPS(k.law("ROUND2"), r, w) // w = z - ((z + ROUND2) - ROUND2)
	k.VSUBPS(k.law("ROUND2"), w, w)
	k.VSUBPS(w, r, w)
	k.VADDPS(k.law("ROUND_HALF"), w, i) // t = w + ROUND_HALF, the bits of which are i
	k.VSUBPS(k.law("ROUND_HALF"), i, r) // r = w - (t - ROUND_HALF)
	k.VSUBPS(r, w, r)
	u := w
	k.VMULPS(r, r, u) // u = r * r
	p := k.horner(u, "SIN_S3", "SIN_S2", "SIN_S1", "SIN_S0", "SIN_PI_LO")
	s = k.reg()
	k.VMULPS(p, r, s) // s = fma(r, SIN_PI, r * s)
	k.VFMADD231PS(k.law("SIN_PI"), r, s)
	h, l := k.fresh(one), k.fresh(one)
	k.VFMADD231PS(k.law("COS_HI"), u, h) // h = fma(u, COS_HI, 1)
	k.VSUBPS(h, l, l)                    // l = fma(u, COS_HI, 1 - h)
	k.VFMADD231PS(k.law("COS_HI"), u, l)
	k.VFMSUB213PS(u, r, r) // l = fma(fma(r, r, -u), COS_HI, l)
	k.VFMADD231PS(k.law("COS_HI"), r, l)
	c = k.horner(u, "COS_C2", "COS_C1", "COS_C0", "COS_LO")
	k.VFMADD213PS(l, u, c) // c = h + fma(c, u, l)
	k.VADDPS(c, h, c)
	return s, c, i
}

// quarter is the wave's value in quarter i, which it overwrites.
func (k *code) quarter(s, c, i reg.VecVirtual) reg.VecVirtual {
	y, odd := k.reg(), k.reg()
	k.and(k.number(1), i, odd)
	k.blend(k.equal(k.number(1), odd), c, s, y) // y = i & 1 ? c : s
	k.VPSRLD(operand.U8(1), i, i)               // the sign bit of y is inverted if i & 2
	k.VPSLLD(operand.U8(31), i, i)
	k.xor(i, y, y)
	k.VADDPS(k.number(zeroBits), y, y) // y = y + 0
	return y
}

func sigmoid(k *code, x reg.VecVirtual) reg.VecVirtual {
	k.xor(k.number(signBit), x, x)
	y := exponential(k, x)
	k.VADDPS(k.number(one), y, y)
	k.VDIVPS(y, k.fresh(one), y)
	return k.canonical(y, y, y)
}

func inverseRoot(k *code, x reg.VecVirtual) reg.VecVirtual {
	k.VSQRTPS(x, x)
	k.VDIVPS(x, k.fresh(one), x)
	return k.canonical(x, x, x)
}

// geluTanh is the tanh in gelu. It rounds where op.Gelu's expansion does, and keeps x.
func geluTanh(k *code, x reg.VecVirtual) reg.VecVirtual {
	u := k.reg()
	k.VMULPS(x, x, u)
	k.VMULPS(x, u, u)
	k.VMULPS(k.number(math.Float32bits(0.044715)), u, u)
	k.VADDPS(u, x, u)
	k.VMULPS(k.number(math.Float32bits(0.7978846)), u, u)
	return tangent(k, u)
}

func gelu(k *code, x reg.VecVirtual) reg.VecVirtual {
	t := geluTanh(k, x)
	k.VADDPS(k.number(one), t, t)
	k.VMULPS(k.number(half), x, x)
	k.VMULPS(t, x, x)
	return k.canonical(x, x, x)
}

// The tangents below round where the JVPs of the ops do. A NaN stays one through all of it, so only what is stored is made canonical.

func dualTangent(k *code, x, dx reg.VecVirtual) (y, dy reg.VecVirtual) {
	y, v := tangent(k, x), k.reg()
	k.VMULPS(y, y, v) // dx * (1 - y * y)
	k.VSUBPS(v, k.fresh(one), v)
	k.VMULPS(v, dx, dx)
	return y, k.canonical(dx, dx, dx)
}

func dualSigmoid(k *code, x, dx reg.VecVirtual) (y, dy reg.VecVirtual) {
	y, v := sigmoid(k, x), k.fresh(one)
	k.VSUBPS(y, v, v) // dx * (y * (1 - y))
	k.VMULPS(v, y, v)
	k.VMULPS(v, dx, dx)
	return y, k.canonical(dx, dx, dx)
}

func dualGelu(k *code, x, dx reg.VecVirtual) (y, dy reg.VecVirtual) {
	t := geluTanh(k, x)
	b, v, h := k.reg(), k.reg(), k.reg()
	k.VMULPS(t, t, b) // b = 1 - t * t
	k.VSUBPS(b, k.fresh(one), b)
	k.VADDPS(k.number(one), t, t)                         // 1 + t
	k.VMULPS(x, x, v)                                     // v = u'
	k.VMULPS(k.number(math.Float32bits(0.134145)), v, v)  //
	k.VADDPS(k.number(one), v, v)                         //
	k.VMULPS(k.number(math.Float32bits(0.7978846)), v, v) //
	k.VMULPS(k.number(half), x, h)                        // h = 0.5 * x
	k.VMULPS(b, h, b)                                     // c = (h * b) * v
	k.VMULPS(v, b, b)                                     //
	k.VMULPS(t, h, h)                                     // y = h * (1 + t)
	k.VMULPS(k.number(half), t, t)                        // a = 0.5 * (1 + t)
	k.VADDPS(b, t, t)                                     // dx * (a + c)
	k.VMULPS(t, dx, dx)                                   //
	return k.canonical(h, h, h), k.canonical(dx, dx, dx)
}
