package cpu

import (
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// withAdded is a product to whose results something is added: operands of Of, then for each result what is added to it, which is of its type, or a row for
// all of its rows. It computes what Of and Add do, with one pass less over the results.
type withAdded[O op.Op] struct{ Of O }

func (p withAdded[O]) Name() string    { return p.Of.Name() + "+add" }
func (p withAdded[O]) Class() op.Class { return p.Of.Class() }

// split are the operands of Of, and what is added.
func (p withAdded[O]) split(in []op.Type) (of, added []op.Type) {
	n := len(in) - resultsOf(p.Of)
	return in[:n], in[n:]
}

func (p withAdded[O]) Shape(in []op.Type) ([]op.Type, error) {
	of, _ := p.split(in)
	return p.Of.Shape(of)
}

// Law computes what the laws of Of and of Add do.
func (p withAdded[O]) Law(out, in []op.Tensor) {
	n := len(in) - len(out)
	p.Of.Law(out, in[:n])
	for i, x := range in[n:] {
		y := op.New(out[i].Type)
		op.Broadcast{To: y.Shape}.Law([]op.Tensor{y}, []op.Tensor{x})
		op.Add.Law(out[i:i+1], []op.Tensor{{Type: y.Type, W: slices.Clone(out[i].W)}, y})
	}
}

// JVP and VJP are not for what an engine makes of a program.
func (p withAdded[O]) JVP(op.Emitter, op.Node, []op.Value) []op.Value {
	panic("cpu: JVP of " + p.Name())
}
func (p withAdded[O]) VJP(op.Emitter, op.Node, []op.Value) []op.Value {
	panic("cpu: VJP of " + p.Name())
}

// resultsOf is the number of results of a product.
func resultsOf(o op.Op) int {
	if _, is := o.(op.Dual[op.MatMul]); is {
		return 2
	}
	return 1
}

// withSum is the op with what is added to its results; nil of one that has no such kernel.
func withSum(n op.Node) op.Op {
	switch o := n.Op.(type) {
	case op.MatMul:
		if len(n.In) == 2 {
			return withAdded[op.MatMul]{o}
		}
	case op.MatMulJVP:
		if len(n.In) == 4 {
			return withAdded[op.MatMulJVP]{o}
		}
	case op.Dual[op.MatMul]:
		if len(n.In) == 4 {
			return withAdded[op.Dual[op.MatMul]]{o}
		}
	}
	return nil
}

// foldSums has products add what is added to their results and to nothing else: biases, and the parts of a cotangent.
func (l *layout) foldSums(e *Engine) {
	f := l.folding(e)
	spread := map[op.Value]op.Node{} // by result
	for _, n := range slices.Concat(l.t.Once, l.t.Step) {
		if _, is := n.Op.(op.Broadcast); is {
			spread[n.Out[0]] = n
		}
	}
	for i, n := range l.t.Step {
		o := withSum(n)
		if o == nil || newJoint(l.t, graph.Group{Nodes: []op.Node{n}}, e.variants) != nil { // for all cells of a block at once it is faster than with its sum
			continue
		}
		fused := op.Node{Op: o, In: slices.Clone(n.In)}
		for _, v := range n.Out {
			sum, x := f.sumOf(v)
			if x == 0 {
				break
			}
			if b, is := spread[x]; is && f.isRow(b) {
				x = b.In[0]
			}
			root, _ := l.t.Root(x)
			if at, inStep := f.made[root]; inStep && at >= i {
				break
			}
			fused.In, fused.Out = append(fused.In, x), append(fused.Out, sum)
		}
		if len(fused.Out) < len(n.Out) || !e.has(o, f.types(fused, 0)) {
			continue
		}
		l.t.Step[i] = fused
		for _, v := range fused.Out {
			f.fold[v], f.made[v] = true, i
		}
	}
	l.t.Step = slices.DeleteFunc(l.t.Step, func(n op.Node) bool { return n.Op == op.Add && f.fold[n.Out[0]] })
	l.dropUnread()
}

// sumOf is the sum that is all that reads v, and its other operand; 0 where there is none, or one of more cells than v.
func (f *folding) sumOf(v op.Value) (sum, x op.Value) {
	by := f.readers[v]
	if len(by) != 1 || by[0] < 0 {
		return 0, 0
	}
	n := f.t.Step[by[0]]
	if n.Op != op.Add || f.t.P.Types[n.Out[0]] != f.t.P.Types[v] {
		return 0, 0
	}
	if x = n.In[0]; x == v {
		x = n.In[1]
	}
	return n.Out[0], x
}

// isRow tells whether a broadcast repeats one row.
func (f *folding) isRow(n op.Node) bool {
	o, to := n.Op.(op.Broadcast), f.t.P.Types[n.Out[0]]
	_, row, inner, ok := o.Repeats(f.t.P.Types[n.In[0]].Shape)
	return ok && inner == 1 && to.Rank > 1 && row == to.At(-1)
}

// dropUnread drops the broadcasts of a step that nothing reads any more.
func (l *layout) dropUnread() {
	read := map[op.Value]bool{}
	for _, v := range l.t.Roots() {
		read[v] = true
	}
	for _, n := range l.t.Step {
		for _, v := range n.In {
			read[v] = true
		}
	}
	l.t.Step = slices.DeleteFunc(l.t.Step, func(n op.Node) bool {
		_, is := n.Op.(op.Broadcast)
		return is && !read[n.Out[0]]
	})
}
