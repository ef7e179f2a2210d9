package cpu

import (
	"context"
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// exec is a program compiled for a pack.
type exec struct {
	*layout
	p      *pack
	home   []*array // by value: its array, or that of the value which it is a view of; nil: the thread's scratch
	once   []compiled
	fresh  graph.Once
	shared []compiled // those of a step that are not per cell
	units  [][]unit   // those that are, by phase
	last   []unit     // the updates, of active cells, that end a step
	coarse bool       // a step computes or keeps something for several cells, so threads meet in every step
	staged []bool     // by state: its Next is (part of) a state, so all are read before one is written
	still  []bool     // by state: its Next is itself
	pool   []*worker
	spaces []*workspace // by member of a crew: its worker's, or its own
	crew   *crew        // of the run at hand
	cut    blocked
}

// unit is what a cell does at a time: a node, or a chain of them.
type unit struct {
	compiled
	chain *chain // nil: a node
}

// compiled is a node with the kernel that runs it.
type compiled struct {
	op.Node
	kernel  kernel
	variant string
	domain  op.Domain
}

func (p *pack) Compile(prog *graph.Program) (graph.Executable, error) {
	x := &exec{layout: p.engine.layOut(prog, p.slots), p: p}
	q := x.t.P
	x.home = make([]*array, len(q.Types))
	for _, in := range q.In {
		a := p.arrays[in.Name]
		if a == nil {
			return nil, fmt.Errorf("cpu: input %q, %s, is not bound", in.Name, q.Types[in.V])
		}
		if a.Type != q.Types[in.V] {
			return nil, fmt.Errorf("cpu: input %q is bound as %s; the program wants %s", in.Name, a.Type, q.Types[in.V])
		}
		x.home[in.V] = a
		x.fresh.Reads(&a.version)
	}
	for _, s := range q.State {
		a, err := p.named(s.Name, q.Types[s.In])
		if err != nil {
			return nil, err
		}
		x.home[s.In] = a
		x.coarse = x.coarse || a.Domain != op.Cell
	}
	for next, state := range x.updated {
		x.home[next] = x.home[state]
	}
	for _, o := range q.Out {
		a, err := p.named(o.Name, q.OutType(o))
		if err != nil {
			return nil, err
		}
		if x.home[o.V] == nil && a.Type == q.Types[o.V] && !x.inScratch(o.V) && x.t.View[o.V].Of == 0 {
			x.home[o.V] = a // computed in place
			if x.isOnce(o.V) {
				x.fresh.Holds(&a.version)
			}
		}
		x.coarse = x.coarse || a.Domain != op.Cell
	}
	for _, v := range x.arrays() {
		if x.home[v] == nil {
			a, err := p.alloc(q.Types[v])
			if err != nil {
				return nil, err
			}
			x.home[v] = a
		}
	}
	x.compileAll()
	states := map[op.Value]bool{}
	for _, s := range q.State {
		states[s.In] = true
	}
	for _, s := range q.State {
		root, _ := x.t.Root(s.Next)
		_, updated := x.updated[root]
		x.still = append(x.still, x.t.Still(s) || updated)
		x.staged = append(x.staged, states[root] && !x.t.Still(s))
	}
	return x, nil
}

// named is the array of a state or output; the first program that has it makes it.
func (p *pack) named(name string, t op.Type) (*array, error) {
	a := p.arrays[name]
	if a == nil {
		var err error
		if a, err = p.alloc(t); err != nil {
			return nil, fmt.Errorf("array %q: %w", name, err)
		}
		p.arrays[name] = a
	}
	if a.Type != t {
		return nil, fmt.Errorf("cpu: array %q is %s; the program wants %s", name, a.Type, t)
	}
	return a, nil
}

// compileAll picks the kernels.
func (x *exec) compileAll() {
	variants := x.p.engine.variants
	for _, n := range x.t.Once {
		if x.t.View[n.Out[0]].Of == 0 { // views are no work
			x.once = append(x.once, compile(x.t, n, variants))
		}
	}
	for _, ph := range x.phases {
		var units []unit
		for _, g := range ph.groups {
			for _, u := range unitsOf(x.t, g, variants) {
				if u.chain != nil || u.domain == op.Cell {
					units = append(units, u)
				} else {
					x.shared = append(x.shared, u.compiled)
					x.coarse = true
				}
			}
		}
		x.units = append(x.units, units)
	}
	x.byDomain(x.once)
	x.byDomain(x.shared)
	for _, g := range x.updates {
		if g.Len > 0 {
			x.last = append(x.last, unit{chain: newChain(x.t, &g, variants)})
			continue
		}
		c := compile(x.t, g.Nodes[0], variants)
		c.kernel, c.variant = putRowInPlace, "go"
		x.last = append(x.last, unit{compiled: c})
	}
}

// unitsOf compiles a group: a chain, or its nodes.
func unitsOf(t *graph.Tape, g graph.Group, variants []string) (units []unit) {
	if g.Len > 0 {
		return []unit{{chain: newChain(t, &g, variants)}}
	}
	for _, n := range g.Work(t) {
		units = append(units, unit{compiled: compile(t, n, variants)})
	}
	return units
}

// compile picks the kernel of a node.
func compile(t *graph.Tape, n op.Node, variants []string) compiled {
	types := make([]op.Type, len(n.In))
	for i, v := range n.In {
		types[i] = t.P.Types[v]
	}
	kernel, variant := pick(n.Op, types, variants)
	return compiled{n, kernel, variant, t.P.Types[n.Out[0]].Domain}
}

func (x *exec) Kernels() (k []graph.KernelInfo) {
	add := func(c compiled, once bool) {
		k = append(k, graph.KernelInfo{Op: op.Describe(c.Op), Variant: c.variant, Once: once})
	}
	for _, c := range x.once {
		add(c, true)
	}
	chain := func(c *chain) {
		for _, l := range slices.Concat(c.fixed, c.links) {
			add(l.compiled, false)
		}
	}
	var run func(u unit)
	run = func(u unit) {
		if b, is := u.Op.(*bands); is {
			for _, u := range b.units {
				run(u)
			}
		} else if u.chain != nil {
			chain(u.chain)
		} else {
			add(u.compiled, false)
		}
	}
	for _, c := range x.shared {
		run(unit{compiled: c})
	}
	for i, units := range x.units {
		for _, u := range units {
			run(u)
		}
		if j := x.phases[i].joint; j != nil {
			k = append(k, graph.KernelInfo{Op: op.Describe(j.Op), Variant: j.variant})
		}
	}
	for _, u := range x.last {
		run(u)
	}
	return k
}

func (x *exec) Close() error {
	x.home, x.once, x.shared, x.units, x.last, x.pool, x.spaces = nil, nil, nil, nil, nil, nil, nil
	return nil
}

// each runs f for 0 to n-1 on the crew, each member with its own worker.
func (x *exec) each(n int, f func(w *worker, i int)) {
	if x.crew == nil {
		for i := range n {
			f(x.pool[0], i)
		}
		return
	}
	x.crew.each(n, len(x.pool), func(member, i int) { f(x.pool[member], i) })
}

// muster makes the workers ready, one for each thread that has a cell to work on, and gives them a crew for a run, which dismiss gives back.
func (x *exec) muster() (dismiss func()) {
	threads := x.p.engine.threads
	for len(x.pool) < min(threads, x.p.cells) {
		w := x.worker()
		x.pool, x.spaces = append(x.pool, w), append(x.spaces, w.ws)
	}
	if threads == 1 {
		return func() {}
	}
	for len(x.spaces) < threads {
		_, kernels := x.words(x.p.cells, threads)
		x.spaces = append(x.spaces, newWorkspace(kernels))
	}
	x.crew = x.p.engine.crews.get(threads)
	for i, w := range x.spaces {
		w.crew, w.member, w.spaces = x.crew, i, x.spaces
	}
	return func() {
		x.p.engine.crews.put(x.crew)
		x.crew = nil
	}
}

// perSlot runs nodes, which stand by domains, once for each slot of theirs: all of a slot, in order, before the next slot, whose values would displace
// those of this one.
func (x *exec) perSlot(nodes []compiled) {
	for len(nodes) > 0 {
		n := 1
		for n < len(nodes) && nodes[n].domain == nodes[0].domain {
			n++
		}
		own, cells := nodes[:n], x.p.slots.Speakers(nodes[0].domain)
		x.each(len(cells), func(w *worker, i int) {
			for _, n := range own {
				w.run(n.kernel, x.homes(n.Out, cells[i]), x.homes(n.In, cells[i]))
			}
		})
		nodes = nodes[n:]
	}
}

// byDomain puts nodes in the order of their domains, each in its order: a domain's nodes read what is shared, and what its own slot has; those of cells
// read all.
func (x *exec) byDomain(nodes []compiled) {
	order := x.domains()
	slices.SortStableFunc(nodes, func(a, b compiled) int { return slices.Index(order, a.domain) - slices.Index(order, b.domain) })
}

// domains are those of the pack: the shared one first, the cells' last.
func (x *exec) domains() []op.Domain {
	groups := slices.DeleteFunc(x.p.slots.Domains(), func(d op.Domain) bool { return d == op.Cell || d == op.Shared })
	return append(append([]op.Domain{op.Shared}, groups...), op.Cell)
}

// refresh runs the once nodes if what they read, or an array that holds their results, has changed since they last ran.
func (x *exec) refresh() {
	if x.fresh.Stale() {
		x.perSlot(x.once)
		x.fresh.Ran()
	}
}

func (x *exec) Reset(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer x.muster()()
	x.refresh()
	for _, s := range x.t.P.State {
		for c := range x.p.cells {
			copy(x.homeOf(s.In, c).W, x.homeOf(s.Init, c).W)
		}
		x.home[s.In].version++
	}
	return nil
}

func (x *exec) Run(ctx context.Context, steps int) error {
	if steps < 0 {
		return fmt.Errorf("cpu: Run of %d steps", steps)
	}
	defer x.muster()()
	x.refresh()
	defer func() {
		for _, s := range x.t.P.State {
			x.home[s.In].version++
		}
		for _, o := range x.t.P.Out {
			x.fresh.Change(&x.p.arrays[o.Name].version)
		}
	}()
	if x.coarse {
		return x.together(ctx, steps)
	}
	return x.apart(ctx, steps)
}

// apart takes each block of cells through all steps: no step needs more than its own cells.
func (x *exec) apart(ctx context.Context, steps int) error {
	blocks := x.blocks()
	x.each(len(blocks), func(w *worker, b int) {
		w.take(blocks[b])
		for i := range steps {
			if ctx.Err() != nil {
				return
			}
			if !w.advance(i == steps-1) {
				return // an inactive cell keeps its State, so all further steps would be this one
			}
		}
	})
	return ctx.Err()
}

// together takes all cells through a step before the next one.
func (x *exec) together(ctx context.Context, steps int) error {
	domains := x.domains()
	slices.Reverse(domains) // the groups' states are replaced before the shared ones, which they may read
	for range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		x.perSlot(x.shared)
		blocks := x.blocks()
		x.each(len(blocks), func(w *worker, b int) {
			w.take(blocks[b])
			w.advance(true)
		})
		for _, d := range domains[1:] {
			for _, cell := range x.p.slots.Speakers(d) {
				x.pool[0].cells = []int{cell}
				x.pool[0].output(0, d)
				if x.pool[0].active(0) {
					x.pool[0].keep(0, d)
				}
			}
		}
	}
	return nil
}
