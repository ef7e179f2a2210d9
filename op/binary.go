package op

import "fmt"

// Binary is an elementwise function of two float32 operands of equal shapes; broadcasting is an op of its own. Its
// values are Add, Sub, Mul, Div, Max, Min.
type Binary struct{ F BinaryFunc }

// BinaryFunc numbers the rows of the table of binary functions.
type BinaryFunc uint8

const (
	add BinaryFunc = iota
	sub
	mul
	div
	max2
	min2
	numBinary
)

var (
	Add = Binary{add}
	Sub = Binary{sub}
	Mul = Binary{mul}
	Div = Binary{div}
	Max = Binary{max2} // NaN if an operand is NaN, else the larger, -0 < +0
	Min = Binary{min2} // NaN if an operand is NaN, else the smaller, -0 < +0
)

// binaryRow is a function: its law, and for each operand the formula that turns g into its cotangent and, in the same
// order, its tangent into a term of y's. max and min have no terms: their derivative is a select.
type binaryRow struct {
	name string
	law  func(a, b float32) float32
	d    [2]func(e Emitter, a, b, y, g Value) Value
}

var binaryTable [numBinary]binaryRow

func init() {
	type terms = [2]func(e Emitter, a, b, y, g Value) Value
	same := func(e Emitter, a, b, y, g Value) Value { return g }
	binaryTable = [numBinary]binaryRow{
		add: {"add", func(a, b float32) float32 { return a + b }, terms{same, same}},
		sub: {"sub", func(a, b float32) float32 { return a - b }, terms{same,
			func(e Emitter, a, b, y, g Value) Value { return one(e, Neg, g) }}},
		mul: {"mul", func(a, b float32) float32 { return a * b }, terms{
			func(e Emitter, a, b, y, g Value) Value { return one(e, Mul, g, b) },
			func(e Emitter, a, b, y, g Value) Value { return one(e, Mul, g, a) }}},
		div: {"div", func(a, b float32) float32 { return a / b }, terms{
			func(e Emitter, a, b, y, g Value) Value { return one(e, Div, g, b) },
			func(e Emitter, a, b, y, g Value) Value { return one(e, Neg, one(e, Div, one(e, Mul, g, y), b)) }}},
		max2: {name: "max", law: Max32},
		min2: {name: "min", law: Min32},
	}
}

func (o Binary) Name() string {
	if o.F < numBinary {
		return binaryTable[o.F].name
	}
	return fmt.Sprintf("binary(%d)", uint8(o.F))
}
func (Binary) Class() Class                 { return Ordered }
func (Binary) Pointwise()                   {}
func (Binary) Arity() int                   { return 2 }
func (o Binary) Scalar(x []float32) float32 { return binaryTable[o.F].law(x[0], x[1]) }

func (o Binary) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32, F32); err != nil {
		return nil, err
	}
	if in[0].Shape != in[1].Shape {
		return nil, bad(o, in, "two operands of one shape (broadcast the smaller one)")
	}
	return result(F32, in[0].Shape), nil
}

// Law: y[i] = f(a[i], b[i]) for every element i.
func (o Binary) Law(out, in []Tensor) {
	a, b := in[0].F(), in[1].F()
	for i := range a {
		out[0].SetF(i, binaryTable[o.F].law(a[i], b[i]))
	}
}

// chosen is the condition "the result is operand a": the first operand whose bits equal the result's.
func chosen(e Emitter, n Node) Value { return one(e, Same, n.Out[0], n.In[0]) }

func (o Binary) JVP(e Emitter, n Node, t []Value) []Value {
	d := binaryTable[o.F].d
	if d[0] == nil {
		return Select{}.JVP(e, Node{In: []Value{chosen(e, n), n.In[0], n.In[1]}, Out: n.Out}, []Value{0, t[0], t[1]})
	}
	var sum Value
	for i, dx := range t {
		if dx != 0 {
			sum = AddTo(e, sum, d[i](e, n.In[0], n.In[1], n.Out[0], dx))
		}
	}
	return []Value{sum}
}

func (o Binary) VJP(e Emitter, n Node, ct []Value) []Value {
	d := binaryTable[o.F].d
	if d[0] == nil {
		return Select{}.VJP(e, Node{In: []Value{chosen(e, n), n.In[0], n.In[1]}, Out: n.Out}, ct)[1:]
	}
	return []Value{d[0](e, n.In[0], n.In[1], n.Out[0], ct[0]), d[1](e, n.In[0], n.In[1], n.Out[0], ct[0])}
}

// AddTo is sum + term, or the other where one of them is the symbolic zero.
func AddTo(e Emitter, sum, term Value) Value {
	switch {
	case sum == 0:
		return term
	case term == 0:
		return sum
	}
	return one(e, Add, sum, term)
}
