package op

import "math"

// Tanh32 is the hyperbolic tangent, with an error of at most 0.960 ULP. It is odd; tanh(+-0) = +-0, tanh(+-inf) = +-1,
// tanh(NaN) = NaN. The steps, in which z = |x| and both branches are computed before one is selected:
//
//	u = z * z
//	p = TANH_T7;  p = fma(p, u, TANH_T6);  ..;  p = fma(p, u, TANH_T0)
//	a = fma(z * u, p, z)                              z < 1: z + z^3 p(z^2)
//	w = z > TANH_MAX ? TANH_MAX : z;  w = w + w       (a NaN stays)
//	t = fma(w, EXP_LOG2E, ROUND1);  n = t - ROUND1;  k = bits(t) - bits(ROUND1)
//	r = fma(n, -LN2_HI, w);  r = fma(n, -LN2_LO, r)
//	q = EXP_Q5;  q = fma(q, r, EXP_Q4);  ..;  q = fma(q, r, EXP_Q0)
//	e = fma(fma(q, r, 1), r, 1) * 2^k
//	b = 1 - 2 / (e + 1)                               z >= 1: e = exp(2z), |error of e| < 1 ULP
//	y = z < TANH_SPLIT ? a : b, with the sign bit of x
func Tanh32(x float32) float32 {
	z := math.Float32frombits(math.Float32bits(x) &^ signBit)
	u := float32(z * z)
	p := FMA32(tanhT7, u, tanhT6)
	p = FMA32(p, u, tanhT5)
	p = FMA32(p, u, tanhT4)
	p = FMA32(p, u, tanhT3)
	p = FMA32(p, u, tanhT2)
	p = FMA32(p, u, tanhT1)
	p = FMA32(p, u, tanhT0)
	a := FMA32(float32(z*u), p, z)

	w := z
	if w > tanhMax {
		w = tanhMax
	}
	w = w + w
	n, k := expSplit(w)
	r := FMA32(n, -ln2Hi, w)
	r = FMA32(n, -ln2Lo, r)
	e := FMA32(FMA32(expTail(r), r, 1), r, 1)
	b := 1 - 2/(float32(e*pow2(k))+1)

	y := b
	if z < tanhSplit {
		y = a
	}
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&signBit)
}

const signBit = 1 << 31
