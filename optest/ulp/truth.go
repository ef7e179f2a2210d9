package ulp

import (
	"math"
	"math/big"
)

// Function is a real function that the law of an op approximates.
type Function struct {
	Name  string                        // of the op
	real  func(x float64) float64       // in float64, with a relative error below 2^-bits
	bits  int                           // TestTruths holds real against exact
	exact func(x *big.Float) *big.Float // with a relative error below 2^-100, where x and the result are finite and not 0
}

// Functions are those with a law of their own, then the composed ones. Go's float64 functions are within some 2 units of their
// last place, 2^-52, on every architecture; what is made of their arguments or results here costs a few more.
var Functions = []Function{
	{"exp", math.Exp, 50, exp},
	{"log", math.Log, 50, log},
	{"tanh", math.Tanh, 50, tanh},
	{"sinpi", func(x float64) float64 { return math.Copysign(1, x) * turn(x, 0) }, 50, sinpi},
	{"cospi", func(x float64) float64 { return turn(x, 1) }, 50, cospi},
	{"sqrt", math.Sqrt, 52, sqrt},
	{"sigmoid", func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 50, func(x *big.Float) *big.Float { return quo(number(1), onePlusExp(neg(x))) }},
	{"rsqrt", func(x float64) float64 { return 1 / math.Sqrt(x) }, 51, func(x *big.Float) *big.Float { return quo(number(1), sqrt(x)) }},
	{"gelu", gelu, 42, exactGelu},
}

// turn is sin(pi (|x| + quarters/2)). The reduction to an angle of at most pi/4 is exact, but for the product with pi. A zero is +0.
func turn(x float64, quarters int) float64 {
	z := math.Abs(x)
	if z >= 1<<24 { // a float32, which is even there; or no number
		z -= z
	}
	z -= 2 * math.Floor(z/2)
	n := math.RoundToEven(2 * z)
	r := math.Pi * (z - n/2)
	switch (int(n) + quarters) % 4 {
	case 1:
		return math.Cos(r)
	case 2:
		return 0 - math.Sin(r)
	case 3:
		return -math.Cos(r)
	}
	return math.Sin(r) + 0
}

const (
	geluCubic = 0.044715
	geluScale = 0.7978845608028653558798921198687 // sqrt(2 / pi)
)

// gelu is (x / 2) (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), written so that nothing cancels. Where the result is not
// 0 in float32, the exponent is below 2^7, so its roundings cost ten bits at most.
func gelu(x float64) float64 {
	return x / (1 + math.Exp(-2*geluScale*(x+geluCubic*x*x*x)))
}
