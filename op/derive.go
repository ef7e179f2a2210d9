package op

import "slices"

// Pushforward emits the tangents of the nodes' results, in the order of the nodes (forward mode). tangent holds those of the values
// that have one, and takes those that are emitted. Nodes for which wanted is false are left out.
func Pushforward(e Emitter, nodes []Node, wanted func(Node) bool, tangent map[Value]Value) {
	for _, n := range nodes {
		in, live := make([]Value, len(n.In)), false
		for j, v := range n.In {
			in[j] = tangent[v]
			live = live || in[j] != 0
		}
		if !live || !wanted(n) {
			continue
		}
		d := dual(e, n, in)
		if d == nil {
			d = n.Op.JVP(e, n, in)
		}
		for j, t := range d {
			tangent[n.Out[j]] = t
		}
	}
}

// Pullback emits the cotangents of the nodes' operands, from the last node to the first (reverse mode). adjoint holds those of the
// values that have one, and takes those that are emitted: of a value that is used several times their sum, in the order in which
// the sweep meets the uses, operand 0 first. Cotangents of values for which needed is false are not computed.
func Pullback(e Emitter, nodes []Node, needed func(Value) bool, adjoint map[Value]Value) {
	for _, n := range slices.Backward(nodes) {
		cts, live := make([]Value, len(n.Out)), false
		for j, v := range n.Out {
			cts[j] = adjoint[v]
			live = live || adjoint[v] != 0 && needed(v)
		}
		if !live {
			continue
		}
		for j, g := range n.Op.VJP(e, n, cts) {
			if x := n.In[j]; g != 0 && needed(x) {
				adjoint[x] = AddTo(e, adjoint[x], g)
			}
		}
	}
}

// recorder is an Emitter that notes what is emitted for an expansion. It has a value of its own for each operand, below 0: one value
// may stand for several operands, which then have different tangents all the same. A recorder on a recorder has others.
type recorder struct {
	Emitter
	first Value // stands for in[0], first-1 for in[1], ..
	in    []Value
	nodes []Node
}

// record emits the expansion of a node's composite.
func record(e Emitter, c Composite, n Node) (r *recorder, in, out []Value) {
	r, in = &recorder{Emitter: e, first: -1, in: n.In}, make([]Value, len(n.In))
	if outer, ok := e.(*recorder); ok {
		r.first = outer.first - Value(len(outer.in))
	}
	for i := range in {
		in[i] = r.first - Value(i)
	}
	return r, in, c.Expand(r, in)
}

// at is the value for which v stands.
func (r *recorder) at(v Value) Value {
	if i := r.first - v; v < 0 && i >= 0 {
		return r.in[i]
	}
	return v
}

func (r *recorder) Emit(o Op, in ...Value) []Value {
	real := make([]Value, len(in))
	for i, v := range in {
		real[i] = r.at(v)
	}
	out := r.Emitter.Emit(o, real...)
	r.nodes = append(r.nodes, Node{o, slices.Clone(in), slices.Clone(out)})
	return out
}

func (r *recorder) Type(v Value) Type { return r.Emitter.Type(r.at(v)) }

// expandJVP is the tangent of a composite by the rules of its expansion, which is emitted again: engines share what is equal.
func expandJVP(e Emitter, c Composite, n Node, t []Value) []Value {
	r, in, out := record(e, c, n)
	tangent := map[Value]Value{}
	for i, v := range in {
		tangent[v] = t[i]
	}
	Pushforward(r, slices.Clip(r.nodes), func(Node) bool { return true }, tangent)
	d := make([]Value, len(out))
	for i, y := range out {
		d[i] = r.at(tangent[y])
	}
	return d
}

// expandVJP is the cotangents of a composite's operands by the rules of its expansion, which is emitted again.
func expandVJP(e Emitter, c Composite, n Node, ct []Value) []Value {
	r, in, out := record(e, c, n)
	adjoint, depends := map[Value]Value{}, map[Value]bool{}
	for i, y := range out {
		if ct[i] != 0 {
			adjoint[y] = AddTo(r, adjoint[y], ct[i])
		}
	}
	for _, v := range in {
		depends[v] = r.Type(v).DType == F32
	}
	for _, m := range r.nodes {
		for _, v := range m.Out {
			depends[v] = slices.ContainsFunc(m.In, func(x Value) bool { return depends[x] })
		}
	}
	Pullback(r, slices.Clip(r.nodes), func(v Value) bool { return depends[v] }, adjoint)
	d := make([]Value, len(in))
	for i, v := range in {
		d[i] = r.at(adjoint[v])
	}
	return d
}
