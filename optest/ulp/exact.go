package ulp

import "math/big"

// The functions once more, by power series with numbers of many bits: slow, and beyond doubt. Where two results nearly cancel, which costs
// at most the 150 bits between 1 and the smallest float32, the precision leaves more than 100.

const precision = 400

func number(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

func add(a, b *big.Float) *big.Float { return number(0).Add(a, b) }
func sub(a, b *big.Float) *big.Float { return number(0).Sub(a, b) }
func mul(a, b *big.Float) *big.Float { return number(0).Mul(a, b) }
func quo(a, b *big.Float) *big.Float { return number(0).Quo(a, b) }
func neg(a *big.Float) *big.Float    { return number(0).Neg(a) }
func sqrt(a *big.Float) *big.Float   { return number(0).Sqrt(a) }

// scale is a 2^n.
func scale(a *big.Float, n int) *big.Float { return number(0).SetMantExp(a, n) }

// nearest is the integer next to x, which must fit.
func nearest(x *big.Float) int {
	n, _ := add(x, number(0.5)).Int64()
	if add(x, number(0.5)).Cmp(number(float64(n))) < 0 {
		n-- // Int64 rounds towards zero
	}
	return int(n)
}

// series is first + first f(1) + first f(1) f(2) + .., down to terms that do not count.
func series(first *big.Float, f func(k int) *big.Float) *big.Float {
	sum, term := number(0), first
	for k := 1; term.Sign() != 0 && (sum.Sign() == 0 || term.MantExp(nil) > sum.MantExp(nil)-precision); k++ {
		sum = add(sum, term)
		term = mul(term, f(k))
	}
	return sum
}

// atanh is (log(1 + z) - log(1 - z)) / 2 = z + z^3/3 + z^5/5 + .. .
func atanh(z *big.Float) *big.Float {
	zz := mul(z, z)
	return series(z, func(k int) *big.Float { return quo(mul(zz, number(float64(2*k-1))), number(float64(2*k+1))) })
}

// atan1 is atan(1/n) = 1/n - 1/(3 n^3) + .. .
func atan1(n float64) *big.Float {
	return series(quo(number(1), number(n)), func(k int) *big.Float {
		return quo(number(float64(1-2*k)), number(n*n*float64(2*k+1)))
	})
}

var (
	ln2 = scale(atanh(quo(number(1), number(3))), 1)
	pi  = sub(scale(atan1(5), 4), scale(atan1(239), 2)) // Machin
)

// exp is 2^n e^r with x = n ln 2 + r. Beyond 2^20 it is 0 or infinite: no float32 that is made of it could tell.
func exp(x *big.Float) *big.Float {
	switch large := x.MantExp(nil) > 20; {
	case large && x.Signbit():
		return number(0)
	case large:
		return number(0).SetInf(false)
	}
	n := nearest(quo(x, ln2))
	r := sub(x, mul(number(float64(n)), ln2))
	return scale(series(number(1), func(k int) *big.Float { return quo(r, number(float64(k))) }), n)
}

// log is e ln 2 + log(m) with x = m 2^e and m between 2/3 and 4/3.
func log(x *big.Float) *big.Float {
	m := number(0)
	e := x.MantExp(m)
	if m.Cmp(quo(number(2), number(3))) < 0 {
		m, e = scale(m, 1), e-1
	}
	z := quo(sub(m, number(1)), add(m, number(1)))
	return add(mul(number(float64(e)), ln2), scale(atanh(z), 1))
}

func tanh(x *big.Float) *big.Float {
	e := exp(scale(x, 1))
	return quo(sub(e, number(1)), add(e, number(1)))
}

// onePlusExp is 1 + e^x.
func onePlusExp(x *big.Float) *big.Float { return add(number(1), exp(x)) }

func exactGelu(x *big.Float) *big.Float {
	cubic, _ := number(0).SetString("0.044715")
	u := mul(sqrt(quo(number(2), pi)), add(x, mul(cubic, mul(x, mul(x, x)))))
	return quo(x, onePlusExp(neg(scale(u, 1))))
}

// sine is sin(pi (x + quarters/2)).
func sine(x *big.Float, quarters int) *big.Float {
	n := nearest(scale(x, 1))
	r := mul(pi, sub(x, number(float64(n)/2)))
	rr := neg(mul(r, r))
	first, odd := r, 1
	if n += quarters; n&1 == 1 { // sin(r + pi/2) = cos(r)
		first, odd = number(1), 0
	}
	y := series(first, func(k int) *big.Float { return quo(rr, number(float64((2*k-1+odd)*(2*k+odd)))) })
	if n&2 != 0 {
		return neg(y)
	}
	return y
}

func sinpi(x *big.Float) *big.Float { return sine(x, 0) }
func cospi(x *big.Float) *big.Float { return sine(x, 1) }
