package truth

import "math"

// Hyperdual is A + B e1 + C e2 + D e1 e2 with e1^2 = e2^2 = 0, in float64: one evaluation gives a function's value, two
// directional derivatives and the mixed second one, exactly but for rounding (Fike and Alonso 2011, The Development of
// Hyper-Dual Numbers for Exact Second-Derivative Calculations, equation 10). It shares nothing with the code under test.
type Hyperdual struct{ A, B, C, D float64 }

// Real is x, which has no derivatives.
func Real(x float64) Hyperdual { return Hyperdual{A: x} }

func (x Hyperdual) Add(y Hyperdual) Hyperdual {
	return Hyperdual{x.A + y.A, x.B + y.B, x.C + y.C, x.D + y.D}
}

func (x Hyperdual) Mul(y Hyperdual) Hyperdual {
	return Hyperdual{x.A * y.A, x.A*y.B + x.B*y.A, x.A*y.C + x.C*y.A, x.A*y.D + x.B*y.C + x.C*y.B + x.D*y.A}
}

// Lift applies a function whose value and first two derivatives at x.A are f, f1 and f2.
func (x Hyperdual) Lift(f, f1, f2 float64) Hyperdual {
	return Hyperdual{f, f1 * x.B, f1 * x.C, f1*x.D + f2*x.B*x.C}
}

func (x Hyperdual) Tanh() Hyperdual {
	t := math.Tanh(x.A)
	return x.Lift(t, 1-t*t, -2*t*(1-t*t))
}

func (x Hyperdual) Sigmoid() Hyperdual {
	s := 1 / (1 + math.Exp(-x.A))
	return x.Lift(s, s*(1-s), s*(1-s)*(1-2*s))
}

func (x Hyperdual) Relu() Hyperdual {
	if x.A > 0 {
		return x
	}
	return Hyperdual{}
}

func (x Hyperdual) Gelu() Hyperdual {
	const c, k = 0.7978845608028654, 0.044715
	u := x.Mul(x).Mul(x).Mul(Real(k)).Add(x).Mul(Real(c))
	return x.Mul(Real(0.5)).Mul(u.Tanh().Add(Real(1)))
}

func (x Hyperdual) Exp() Hyperdual {
	e := math.Exp(x.A)
	return x.Lift(e, e, e)
}

func (x Hyperdual) Log() Hyperdual { return x.Lift(math.Log(x.A), 1/x.A, -1/(x.A*x.A)) }

// Div is x / y.
func (x Hyperdual) Div(y Hyperdual) Hyperdual {
	return x.Mul(y.Lift(1/y.A, -1/(y.A*y.A), 2/(y.A*y.A*y.A)))
}

func (x Hyperdual) Sqrt() Hyperdual {
	r := math.Sqrt(x.A)
	return x.Lift(r, 1/(2*r), -1/(4*r*r*r))
}
