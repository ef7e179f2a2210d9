package graph

import (
	"math/bits"
	"slices"

	"lockstep/op"
)

// pairDuals has duals take the places of their primals, whose results they make besides the tangents: the same bits, and so a sharing of
// equal results. A dual whose primal nobody wants, varies over less, or is computed once while the dual is of every step, would
// compute it for nothing: it is replaced by its expansion. keep tells whether the engine has a twin of a composite.
func pairDuals(p *Program, keep func(o op.Op, in []op.Type) bool) *Program {
	if !slices.ContainsFunc(p.Nodes, func(n op.Node) bool { _, is := n.Op.(op.Twofold); return is }) {
		return p
	}
	r := &pairing{p: p, makes: map[op.Value]int{}, became: map[op.Value]op.Value{}, apart: map[op.Value]bool{}}
	primals := map[nodeKey]int{}
	for i, n := range p.Nodes {
		primals[keyOf(n.Op, n.In)] = i
		for _, v := range n.Out {
			r.makes[v] = i
		}
	}
	var states []op.Value
	for _, s := range p.State {
		states = append(states, s.In)
	}
	moving, used := p.depends(states), map[op.Value]bool{}
	for _, n := range p.Nodes {
		for _, v := range n.In {
			used[v] = true
		}
	}
	for _, v := range p.roots() {
		used[v] = true
	}
	gone := map[int]bool{}
	for i, n := range p.Nodes {
		d, is := n.Op.(op.Twofold)
		if !is {
			continue
		}
		of, with := d.Primal()
		at, there := primals[keyOf(of, n.In[:len(n.In)-bits.OnesCount32(with)])]
		switch {
		case there && !gone[at] && r.fits(at, i, moving):
			gone[at] = true
			for j, v := range p.Nodes[at].Out {
				r.became[v] = n.Out[j]
			}
		case there || !slices.ContainsFunc(n.Out[:len(n.Out)/2], func(v op.Value) bool { return used[v] }):
			r.apart[n.Out[0]] = true
		}
	}
	q := r.sorted(gone)
	return dropDead(expandAndShare(q, func(n op.Node, in []op.Type) bool { return !r.apart[n.Out[0]] && keep(n.Op, in) }))
}

// pairing is a pairDuals at work.
type pairing struct {
	p      *Program
	makes  map[op.Value]int      // the node that makes a value
	became map[op.Value]op.Value // results of primals -> those of the duals that took their places
	apart  map[op.Value]bool     // the first results of duals that take no place
}

func (r *pairing) at(v op.Value) op.Value {
	if w, ok := r.became[v]; ok {
		return w
	}
	return v
}

// fits tells whether the dual at node j can make what the primal at node i does: for the same cells, as often, and without waiting for it.
// Tangents may be anything, such as a gradient that is made of the primal's results.
func (r *pairing) fits(i, j int, moving []bool) bool {
	a, b := r.p.Nodes[i].Out[0], r.p.Nodes[j].Out[0]
	if r.p.Types[a].Domain != r.p.Types[b].Domain || moving[a] != moving[b] {
		return false
	}
	seen := map[int]bool{}
	var waits func(node int) bool
	waits = func(node int) bool {
		if node == i {
			return true
		}
		if seen[node] {
			return false
		}
		seen[node] = true
		return slices.ContainsFunc(r.p.Nodes[node].In, func(v op.Value) bool {
			m, made := r.makes[r.at(v)]
			return made && waits(m)
		})
	}
	return !waits(j)
}

// sorted is the program without the nodes that are gone, each node behind those that make its operands, else in the old order.
func (r *pairing) sorted(gone map[int]bool) *Program {
	q := *r.p
	q.Nodes = nil
	placed := map[int]bool{}
	var place func(i int)
	place = func(i int) {
		if placed[i] || gone[i] {
			return
		}
		placed[i] = true
		n := r.p.Nodes[i]
		in := make([]op.Value, len(n.In))
		for j, v := range n.In {
			in[j] = r.at(v)
			if m, made := r.makes[in[j]]; made {
				place(m)
			}
		}
		q.Nodes = append(q.Nodes, op.Node{Op: n.Op, In: in, Out: n.Out})
	}
	for i := range r.p.Nodes {
		place(i)
	}
	q.substitute(r.at)
	return &q
}
