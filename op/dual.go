package op

import (
	"math/bits"
)

// Dual is an op together with its tangent: what forward mode computes side by side, in dual numbers (Griewank and Walther, Evaluating
// Derivatives, 2nd ed., section 3.1). An engine that has a twin reads the operands once for both.
//
//	operands of Of, then a tangent like operand i for each bit i of With -> results of Of, then a tangent like each
//
// Its bits are those of Of and of Of's JVP.
type Dual[O Op] struct {
	Of   O
	With uint32 // bit i: operand i has a tangent; the others' are symbolic zeros
}

// DualMap is Dual of a pointwise op.
type DualMap[O Pointwise] struct {
	Of   O
	With uint32
}

// Dualer is an op of which some engine computes result and tangent better together than one after the other. Pushforward emits
// what Dual gives, for operands of which those in the bits of with have tangents. It gives nil where there is nothing to gain.
type Dualer interface {
	Op
	Dual(with uint32) Composite
}

// Twofold is a Dual or DualMap.
type Twofold interface {
	Composite
	// Primal is the op whose operands and results come first, and With: after its operands come tangents of those whose bits are set.
	Primal() (of Op, with uint32)
}

func (o MatMul) Dual(with uint32) Composite        { return Dual[MatMul]{o, with} }
func (o Softmax) Dual(with uint32) Composite       { return Dual[Softmax]{o, with} }
func (o SoftmaxGrad) Dual(with uint32) Composite   { return Dual[SoftmaxGrad]{o, with} }
func (o LayerNorm) Dual(with uint32) Composite     { return Dual[LayerNorm]{o, with} }
func (o LayerNormGrad) Dual(with uint32) Composite { return Dual[LayerNormGrad]{o, with} }
func (o XentGrad) Dual(with uint32) Composite      { return Dual[XentGrad]{o, with} }
func (o Gelu) Dual(with uint32) Composite          { return DualMap[Gelu]{o, with} }
func (o Sigmoid) Dual(with uint32) Composite       { return DualMap[Sigmoid]{o, with} }

// Dual of Tanh; others have none, for their tangents are one or two operations of a chain.
func (o Unary) Dual(with uint32) Composite {
	if o != Tanh {
		return nil
	}
	return DualMap[Unary]{o, with}
}

func (o Dual[O]) Name() string    { return "dual" + o.Of.Name() }
func (o DualMap[O]) Name() string { return "dual" + o.Of.Name() }
func (o Dual[O]) Class() Class    { return o.Of.Class() }
func (o DualMap[O]) Class() Class { return o.Of.Class() }
func (DualMap[O]) Pointwise()     {}

func (o Dual[O]) Primal() (Op, uint32)    { return o.Of, o.With }
func (o DualMap[O]) Primal() (Op, uint32) { return o.Of, o.With }

func (o Dual[O]) Shape(in []Type) ([]Type, error)    { return dualShape(o, o.Of, o.With, in) }
func (o DualMap[O]) Shape(in []Type) ([]Type, error) { return dualShape(o, o.Of, o.With, in) }

func dualShape(o, of Op, with uint32, in []Type) ([]Type, error) {
	n := len(in) - bits.OnesCount32(with)
	if with == 0 || n < bits.Len32(with) {
		return nil, bad(o, in, "the operands of %s, and after them a tangent for each bit of With, of which there is at least one", of.Name())
	}
	out, err := of.Shape(in[:n])
	if err != nil {
		return nil, bad(o, in, "%s; and after them the tangents", err.(*ShapeError).Want)
	}
	for i, j := 0, n; j < len(in); i++ {
		if with>>i&1 == 0 {
			continue
		}
		if in[i].DType != F32 || in[j].DType != F32 || in[i].Shape != in[j].Shape {
			return nil, bad(o, in, "operand %d as the tangent of operand %d, both f32 of one shape", j, i)
		}
		j++
	}
	return append(out[:len(out):len(out)], out...), nil
}

// Law is the law of the expansion.
func (o Dual[O]) Law(out, in []Tensor)    { ExpandLaw(o, out, in) }
func (o DualMap[O]) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (o Dual[O]) Expand(e Emitter, in []Value) []Value    { return dualExpand(o.Of, o.With, e, in) }
func (o DualMap[O]) Expand(e Emitter, in []Value) []Value { return dualExpand(o.Of, o.With, e, in) }

func dualExpand(of Op, with uint32, e Emitter, in []Value) []Value {
	n := len(in) - bits.OnesCount32(with)
	node := Node{Op: of, In: in[:n:n], Out: e.Emit(of, in[:n]...)}
	t, j := make([]Value, n), n
	for i := range t {
		if with>>i&1 == 1 {
			t[i], j = in[j], j+1
		}
	}
	out := node.Out[:len(node.Out):len(node.Out)]
	for j, d := range of.JVP(e, node, t) {
		if d == 0 {
			d = FillLike(e, 0, node.Out[j])
		}
		out = append(out, d)
	}
	return out
}

func (o Dual[O]) JVP(e Emitter, n Node, t []Value) []Value     { return expandJVP(e, o, n, t) }
func (o Dual[O]) VJP(e Emitter, n Node, ct []Value) []Value    { return expandVJP(e, o, n, ct) }
func (o DualMap[O]) JVP(e Emitter, n Node, t []Value) []Value  { return expandJVP(e, o, n, t) }
func (o DualMap[O]) VJP(e Emitter, n Node, ct []Value) []Value { return expandVJP(e, o, n, ct) }

// dual emits the dual of a node where it pays: if the tangents vary over nothing that the results do not vary over, for else an engine
// would compute the results several times. It gives the tangents of the results, nil where it does not pay.
func dual(e Emitter, n Node, t []Value) []Value {
	d, ok := n.Op.(Dualer)
	if !ok {
		return nil
	}
	domain, with, in := e.Type(n.Out[0]).Domain, uint32(0), append([]Value{}, n.In...)
	for i, v := range t {
		if v != 0 {
			if Join(e.Type(v).Domain, domain) != domain {
				return nil
			}
			with |= 1 << i
			in = append(in, v)
		}
	}
	if of := d.Dual(with); of != nil {
		return e.Emit(of, in...)[len(n.Out):]
	}
	return nil
}
