package op

import "fmt"

// Unary is an elementwise function of one float32 operand. Its values are Neg, Exp, Log, Sqrt, Tanh, SinPi, CosPi, Relu.
type Unary struct{ F UnaryFunc }

// UnaryFunc numbers the rows of the table of unary functions.
type UnaryFunc uint8

const (
	neg UnaryFunc = iota
	exp
	log
	sqrt
	tanh
	sinpi
	cospi
	relu
	numUnary
)

var (
	Neg   = Unary{neg}   // -x; a NaN stays the canonical NaN
	Exp   = Unary{exp}   // e^x, see Exp32
	Log   = Unary{log}   // natural logarithm, see Log32
	Sqrt  = Unary{sqrt}  // IEEE square root
	Tanh  = Unary{tanh}  // hyperbolic tangent, see Tanh32
	SinPi = Unary{sinpi} // sin(pi x), see SinPi32
	CosPi = Unary{cospi} // cos(pi x), see CosPi32
	Relu  = Unary{relu}  // x > 0 ? x : NaN(x) ? NaN : +0
)

// unaryRow is a function: its law, and the formula that turns a cotangent g into x's cotangent and, in the same order,
// a tangent of x into y's.
type unaryRow struct {
	name string
	law  func(x float32) float32
	d    func(e Emitter, x, y, g Value) Value
}

var unaryTable [numUnary]unaryRow // filled in init: the rows emit ops whose methods read the table

func init() {
	unaryTable = [numUnary]unaryRow{
		neg:  {"neg", func(x float32) float32 { return -x }, func(e Emitter, x, y, g Value) Value { return one(e, Neg, g) }},
		exp:  {"exp", Exp32, func(e Emitter, x, y, g Value) Value { return one(e, Mul, g, y) }},
		log:  {"log", Log32, func(e Emitter, x, y, g Value) Value { return one(e, Div, g, x) }},
		sqrt: {"sqrt", Sqrt32, func(e Emitter, x, y, g Value) Value { return one(e, Div, g, one(e, Add, y, y)) }},
		tanh: {"tanh", Tanh32, func(e Emitter, x, y, g Value) Value {
			return one(e, Mul, g, one(e, Sub, FillLike(e, 1, y), one(e, Mul, y, y)))
		}},
		sinpi: {"sinpi", SinPi32, func(e Emitter, x, y, g Value) Value {
			return one(e, Mul, g, one(e, Mul, FillLike(e, pi, x), one(e, CosPi, x)))
		}},
		cospi: {"cospi", CosPi32, func(e Emitter, x, y, g Value) Value {
			return one(e, Neg, one(e, Mul, g, one(e, Mul, FillLike(e, pi, x), one(e, SinPi, x))))
		}},
		relu: {"relu", Relu32, func(e Emitter, x, y, g Value) Value {
			zero := FillLike(e, 0, x)
			return one(e, Select{}, one(e, Gt, x, zero), g, zero)
		}},
	}
}

const pi float32 = 3.14159265358979323846 // rounded once: 40490fdb

func (o Unary) Name() string {
	if o.F < numUnary {
		return unaryTable[o.F].name
	}
	return fmt.Sprintf("unary(%d)", uint8(o.F))
}
func (Unary) Class() Class                 { return Ordered }
func (Unary) Pointwise()                   {}
func (Unary) Arity() int                   { return 1 }
func (o Unary) Scalar(x []float32) float32 { return unaryTable[o.F].law(x[0]) }

func (o Unary) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	return result(F32, in[0].Shape), nil
}

// Law: y[i] = f(x[i]) for every element i.
func (o Unary) Law(out, in []Tensor) {
	for i, x := range in[0].F() {
		out[0].SetF(i, unaryTable[o.F].law(x))
	}
}

func (o Unary) JVP(e Emitter, n Node, t []Value) []Value {
	return []Value{unaryTable[o.F].d(e, n.In[0], n.Out[0], t[0])}
}

func (o Unary) VJP(e Emitter, n Node, ct []Value) []Value {
	return []Value{unaryTable[o.F].d(e, n.In[0], n.Out[0], ct[0])}
}
