package op

import "math"

// Exp32 is e^x, with an error of at most 0.765 ULP (0.655 where the result is normal). It is +inf and +0 exactly where the
// correctly rounded result is; exp(-inf) = +0, exp(+inf) = +inf, exp(NaN) = NaN. The steps, in which x = n ln 2 + r and |r| is
// hardly more than ln 2 / 2:
//
//	x = x < EXP_MIN ? EXP_MIN : x;  x = x > EXP_MAX ? EXP_MAX : x      (a NaN stays)
//	t = fma(x, EXP_LOG2E, ROUND1);  n = t - ROUND1;  k = bits(t) - bits(ROUND1)      (int32)
//	a = fma(n, -LN2_HI, x)                           exact
//	h = 1 + a;  l = a - (h - 1);  l = fma(n, -LN2_LO, l)
//	r = fma(n, -LN2_LO, a)
//	q = EXP_Q5;  q = fma(q, r, EXP_Q4);  ..;  q = fma(q, r, EXP_Q0)
//	y = h + fma(r * r, q, l)                         h + l = 1 + r to twice the precision
//	i = k >> 1 (arithmetic);  y = (y * 2^i) * 2^(k-i)
//
// The first scaling is exact, the second rounds where the result is subnormal and overflows where it must.
func Exp32(x float32) float32 {
	if x < expMin {
		x = expMin
	}
	if x > expMax {
		x = expMax
	}
	n, k := expSplit(x)
	a := FMA32(n, -ln2Hi, x)
	h := 1 + a
	l := a - (h - 1)
	l = FMA32(n, -ln2Lo, l)
	r := FMA32(n, -ln2Lo, a)
	y := h + FMA32(float32(r*r), expTail(r), l)
	i := k >> 1
	return float32(y*pow2(i)) * pow2(k-i)
}

// expSplit is the integer n nearest to x / ln 2 (the product rounded once), as a float32 and as an integer.
func expSplit(x float32) (n float32, k int32) {
	t := FMA32(x, expLog2E, round1)
	return t - round1, int32(math.Float32bits(t) - math.Float32bits(round1))
}

// expTail is (e^r - 1 - r) / r^2 by Horner's rule.
func expTail(r float32) float32 {
	q := FMA32(expQ5, r, expQ4)
	q = FMA32(q, r, expQ3)
	q = FMA32(q, r, expQ2)
	q = FMA32(q, r, expQ1)
	return FMA32(q, r, expQ0)
}

// pow2 is 2^k for -126 <= k <= 127, by its bits.
func pow2(k int32) float32 { return math.Float32frombits(uint32(k+127) << 23) }
