package op

import "math"

// Max32 is the larger of a and b, with -0 < +0, and NaN if one of them is NaN; so the order of the operands is free. It is
// IEEE 754-2019 maximum, and Go's builtin max.
func Max32(a, b float32) float32 { return max(a, b) }

// Min32 is the smaller of a and b, with -0 < +0, and NaN if one of them is NaN; so the order of the operands is free. It is
// IEEE 754-2019 minimum, and Go's builtin min.
func Min32(a, b float32) float32 { return min(a, b) }

// Relu32 is x where x > 0, NaN where x is NaN, else +0 (for -0 too).
func Relu32(x float32) float32 {
	if x <= 0 {
		return 0
	}
	return x
}

// Sqrt32 is the square root, correctly rounded. By way of float64 it is rounded twice, which is harmless: a square root of a
// float32 cannot lie so near to a half-way between two float32 that the first rounding reaches it, since 53 >= 2*24 + 2
// (Figueroa, When is Double Rounding Innocuous?, ACM SIGNUM Newsletter 30(3), 1995). sqrt(-0) = -0, sqrt(x < 0) = NaN.
func Sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
