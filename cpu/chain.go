package cpu

import (
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// chain is a graph.Group of pointwise nodes, run a part at a time, so that what goes from node to node stays in the first-level
// cache. Its kernels are those of the nodes; only the operands are parts.
type chain struct {
	length, part int
	fixed        []link // make what is the same in every part, before the first
	links        []link // in order, for every part
	buffers      int    // of part words each, for inner results
}

// link is a node of a chain.
type link struct {
	compiled
	in, out []ref
}

// ref says where a link finds an operand or result.
type ref struct {
	v      op.Value
	buffer int // of the chain; -1: the memory of v
	repeat int // elements of the chain for each word of v: 1, or more of a column; 0: every part sees all of v
}

// newChain compiles a chain.
func newChain(t *graph.Tape, g *graph.Group, variants []string) *chain {
	c := &chain{length: g.Len, part: min(g.Len, partWords/g.Grain*g.Grain)}
	nodes := g.Work(t)
	last := map[op.Value]int{} // by inner value: the last node that reads it
	for i, n := range nodes {
		for _, v := range n.In {
			root, _ := t.Root(v)
			last[root] = i
		}
	}
	buffer := map[op.Value]int{}
	var free []int
	for i, n := range nodes {
		l := link{compiled: compile(t, n, variants)}
		for _, v := range n.In {
			root, _ := t.Root(v)
			r := ref{v: v, buffer: -1, repeat: 1}
			if b, inner := buffer[root]; inner {
				r.buffer = b
			}
			l.in = append(l.in, r)
		}
		fixed := c.spread(t, &l, variants)
		for _, v := range n.Out {
			out := ref{v: v, buffer: -1, repeat: 1}
			if slices.Contains(g.Inner, v) {
				if len(free) > 0 && !fixed {
					out.buffer, free = free[len(free)-1], free[:len(free)-1]
				} else {
					out.buffer, c.buffers = c.buffers, c.buffers+1
				}
				buffer[v] = out.buffer
			}
			l.out = append(l.out, out)
		}
		if fixed && l.out[0].buffer >= 0 {
			c.fixed = append(c.fixed, l)
			last[n.Out[0]] = len(nodes) // every part reads it
			continue
		}
		c.links = append(c.links, l)
		for _, v := range slices.Compact(slices.Sorted(slices.Values(n.In))) {
			root, _ := t.Root(v)
			if b, inner := buffer[root]; inner && last[root] == i {
				free = append(free, b)
				delete(buffer, root)
			}
		}
	}
	return c
}

// spread sets the kernel of a constant or broadcast, and tells whether its result is the same in every part.
func (c *chain) spread(t *graph.Tape, l *link, variants []string) (fixed bool) {
	switch o := l.Op.(type) {
	case op.Fill:
		l.kernel, l.variant = func(_ *workspace, out, _ []op.Tensor) { fill(out[0].W, uint32(o.Bits)) }, "go"
		return true
	case op.Broadcast:
		_, row, inner, _ := o.Repeats(t.P.Types[l.In[0]].Shape)
		l.variant = "go"
		switch {
		case row == 1:
			l.in[0].repeat = 0
			l.kernel = func(_ *workspace, out, in []op.Tensor) { fill(out[0].W, in[0].W[0]) }
			return true
		case inner == 1:
			l.in[0].repeat = 0
			l.kernel = func(_ *workspace, out, in []op.Tensor) {
				for y := out[0].W; len(y) > 0; y = y[row:] {
					copy(y, in[0].W)
				}
			}
			return true
		}
		l.in[0].repeat = inner
		if repeat, family := repeater(inner, variants); repeat != nil {
			l.variant = family
			l.kernel = func(_ *workspace, out, in []op.Tensor) {
				if n := len(in[0].W); n > 0 {
					repeat(&out[0].W[0], &in[0].W[0], n, inner)
				}
			}
			return false
		}
		l.kernel = func(_ *workspace, out, in []op.Tensor) {
			for i, v := range in[0].W {
				fill(out[0].W[i*inner:(i+1)*inner], v)
			}
		}
	}
	return false
}

// repeater is the kernel that repeats each of some words n times, exactly, and its family; nil if there is none.
var repeater = func(n int, variants []string) (repeat func(y, x *uint32, words, n int), family string) {
	return nil, ""
}

// fill writes some words, and copies what is written.
func fill(w []uint32, v uint32) {
	some := w[:min(len(w), 32)]
	for i := range some {
		some[i] = v
	}
	for n := len(some); n < len(w); n *= 2 {
		copy(w[n:], w[:n])
	}
}

// words is the memory that the chain's inner results take.
func (c *chain) words() int { return c.buffers * c.stride() }

// stride is the distance of two buffers.
func (c *chain) stride() int { return (c.part + 15) / 16 * 16 }

// bound is a chain with the memory of one cell.
type bound struct {
	*chain
	fixed, links []boundLink
	helpers      []*bound // by member of a crew: see helper
	pattern      *bound   // what they are copies of: this one's windows move while they are made
}

type boundLink struct {
	kernel  kernel
	in, out []operand
	now     operandsOf // the part at hand
}

// operand is the words of an operand, or the buffer of its parts.
type operand struct {
	w      []uint32
	repeat int // as of ref; -1 of a buffer
	buffer int // which
}

// bind finds a chain's operands: memory gives a value's tensor, moves is told where its words stand, and parts is the memory of the
// buffers.
func (c *chain) bind(memory func(v op.Value) op.Tensor, moves func(v op.Value, words *[]uint32), parts []uint32) *bound {
	b := &bound{chain: c}
	find := func(refs []ref) ([]operand, []op.Tensor) {
		os, ts := make([]operand, len(refs)), make([]op.Tensor, len(refs))
		for i, r := range refs {
			o, t := &os[i], &ts[i]
			*t = memory(r.v)
			switch {
			case r.buffer >= 0:
				from := r.buffer * c.stride()
				*o = operand{parts[from : from+c.part], -1, r.buffer}
			case r.repeat == 0: // the tensor is never another window
				moves(r.v, &t.W)
				continue
			default:
				*o = operand{t.W, r.repeat, 0}
				moves(r.v, &o.w)
			}
			t.Shape = op.S(0)
		}
		return os, ts
	}
	for _, part := range []struct {
		from []link
		to   *[]boundLink
	}{{c.fixed, &b.fixed}, {c.links, &b.links}} {
		for _, l := range part.from {
			x := boundLink{kernel: l.kernel}
			x.in, x.now.in = find(l.in)
			x.out, x.now.out = find(l.out)
			*part.to = append(*part.to, x)
		}
	}
	return b
}

// run takes the cell through the chain.
func (b *bound) run(ws *workspace) {
	work := b.length * len(b.links) * elementWork
	if !ws.splits(work) {
		b.runParts(ws, 0, b.length)
		return
	}
	if b.helpers == nil {
		b.helpers, b.pattern = make([]*bound, len(ws.spaces)), b.clone()
	}
	member := ws.member
	ws.split(b.length, b.part, work, func(w *workspace, from, to int) {
		if w.member == member {
			b.runParts(w, from, to)
			return
		}
		b.helper(w).runParts(w, from, to)
	})
}

// helper is the chain for a member of the crew that runs a part of it: it has buffers and windows of its own, in the same memory of the cell.
func (b *bound) helper(w *workspace) *bound {
	h := b.helpers[w.member]
	if h == nil {
		h = b.pattern.clone()
		b.helpers[w.member] = h
	}
	buffers := w.Words(b.words())
	move := func(to, from []operand, now, its []op.Tensor) {
		for i := range to {
			switch o := &to[i]; o.repeat {
			case -1:
				o.w = buffers[o.buffer*b.stride():][:b.part]
			case 0:
				now[i].W = its[i].W
			default:
				o.w = from[i].w
			}
		}
	}
	for k, links := range [][]boundLink{h.fixed, h.links} {
		for i := range links {
			l, of := &links[i], &[][]boundLink{b.fixed, b.links}[k][i]
			move(l.in, of.in, l.now.in, of.now.in)
			move(l.out, of.out, l.now.out, of.now.out)
		}
	}
	return h
}

// clone is a chain with operands and windows of its own, in the same memory.
func (b *bound) clone() *bound {
	c := &bound{chain: b.chain, fixed: slices.Clone(b.fixed), links: slices.Clone(b.links)}
	for _, links := range [][]boundLink{c.fixed, c.links} {
		for i := range links {
			l := &links[i]
			l.in, l.out = slices.Clone(l.in), slices.Clone(l.out)
			l.now.in, l.now.out = slices.Clone(l.now.in), slices.Clone(l.now.out)
		}
	}
	return c
}

// runParts runs the elements from from, where a part begins, to to.
func (b *bound) runParts(ws *workspace, from, to int) {
	for i := range b.fixed {
		b.fixed[i].run(ws, 0, b.part)
	}
	for at := from; at < to; at += b.part {
		n := min(b.part, to-at)
		for i := range b.links {
			b.links[i].run(ws, at, n)
		}
	}
}

// run runs a link on n elements from at on.
func (l *boundLink) run(ws *workspace, at, n int) {
	window(l.now.in, l.in, at, n)
	window(l.now.out, l.out, at, n)
	mark := ws.used
	l.kernel(ws, l.now.out, l.now.in)
	ws.used = mark
}

// window turns tensors to n elements from at on.
func window(ts []op.Tensor, os []operand, at, n int) {
	for i := range os {
		o, t := &os[i], &ts[i]
		switch o.repeat {
		case 0: // all of it
			continue
		case 1:
			t.W = o.w[at : at+n : at+n]
		case -1:
			t.W = o.w[:n:n]
		default:
			from, to := at/o.repeat, (at+n)/o.repeat
			t.W = o.w[from:to:to]
		}
		t.D[0] = int32(len(t.W))
	}
}
