package optest

import (
	"fmt"
	"math"

	"lockstep/op"
	"lockstep/optest/truth"
)

// Smooth is a random program of differentiable ops with its derivatives: of y at the float32 inputs x, along the directions u, the cotangents of x for the
// cotangent g of y, the tangent of y, and the tangents of the cotangents (the product of the Hessian of <g, y> with u).
type Smooth struct {
	Random
	y, g, dy op.Value
	x, u     []op.Value
	ct, dct  []op.Value // by x
}

// differentiable are the ops of such a program.
var differentiable = []string{"neg", "exp", "tanh", "sinpi", "cospi", "relu", "sigmoid", "gelu", "log", "sqrt", "rsqrt", "add", "sub", "mul", "max", "min", "div",
	"select", "matmul", "matmultail", "ternarymm", "ternarymmtail", "sum", "mean", "amax", "broadcast", "pick", "reshape", "transpose", "slice", "pad", "tail", "concat", "split",
	"putrow", "gather", "scatteradd", "softmax", "softmaxgrad", "layernorm", "layernormgrad", "dualtanh", "dualgelu", "dualsoftmax", "duallayernorm", "dualxentgrad", "xent", "xentgrad"}

// NewSmooth draws one; see NewRandom.
func NewSmooth(entropy []byte) (*Smooth, error) {
	g, s := &generator{entropy: entropy, smooth: true}, &Smooth{}
	r, err := g.draw(func() { s.trace(g) })
	if err != nil {
		return nil, err
	}
	s.Random = *r
	return s, nil
}

// trace emits up to 16 ops, and their derivatives.
func (s *Smooth) trace(g *generator) {
	g.domains = []op.Domain{op.Cell}
	g.input(op.F32, g.dims(g.below(4))...)
	for range 1 + g.below(16) {
		o, _ := op.Named(differentiable[g.below(len(differentiable))])
		g.emit(o)
	}
	b := g.b
	s.y = g.find(func(t op.Type) bool { return t.DType == op.F32 })
	for _, v := range g.inputs {
		if b.Type(v).DType == op.F32 {
			s.x = append(s.x, v)
		}
	}
	like := func(v op.Value) op.Value { return g.input(op.F32, b.Type(v).Dims()...) }
	s.g = like(s.y)
	for _, x := range s.x {
		s.u = append(s.u, like(x))
	}
	s.ct = b.VJP(s.y, s.g, s.x...)
	d := b.JVP(append([]op.Value{s.y}, s.ct...), s.x, s.u)
	s.dy, s.dct = d[0], d[1:]
	for i, v := range append(d, s.ct...) {
		if v != 0 {
			b.Output(fmt.Sprint("d", i), v)
		}
	}
}

// CheckDerivatives holds the derivatives, computed in float64, against central differences, and tangents against cotangents: <g, dy> = <ct, u>. It is
// not sure where a kink or an overflow is near.
func (s *Smooth) CheckDerivatives() (sure bool, err error) {
	at := func(step float64) map[op.Value]truth.Array {
		value := map[op.Value]truth.Array{}
		for _, in := range s.Program.In {
			value[in.V] = truth.From(s.data[in.Name][0])
		}
		for i, x := range s.x {
			for j, u := range value[s.u[i]].X {
				value[x].X[j] += step * u
			}
		}
		for _, n := range s.Program.Nodes {
			var in []truth.Array
			for _, v := range n.In {
				in = append(in, value[v])
			}
			for i, y := range truth.Of(n.Op, in) {
				value[n.Out[i]] = y
			}
		}
		return value
	}
	here := at(0)
	along, size := inner(here, []op.Value{s.g}, []op.Value{s.dy})
	back, _ := inner(here, s.ct, s.u)
	if !(math.Abs(along-back) <= 1e-9*(1+size)) && size < math.MaxFloat64 {
		return true, fmt.Errorf("<g, JVP(u)> = %v, <VJP(g), u> = %v\n%s", along, back, s.Program)
	}
	sure = true
	for _, c := range []struct {
		what    string
		a, b, d []op.Value // the differences of <a, b> are <a, d>
	}{{"the tangent of the result", []op.Value{s.g}, []op.Value{s.y}, []op.Value{s.dy}}, {"the tangent of the cotangents", s.u, s.ct, s.dct}} {
		middle, size := inner(here, c.a, c.b)
		slope := func(h float64) (central, turn float64) { // turn: how far the slope ahead is from the one behind
			p, _ := inner(at(h), c.a, c.b)
			m, _ := inner(at(-h), c.a, c.b)
			return (p - m) / (2 * h), (p - 2*middle + m) / h
		}
		got, terms := inner(here, c.a, c.d)
		const h = 1e-4
		fine, turn := slope(h)
		coarse, wide := slope(2 * h)
		want := fine + (fine-coarse)/3 // Richardson's extrapolation
		// A smooth function turns twice as far in twice the step. At a kink the slopes may agree, all halfway between those of its sides, but not the turns.
		off := math.Abs(fine-coarse) + math.Abs(wide-2*turn)
		scale := 1 + size + terms
		if !(off <= 1e-3*scale) || scale > 1e6 {
			sure = false
			continue
		}
		if !(math.Abs(got-want) <= off+1e-6*scale) {
			return true, fmt.Errorf("%s: %v along u, central differences give %v\n%s", c.what, got, want, s.Program)
		}
	}
	return sure, nil
}

// inner is the sum of the products of elements of a and b, and that of their magnitudes. A symbolic zero contributes nothing.
func inner(value map[op.Value]truth.Array, a, b []op.Value) (sum, size float64) {
	for i := range a {
		if a[i] == 0 || b[i] == 0 {
			continue
		}
		x, y := value[a[i]].X, value[b[i]].X
		for j := range x {
			sum += x[j] * y[j]
			size += math.Abs(x[j] * y[j])
		}
	}
	return sum, size
}
