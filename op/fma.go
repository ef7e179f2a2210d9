package op

import "math"

// FMA32 is a*b + c with one rounding to the nearest binary32, ties to even: the only fused operation of the law. It holds
// for all operands, subnormals, infinities and NaNs included; the bits of a NaN result are unspecified.
//
// It computes with float64. The product p = a*b is exact there (48 bits of the 53, and no exponent that leaves the normal
// range), and so is whatever a compiler fuses into p + c. Let s be p + c rounded to float64. float32(s) is then right
// unless s lies half-way between two neighbouring float32, because only there can the bits that s lost decide. In that case,
// and below the normal range, where half-ways lie elsewhere, s is rounded to odd first: if s is inexact, of the two float64
// around the exact sum take the one whose last bit is 1. It lies strictly on the same side of every half-way as the exact
// sum (Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, IEEE Trans. Computers 57(4), 2008).
//
// float32(math.FMA(a, b, c)) is not this function: it rounds twice, and 24929 * 673 + 2^-40 shows it.
func FMA32(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	const lost, half, normal = 1<<29 - 1, 1 << 28, uint64(1023-126) << 52 // of the bits of a float64
	if u := math.Float64bits(s); u&lost != half && u<<1 >= normal<<1 {
		return float32(s)
	}
	return float32(roundToOdd(p, float64(c), s))
}

// roundToOdd is p + c rounded to odd, where s is p + c rounded to nearest. The error of s is an exact float64 (Knuth's
// TwoSum); where it is not zero, s moves towards it by one unit in the last place if its last bit is 0.
func roundToOdd(p, c, s float64) float64 {
	v := s - p
	e := (p - (s - v)) + (c - v)
	u := math.Float64bits(s)
	switch {
	case e == 0 || e != e || u&1 == 1: // exact, not finite, or odd already
		return s
	case (e > 0) == (s > 0):
		return math.Float64frombits(u + 1)
	}
	return math.Float64frombits(u - 1)
}
