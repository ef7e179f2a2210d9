package cpu

import "lockstep/op"

// folding is a pass at work that has products do what stands before or behind them: foldHeads, or foldSums.
type folding struct {
	*layout
	e       *Engine
	readers map[op.Value][]int // the nodes of the step that read a value, views of it among them; -1: what a step leaves
	made    map[op.Value]int   // the node that makes it
	fold    map[op.Value]bool  // results of nodes that go, or that a product makes in their stead
}

func (l *layout) folding(e *Engine) *folding {
	f := &folding{layout: l, e: e, readers: map[op.Value][]int{}, made: map[op.Value]int{}, fold: map[op.Value]bool{}}
	for i, n := range f.t.Step {
		for _, v := range n.Out {
			f.made[v] = i
		}
		for _, v := range n.In {
			f.readers[v] = append(f.readers[v], i)
		}
	}
	for _, v := range f.t.Roots() {
		f.readers[v] = append(f.readers[v], -1)
	}
	return f
}

// types are those of a product's operands, of which some lie otherwise.
func (f *folding) types(n op.Node, in uint32) []op.Type {
	types := make([]op.Type, len(n.In))
	for k, v := range n.In {
		types[k] = f.t.P.Types[v]
		if in>>k&1 != 0 {
			types[k].Shape = exchanged(types[k].Shape)
		}
	}
	return types
}
