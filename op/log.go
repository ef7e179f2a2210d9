package op

import "math"

// Log32 is the natural logarithm, with an error of at most 0.590 ULP. log(+-0) = -inf, log(1) = +0, log(x < 0) = NaN,
// log(+inf) = +inf, log(NaN) = NaN. The steps, in which x = 2^k (1 + f) and 2/3 <= 1 + f < 4/3:
//
//	z = x < 2^-126 ? x * LOG_SCALE : x;  k0 = x < 2^-126 ? -23 : 0      (subnormals; exact)
//	d = bits(z) - LOG_LOWEST;  k = float32((int32(d) >> 23) + k0)       (arithmetic shift)
//	f = float((d & 7fffff) + LOG_LOWEST) - 1                            exact
//	p = LOG_L8;  p = fma(p, f, LOG_L7);  ..;  p = fma(p, f, LOG_L0)
//	g = -0.5 * f;  h = fma(g, f, f);  l = fma(g, f, f - h)              h + l = f - f^2/2 to twice the precision
//	l = fma((f * f) * f, p, l);  l = fma(k, LN2_LO, l)
//	s = fma(k, LN2_HI, h);  e = fma(k, LN2_HI, -s) + h                  s + e = k LN2_HI + h, exact
//	y = s + (e + l)
//	y = x is +inf or NaN ? x : y;  y = x == 0 ? -inf : y;  y = x < 0 ? NaN : y
func Log32(x float32) float32 {
	z, k0 := x, int32(0)
	if x < 0x1p-126 {
		z, k0 = x*logScale, -23
	}
	d := math.Float32bits(z) - logLowest
	k := float32(int32(d)>>23 + k0)
	f := math.Float32frombits(d&0x7fffff+logLowest) - 1

	p := FMA32(logL8, f, logL7)
	p = FMA32(p, f, logL6)
	p = FMA32(p, f, logL5)
	p = FMA32(p, f, logL4)
	p = FMA32(p, f, logL3)
	p = FMA32(p, f, logL2)
	p = FMA32(p, f, logL1)
	p = FMA32(p, f, logL0)

	g := float32(-0.5 * f)
	h := FMA32(g, f, f)
	l := FMA32(g, f, f-h)
	l = FMA32(float32(float32(f*f)*f), p, l)
	l = FMA32(k, ln2Lo, l)
	s := FMA32(k, ln2Hi, h)
	e := FMA32(k, ln2Hi, -s) + h
	y := s + (e + l)
	switch {
	case x < 0:
		return float32(math.NaN())
	case x == 0:
		return float32(math.Inf(-1))
	case x > math.MaxFloat32 || x != x:
		return x
	}
	return y
}
