package cpu

import (
	"reflect"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// joint is a node that works for all cells of a block at once, since they share an operand that is dear to read: a product with a
// basis reads it once for the rows of all.
type joint struct {
	op.Node
	domain  op.Domain // of the operand that is shared
	length  op.Value  // klen, by which cells that run together differ; 0: none
	kernel  jointKernel
	variant string
}

// A jointKernel computes out from in for some cells: out[i] and in[i] are those of cell i, as a kernel takes them. The shared operand
// is the same tensor in all.
type jointKernel func(w *workspace, out, in [][]op.Tensor)

// joints holds the makers of joint kernels, as twins holds those of kernels.
var joints = map[reflect.Type]map[string]func(o op.Op, in []op.Type) jointKernel{}

// jointTwin registers the maker of a family for ops of kind O: of the joint kernel for this op value and these operand types, of
// which the second is not per cell; or nil.
func jointTwin[O op.Op](family string, makeKernel func(o O, in []op.Type) jointKernel) {
	kind := reflect.TypeFor[O]()
	if joints[kind] == nil {
		joints[kind] = map[string]func(op.Op, []op.Type) jointKernel{}
	}
	joints[kind][family] = func(o op.Op, in []op.Type) jointKernel { return makeKernel(o.(O), in) }
}

// newJoint is the joint node that a group is, by the first family that has a kernel for it; nil if it is none.
func newJoint(t *graph.Tape, g graph.Group, allowed []string) *joint {
	n := g.Nodes[0]
	makers := joints[reflect.TypeOf(n.Op)]
	if g.Len > 0 || makers == nil || t.P.Types[n.Out[0]].Domain != op.Cell {
		return nil
	}
	types := make([]op.Type, len(n.In))
	for i, v := range n.In {
		types[i] = t.P.Types[v]
	}
	if types[0].Domain != op.Cell || types[1].Domain == op.Cell {
		return nil
	}
	for _, v := range variants {
		if makers[v.name] == nil || !v.available || !slices.Contains(allowed, v.name) {
			continue
		}
		if k := makers[v.name](n.Op, types); k != nil {
			j := &joint{Node: n, domain: types[1].Domain, kernel: k, variant: v.name}
			if len(n.In) > 2 {
				j.length = n.In[2]
			}
			return j
		}
	}
	return nil
}

// is tells whether the group is this joint node.
func (j *joint) is(g graph.Group) bool { return j != nil && g.Nodes[0].Out[0] == j.Out[0] }
