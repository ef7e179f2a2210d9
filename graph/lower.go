package graph

import (
	"slices"

	"lockstep/op"
)

// Tape is a lowered program: what every executor starts from. Its program has no composite that the engine lacks, no two
// equal nodes, and none that nothing needs.
type Tape struct {
	P *Program
	// Once holds the nodes that depend on no state: they run when inputs have changed. Step holds those of every step.
	Once, Step []op.Node
	// Groups are the nodes of Step by what runs together: each by itself, unless Fuse has joined them.
	Groups []Group
	// View says which values are parts of others' memory, by value.
	View []View
	// Scratch is where a cell's values of a step live, by value.
	Scratch Plan
}

// View is a value that is a contiguous part of another's memory.
type View struct {
	Of  op.Value // 0: no view
	Off int      // in words
}

// Lower rewrites a program for an engine; has tells whether the engine has a twin of a composite. The rewrites are those
// that change no bit: composites are replaced by their expansions, equal nodes are shared, dead ones dropped, duals join their primals,
// views folded.
func Lower(p *Program, has func(o op.Op, in []op.Type) bool) *Tape {
	q := dropDead(expandAndShare(p, func(n op.Node, in []op.Type) bool { return has(n.Op, in) }))
	q = pairDuals(q, has)
	t := &Tape{P: q, View: views(q)}
	var states []op.Value
	for _, s := range q.State {
		states = append(states, s.In)
	}
	moving := q.depends(states)
	for _, n := range q.Nodes {
		if moving[n.Out[0]] {
			t.Step = append(t.Step, n)
		} else {
			t.Once = append(t.Once, n)
		}
	}
	t.Groups = alone(t.Step)
	t.Scratch = t.Plan(func(op.Value) bool { return true })
	return t
}

// alone are nodes each by itself.
func alone(nodes []op.Node) (all []Group) {
	for _, n := range nodes {
		all = append(all, Group{Nodes: []op.Node{n}})
	}
	return all
}

// Straight is the tape of a part of a step that an engine takes by itself: lowered, with all nodes in Step.
func Straight(p *Program, has func(o op.Op, in []op.Type) bool) *Tape {
	t := Lower(p, has)
	t.Once, t.Step = nil, t.P.Nodes
	t.Groups = alone(t.Step)
	return t
}

// Root follows views to the value that owns the memory of v.
func (t *Tape) Root(v op.Value) (root op.Value, off int) {
	for t.View[v].Of != 0 {
		off += t.View[v].Off
		v = t.View[v].Of
	}
	return v, off
}

// Roots are the values that must be there when a step ends: what states start from and become, outputs, and the active flag.
func (t *Tape) Roots() []op.Value { return t.P.roots() }

// Still tells whether a step replaces the state by itself: then there is nothing to keep.
func (t *Tape) Still(s State) bool {
	root, _ := t.Root(s.Next) // a view of a state's type is all of it
	return root == s.In
}

// rewriter copies a program node by node, substituting values.
type rewriter struct {
	b    *Builder
	sub  map[op.Value]op.Value
	seen map[nodeKey][]op.Value
	keep func(n op.Node, in []op.Type) bool // a composite as it is
}

// nodeKey names a node by its op and operands.
type nodeKey struct {
	op op.Op
	in string
}

func keyOf(o op.Op, in []op.Value) nodeKey {
	key := make([]int, len(in))
	for i, v := range in {
		key[i] = int(v)
	}
	return nodeKey{o, string(op.List(key...))}
}

func (r *rewriter) at(v op.Value) op.Value {
	if w, ok := r.sub[v]; ok {
		return w
	}
	return v
}

func expandAndShare(p *Program, keep func(n op.Node, in []op.Type) bool) *Program {
	r := &rewriter{&Builder{Program{Types: slices.Clone(p.Types)}}, map[op.Value]op.Value{}, map[nodeKey][]op.Value{}, keep}
	for _, n := range p.Nodes {
		r.add(n)
	}
	q := *p
	q.Nodes, q.Types = r.b.p.Nodes, r.b.p.Types
	q.substitute(r.at)
	return &q
}

// substitute has states, outputs and the active flag be what other values have become.
func (p *Program) substitute(at func(v op.Value) op.Value) {
	p.State, p.Out = slices.Clone(p.State), slices.Clone(p.Out)
	for i, s := range p.State {
		p.State[i].Init, p.State[i].Next = at(s.Init), at(s.Next)
	}
	for i, o := range p.Out {
		p.Out[i].V = at(o.V)
	}
	p.Active = at(p.Active)
}

func (r *rewriter) add(n op.Node) {
	in, types := make([]op.Value, len(n.In)), make([]op.Type, len(n.In))
	for i, v := range n.In {
		in[i] = r.at(v)
		types[i] = r.b.p.Types[in[i]]
	}
	if c, ok := n.Op.(op.Composite); ok && !r.keep(n, types) {
		inner := &Builder{Program{Types: r.b.p.Types}}
		out := c.Expand(inner, in)
		r.b.p.Types = inner.p.Types
		for _, m := range inner.p.Nodes {
			r.add(m)
		}
		for i, v := range n.Out {
			r.sub[v] = r.at(out[i])
		}
		return
	}
	k := keyOf(n.Op, in)
	if out, ok := r.seen[k]; ok {
		for i, v := range n.Out {
			r.sub[v] = out[i]
		}
		return
	}
	r.seen[k] = n.Out
	r.b.p.Nodes = append(r.b.p.Nodes, op.Node{Op: n.Op, In: in, Out: n.Out})
}

// roots are the values that must be there when a step ends.
func (p *Program) roots() []op.Value {
	var v []op.Value
	for _, s := range p.State {
		v = append(v, s.Init, s.Next)
	}
	for _, o := range p.Out {
		v = append(v, o.V)
	}
	if p.Active != 0 {
		v = append(v, p.Active)
	}
	return v
}

func dropDead(p *Program) *Program {
	live := p.ancestors(p.roots())
	q := *p
	q.Nodes = slices.DeleteFunc(slices.Clone(p.Nodes), func(n op.Node) bool {
		return !slices.ContainsFunc(n.Out, func(v op.Value) bool { return live[v] })
	})
	return &q
}

// views finds the results that are contiguous parts of their operand: every reshape, and slices and splits of the
// outermost axis that is not 1. A view keeps its operand's domain, so both live in the same place.
func views(p *Program) []View {
	view := make([]View, len(p.Types))
	for _, n := range p.Nodes {
		switch o := n.Op.(type) {
		case op.Reshape:
			view[n.Out[0]] = View{n.In[0], 0}
		case op.Slice:
			if outer, inner := around(p.Types[n.In[0]].Shape, int(o.Axis)); outer == 1 {
				view[n.Out[0]] = View{n.In[0], int(o.Start) * inner}
			}
		case op.Split:
			outer, inner := around(p.Types[n.In[0]].Shape, int(o.Axis))
			at := 0
			for _, v := range n.Out {
				if outer == 1 {
					view[v] = View{n.In[0], at * inner}
				}
				at += p.Types[v].At(int(o.Axis))
			}
		}
	}
	return view
}

// around is the number of elements outside and inside of an axis.
func around(s op.Shape, axis int) (outer, inner int) {
	outer, inner = 1, 1
	for i := range axis {
		outer *= s.At(i)
	}
	for i := axis + 1; i < int(s.Rank); i++ {
		inner *= s.At(i)
	}
	return outer, inner
}
