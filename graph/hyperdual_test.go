package graph_test

import "math"

// hyperdual is a + b e1 + c e2 + d e1 e2 with e1^2 = e2^2 = 0, in float64: one evaluation gives a function's value, two
// directional derivatives and the mixed second one, exactly but for rounding (Fike and Alonso 2011, The Development of
// Hyper-Dual Numbers for Exact Second-Derivative Calculations, equation 10). It shares nothing with the code under test.
type hyperdual struct{ a, b, c, d float64 }

func constant(x float64) hyperdual { return hyperdual{a: x} }

func (x hyperdual) add(y hyperdual) hyperdual {
	return hyperdual{x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}
}

func (x hyperdual) mul(y hyperdual) hyperdual {
	return hyperdual{x.a * y.a, x.a*y.b + x.b*y.a, x.a*y.c + x.c*y.a, x.a*y.d + x.b*y.c + x.c*y.b + x.d*y.a}
}

// lift applies a function whose value and first two derivatives at x.a are f, f1 and f2.
func (x hyperdual) lift(f, f1, f2 float64) hyperdual {
	return hyperdual{f, f1 * x.b, f1 * x.c, f1*x.d + f2*x.b*x.c}
}

func (x hyperdual) tanh() hyperdual {
	t := math.Tanh(x.a)
	return x.lift(t, 1-t*t, -2*t*(1-t*t))
}

func (x hyperdual) sigmoid() hyperdual {
	s := 1 / (1 + math.Exp(-x.a))
	return x.lift(s, s*(1-s), s*(1-s)*(1-2*s))
}

func (x hyperdual) relu() hyperdual {
	if x.a > 0 {
		return x
	}
	return hyperdual{}
}

func (x hyperdual) gelu() hyperdual {
	const c, k = 0.7978845608028654, 0.044715
	u := x.mul(x).mul(x).mul(constant(k)).add(x).mul(constant(c))
	return x.mul(constant(0.5)).mul(u.tanh().add(constant(1)))
}

func (x hyperdual) exp() hyperdual {
	e := math.Exp(x.a)
	return x.lift(e, e, e)
}

func (x hyperdual) log() hyperdual { return x.lift(math.Log(x.a), 1/x.a, -1/(x.a*x.a)) }
