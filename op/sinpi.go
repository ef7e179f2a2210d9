package op

import "math"

// SinPi32 is sin(pi x), with an error of at most 0.965 ULP (0.691 where x is normal). It is odd, and exact at multiples of 1/2: at
// an integer n it is zero with the sign of n (IEEE 754-2019 sinPi), so sinpi(+-0) = +-0. An infinity or a NaN gives NaN.
//
//	y = quarterWave(|x|, 0), with its sign bit inverted where x's is 1
func SinPi32(x float32) float32 {
	sign := math.Float32bits(x) & signBit
	return math.Float32frombits(math.Float32bits(quarterWave(x, 0)) ^ sign)
}

// CosPi32 is cos(pi x), with an error of at most 0.689 ULP. It is even, and exact at multiples of 1/2: at n + 1/2 it is +0
// (IEEE 754-2019 cosPi), so cospi(+-0) = 1. An infinity or a NaN gives NaN.
//
//	y = quarterWave(|x|, 1)
func CosPi32(x float32) float32 { return quarterWave(x, 1) }

// quarterWave is sin(pi (|x| + quarters/2)). The steps, in which |x| = 2 j + i/2 + r with integers i and j and |r| <= 1/4; all
// but the polynomials are exact:
//
//	z = |x|
//	w = z - ((z + ROUND2) - ROUND2)                   |x| modulo 2, in [-1, 1]; an infinity becomes NaN
//	t = w + ROUND_HALF;  r = w - (t - ROUND_HALF);  i = bits(t) + quarters
//	u = r * r
//	s = SIN_S3;  s = fma(s, u, SIN_S2);  ..;  s = fma(s, u, SIN_S0);  s = fma(s, u, SIN_PI_LO)
//	s = fma(r, SIN_PI, r * s)                         sin(pi r)
//	h = fma(u, COS_HI, 1);  l = fma(u, COS_HI, 1 - h)      h + l = 1 + COS_HI u
//	l = fma(fma(r, r, -u), COS_HI, l)                 what r * r lost
//	c = COS_C2;  c = fma(c, u, COS_C1);  c = fma(c, u, COS_C0);  c = fma(c, u, COS_LO)
//	c = h + fma(c, u, l)                              cos(pi r)
//	y = i & 1 ? c : s;  the sign bit of y is inverted if i & 2;  y = y + 0      (-0 becomes +0)
//
// From 2^24 on every float32 is even, and what the sums round away is even too: w is no longer small, but it is an integer
// whose bits in t are 0 modulo 4, and r = 0. (Checked for each of these 872 million numbers.)
func quarterWave(x float32, quarters uint32) float32 {
	z := math.Float32frombits(math.Float32bits(x) &^ signBit)
	w := z - ((z + round2) - round2)
	t := w + roundHalf
	r := w - (t - roundHalf)
	i := math.Float32bits(t) + quarters
	u := float32(r * r)

	s := FMA32(sinS3, u, sinS2)
	s = FMA32(s, u, sinS1)
	s = FMA32(s, u, sinS0)
	s = FMA32(s, u, sinPiLo)
	s = FMA32(r, sinPi, float32(r*s))

	h := FMA32(u, cosHi, 1)
	l := FMA32(u, cosHi, 1-h)
	l = FMA32(FMA32(r, r, -u), cosHi, l)
	c := FMA32(cosC2, u, cosC1)
	c = FMA32(c, u, cosC0)
	c = FMA32(c, u, cosLo)
	c = h + FMA32(c, u, l)

	y := s
	if i&1 == 1 {
		y = c
	}
	y = math.Float32frombits(math.Float32bits(y) ^ i&2<<30)
	return y + 0
}
