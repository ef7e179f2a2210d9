package graph

import (
	"slices"

	"lockstep/op"
)

// Group is the nodes of a step that an executor runs together: a node by itself, or a chain of pointwise ops over equally many
// elements, which it may take through a part of the elements at a time, small enough for the nearest cache.
type Group struct {
	Nodes []op.Node // in order; some are views, which are no work
	// Len is the number of elements that every node of a chain goes over; 0 of a node by itself.
	Len int
	// Grain divides the parts of a chain: broadcasts in it repeat, or are repeated, by whole parts.
	Grain int
	// Inner are the results that nothing but the chain reads: of one there is never more than a part.
	Inner []op.Value
}

// Work is the nodes of the group that are no views.
func (g *Group) Work(t *Tape) (nodes []op.Node) {
	for _, n := range g.Nodes {
		if t.View[n.Out[0]].Of == 0 {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Fusion is how an executor wants its chains.
type Fusion struct {
	// Part is the most elements that it runs at a time: a broadcast that repeats a longer row stays by itself.
	Part int
	// Smallest is the fewest elements of a chain that is worth while.
	Smallest int
	// Most bounds the operands and results of a chain's nodes, counted one by one; 0: it may have any number of them.
	Most int
	// Apart lets a node join any chain before it that does not come before what it reads, and not only the one in whose midst it stands. That
	// makes fewer chains, whose results live longer.
	Apart bool
}

// Fuse joins the pointwise nodes of the cells' steps to chains, and plans the memory again. Constants and broadcasts of
// numbers, which Once would write out in full, are made again in the chains that use them, a part at a time.
//
// Nodes keep their order, but for small ones that do not hang on the chain in whose midst they stand, which go before it, and for those that
// join a chain apart.
func (t *Tape) Fuse(how Fusion) {
	f := fuser{Tape: t, Fusion: how, made: map[op.Value]op.Node{}, place: map[op.Value]int{}, from: map[op.Value]int{}, open: -1}
	for i, n := range t.Once {
		f.made[n.Out[0]], f.place[n.Out[0]] = n, i
	}
	for _, n := range t.Step {
		if how.Apart {
			f.addApart(n)
		} else {
			f.add(n)
		}
	}
	t.Groups = f.groups
	f.sink()
	t.Step = t.Step[:0:0]
	for i := range t.Groups {
		g := &t.Groups[i]
		if len(g.Work(t)) == 1 { // a chain of one is a node by itself; what it would have made again it reads
			*g = Group{Nodes: g.Nodes}
		}
		t.Step = append(t.Step, g.Nodes...)
	}
	f.dropOnce()
	t.Scratch = t.Plan(func(op.Value) bool { return true })
}

// fuser is a Fuse at work.
type fuser struct {
	*Tape
	Fusion
	made   map[op.Value]op.Node // the nodes of Once, by their first result
	place  map[op.Value]int     // and their places there
	groups []Group
	open   int               // the chain that nodes may join; -1: none
	inside map[op.Value]bool // results of the open chain
	from   map[op.Value]int  // the group that makes a value of the step (addApart)
}

// room tells whether a chain may take one more node.
func (f *fuser) room(g *Group, n op.Node) bool {
	if f.Most == 0 {
		return true
	}
	count := len(n.In) + len(n.Out)
	for _, n := range g.Work(f.Tape) {
		count += len(n.In) + len(n.Out)
	}
	return count <= f.Most
}

// addApart puts a node into the first chain that it may join, or after all groups.
func (f *fuser) addApart(n op.Node) {
	latest := 0 // the group after which it must come, or in which
	for _, v := range n.In {
		root, _ := f.Root(v)
		latest = max(latest, f.from[root])
	}
	length, grain := f.joins(n)
	_, spreads := n.Op.(op.Broadcast)
	isView := f.View[n.Out[0]].Of != 0
	for i := latest; i < len(f.groups); i++ {
		g := &f.groups[i]
		inside := slices.ContainsFunc(n.In, func(v op.Value) bool {
			root, _ := f.Root(v)
			return slices.ContainsFunc(g.Nodes, func(m op.Node) bool { return slices.Contains(m.Out, root) })
		})
		if isView && g.Len > 0 && inside {
			g.Nodes = append(g.Nodes, n)
			return
		}
		joint := leastCommonMultiple(grain, g.Grain)
		if length > 0 && length == g.Len && joint <= f.Part && f.room(g, n) && !(spreads && inside) {
			g.Nodes, g.Grain = append(g.Nodes, n), joint
			for _, v := range n.Out {
				f.from[v] = i
			}
			return
		}
	}
	for _, v := range n.Out {
		f.from[v] = len(f.groups)
	}
	f.groups = append(f.groups, Group{Nodes: []op.Node{n}, Len: length, Grain: max(grain, 1)})
}

// add puts a node into the open chain, before it, or after it.
func (f *fuser) add(n op.Node) {
	depends := slices.ContainsFunc(n.In, func(v op.Value) bool { root, _ := f.Root(v); return f.inside[root] })
	words := 0
	for _, v := range n.Out {
		words += f.P.Types[v].Words()
	}
	if f.View[n.Out[0]].Of != 0 {
		words = 0
	}
	length, grain := f.joins(n)
	if f.open >= 0 {
		g := &f.groups[f.open]
		joint := leastCommonMultiple(grain, g.Grain)
		_, spreads := n.Op.(op.Broadcast)
		switch {
		case length == g.Len && joint <= f.Part && f.room(g, n) && !(spreads && depends):
			g.Nodes, g.Grain = append(g.Nodes, n), joint
			for _, v := range n.Out {
				f.inside[v] = true
			}
			return
		case depends && f.View[n.Out[0]].Of != 0: // a view of a result
			g.Nodes = append(g.Nodes, n)
			return
		case !depends && words < f.Smallest:
			f.groups = slices.Insert(f.groups, f.open, Group{Nodes: []op.Node{n}})
			f.open++
			return
		}
	}
	f.groups = append(f.groups, Group{Nodes: []op.Node{n}, Len: length, Grain: max(grain, 1)})
	f.open, f.inside = -1, nil
	if length > 0 {
		f.open, f.inside = len(f.groups)-1, map[op.Value]bool{}
		for _, v := range n.Out {
			f.inside[v] = true
		}
	}
}

// joins is the number of elements of a chain that the node may be part of, and what divides its parts; 0 of other nodes.
func (f *fuser) joins(n op.Node) (length, grain int) {
	out := f.P.Types[n.Out[0]]
	if out.Domain != op.Cell || out.Len() < f.Smallest || out.Words() != out.Len() {
		return 0, 0
	}
	if _, ok := n.Op.(op.Pointwise); ok {
		for _, v := range n.In {
			if t := f.P.Types[v]; t.Words() != out.Len() {
				return 0, 0
			}
		}
		return out.Len(), 1
	}
	if grain, ok := f.spread(n); ok {
		return out.Len(), grain
	}
	return 0, 0
}

// spread tells whether a chain can make the node's result a part at a time, and what divides the parts: a constant, a row that
// is repeated, or a column.
func (f *fuser) spread(n op.Node) (grain int, ok bool) {
	switch o := n.Op.(type) {
	case op.Fill:
		return 1, f.P.Types[n.Out[0]].Words() == o.To.Len()
	case op.Broadcast:
		outer, row, inner, ok := o.Repeats(f.P.Types[n.In[0]].Shape)
		switch {
		case !ok:
			return 0, false
		case row == 1:
			return 1, true
		case inner == 1:
			return row, row <= f.Part
		case outer == 1:
			return inner, inner <= f.Part
		}
	}
	return 0, false
}

// sink gives each chain its own copies of the constants and broadcasts that Once would make for it.
func (f *fuser) sink() {
	for i := range f.groups {
		g := &f.groups[i]
		if g.Len == 0 || g.Len <= f.Part && len(g.Work(f.Tape)) == 1 { // whole, one reads what Once writes out just as well
			continue
		}
		var copies []op.Node
		seen := map[op.Value]bool{}
		for _, n := range g.Nodes {
			for _, v := range n.In {
				m, once := f.made[v]
				if !once || seen[v] || f.P.Types[v].Len() != g.Len {
					continue
				}
				if grain, ok := f.spread(m); ok && leastCommonMultiple(grain, g.Grain) <= f.Part {
					g.Grain = leastCommonMultiple(grain, g.Grain)
					copies, seen[v] = append(copies, m), true
					g.Inner = append(g.Inner, v)
				}
			}
		}
		// One may read another, such as a broadcast of a constant: they go in the order in which Once makes them.
		slices.SortStableFunc(copies, func(a, b op.Node) int { return f.place[a.Out[0]] - f.place[b.Out[0]] })
		g.Nodes = append(copies, g.Nodes...)
	}
	// A result is inner if no other group reads it, nor whoever reads what a step leaves.
	users := map[op.Value]int{} // group + 1; -1: several, or from outside
	use := func(v op.Value, by int) {
		root, _ := f.Root(v)
		if users[root] == 0 {
			users[root] = by
		} else if users[root] != by {
			users[root] = -1
		}
	}
	for i, g := range f.groups {
		for _, n := range g.Nodes {
			for _, v := range n.In {
				use(v, i+1)
			}
		}
	}
	for _, v := range f.P.roots() {
		use(v, -1)
	}
	for i := range f.groups {
		g := &f.groups[i]
		for _, n := range g.Work(f.Tape) {
			for _, v := range n.Out {
				if g.Len > 0 && users[v] == i+1 && !slices.Contains(g.Inner, v) {
					g.Inner = append(g.Inner, v)
				}
			}
		}
	}
}

// dropOnce drops what only chains needed, which make it themselves.
func (f *fuser) dropOnce() {
	needed := map[op.Value]bool{}
	need := func(v op.Value) {
		for ; v != 0 && !needed[v]; v = f.View[v].Of {
			needed[v] = true
		}
	}
	for _, v := range f.P.roots() {
		need(v)
	}
	for _, g := range f.Groups {
		for _, n := range g.Nodes {
			for _, v := range n.In {
				if !slices.Contains(g.Inner, v) {
					need(v)
				}
			}
		}
	}
	var once []op.Node
	for _, n := range slices.Backward(f.Once) {
		if slices.ContainsFunc(n.Out, func(v op.Value) bool { return needed[v] }) {
			once = append(once, n)
			for _, v := range n.In {
				need(v)
			}
		}
	}
	slices.Reverse(once)
	f.Once = once
}

func leastCommonMultiple(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	if x == 0 {
		return 0
	}
	return a / x * b
}
