package cpu

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"lockstep/graph"
	"lockstep/op"
)

// exec is a program compiled for a pack.
type exec struct {
	p          *pack
	t          *graph.Tape
	home       []*array // by value: its array, or that of the value which it is a view of; nil: the thread's scratch
	once, step []compiled
	coarse     bool              // a step computes or keeps something for several cells, so threads meet in every step
	staged     []bool            // by state: its Next is (part of) a state, so all are read before one is written
	still      []bool            // by state: its Next is itself
	seen       map[*array]uint64 // the versions of the inputs that the once nodes have used
	pool       []*worker
}

// compiled is a node with the kernel that runs it.
type compiled struct {
	op.Node
	kernel  kernel
	variant string
	domain  op.Domain
}

func (p *pack) Compile(prog *graph.Program) (graph.Executable, error) {
	x := &exec{p: p, t: graph.Lower(prog, p.engine.has)}
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
	}
	for _, s := range q.State {
		a, err := p.named(s.Name, q.Types[s.In])
		if err != nil {
			return nil, err
		}
		x.home[s.In] = a
		x.coarse = x.coarse || a.Domain != op.Cell
	}
	for _, o := range q.Out {
		a, err := p.named(o.Name, q.OutType(o))
		if err != nil {
			return nil, err
		}
		if x.home[o.V] == nil && a.Type == q.Types[o.V] && x.t.Scratch.Off[o.V] < 0 && x.t.View[o.V].Of == 0 {
			x.home[o.V] = a // computed in place
		}
		x.coarse = x.coarse || a.Domain != op.Cell
	}
	for _, n := range slices.Concat(x.t.Once, x.t.Step) {
		for _, v := range n.Out {
			if x.home[v] != nil || x.t.Scratch.Off[v] >= 0 || x.t.View[v].Of != 0 {
				continue
			}
			a, err := p.alloc(q.Types[v])
			if err != nil {
				return nil, err
			}
			x.home[v] = a
		}
	}
	x.once, x.step = x.compile(x.t.Once), x.compile(x.t.Step)
	for _, n := range x.step {
		x.coarse = x.coarse || n.domain != op.Cell
	}
	states := map[op.Value]bool{}
	for _, s := range q.State {
		states[s.In] = true
	}
	for _, s := range q.State {
		root, _ := x.t.Root(s.Next)
		x.still = append(x.still, x.t.Still(s))
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

// compile picks the kernels. Views are no work.
func (x *exec) compile(nodes []op.Node) (c []compiled) {
	for _, n := range nodes {
		if x.t.View[n.Out[0]].Of != 0 {
			continue
		}
		types := make([]op.Type, len(n.In))
		for i, v := range n.In {
			types[i] = x.t.P.Types[v]
		}
		kernel, variant := pick(n.Op, types, x.p.engine.variants)
		c = append(c, compiled{n, kernel, variant, x.t.P.Types[n.Out[0]].Domain})
	}
	return c
}

func (x *exec) Kernels() (k []graph.KernelInfo) {
	for i, n := range slices.Concat(x.once, x.step) {
		k = append(k, graph.KernelInfo{Op: op.Describe(n.Op), Variant: n.variant, Once: i < len(x.once)})
	}
	return k
}

func (x *exec) Close() error {
	x.home, x.once, x.step, x.pool = nil, nil, nil, nil
	return nil
}

// worker is one thread's place: its scratch, and the operands of the nodes for the cell at hand.
type worker struct {
	x       *exec
	ws      workspace
	scratch []uint32
	args    []operandsOf
	next    []op.Tensor // by state: a copy of Next where that must be staged
	cell    int
}

type operandsOf struct{ in, out []op.Tensor }

func (x *exec) worker() *worker {
	w := &worker{x: x, args: make([]operandsOf, len(x.step)), next: make([]op.Tensor, len(x.t.P.State))}
	w.scratch = (&workspace{}).Words(x.t.Scratch.Words)
	for i, s := range x.t.P.State {
		if x.staged[i] {
			w.next[i] = op.New(x.t.P.Types[s.In])
		}
	}
	return w
}

// tensor finds a value of a cell.
func (w *worker) tensor(v op.Value, cell int) op.Tensor {
	root, off := w.x.t.Root(v)
	t := w.x.t.P.Types[v]
	n := t.Words()
	if a := w.x.home[root]; a != nil {
		return op.Tensor{Type: t, W: a.at(w.x.p.slots.Of(a.Domain)[cell]).W[off : off+n : off+n]}
	}
	off += w.x.t.Scratch.Off[root]
	return op.Tensor{Type: t, W: w.scratch[off : off+n : off+n]}
}

func (w *worker) tensors(vs []op.Value, cell int) []op.Tensor {
	t := make([]op.Tensor, len(vs))
	for i, v := range vs {
		t[i] = w.tensor(v, cell)
	}
	return t
}

// take turns to a cell.
func (w *worker) take(cell int) {
	w.cell = cell
	for i, n := range w.x.step {
		if n.domain == op.Cell {
			w.args[i] = operandsOf{w.tensors(n.In, cell), w.tensors(n.Out, cell)}
		}
	}
}

func (w *worker) run(k kernel, out, in []op.Tensor) {
	k(&w.ws, out, in)
	w.ws.reset()
}

// advance runs one step of the cell and tells whether it was active. The last step, or an inactive one, writes outputs.
func (w *worker) advance(last bool) (active bool) {
	for i, n := range w.x.step {
		if n.domain == op.Cell {
			w.run(n.kernel, w.args[i].out, w.args[i].in)
		}
	}
	active = w.active(w.cell)
	if last || !active {
		w.output(w.cell, op.Cell)
	}
	w.keep(w.cell, op.Cell)
	return active
}

func (w *worker) active(cell int) bool {
	a := w.x.t.P.Active
	return a == 0 || w.tensor(a, cell).W[0] != 0
}

// keep replaces the states of one domain, for the slot that the cell uses, unless the cell is inactive.
func (w *worker) keep(cell int, domain op.Domain) {
	q := w.x.t.P
	if !w.active(cell) {
		return
	}
	for i, s := range q.State {
		if w.x.staged[i] && q.Types[s.In].Domain == domain {
			copy(w.next[i].W, w.tensor(s.Next, cell).W)
		}
	}
	for i, s := range q.State {
		if w.x.still[i] || q.Types[s.In].Domain != domain {
			continue
		}
		next := w.next[i]
		if !w.x.staged[i] {
			next = w.tensor(s.Next, cell)
		}
		copy(w.tensor(s.In, cell).W, next.W)
	}
}

// output copies the outputs of one domain that were not computed in place.
func (w *worker) output(cell int, domain op.Domain) {
	for _, o := range w.x.t.P.Out {
		a := w.x.p.arrays[o.Name]
		if a.Domain == domain && w.x.home[o.V] != a {
			copy(a.at(w.x.p.slots.Of(domain)[cell]).W, w.tensor(o.V, cell).W)
		}
	}
}

// each runs f for 0 to n-1 on the engine's threads, each thread with its own worker.
func (x *exec) each(n int, workers []*worker, f func(w *worker, i int)) {
	if len(workers) == 1 || n == 1 {
		for i := range n {
			f(workers[0], i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, w := range workers[:min(n, len(workers))] {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				f(w, i)
			}
		})
	}
	wg.Wait()
}

// workers are made once: one for each thread that has a cell to work on.
func (x *exec) workers() []*worker {
	for len(x.pool) < min(x.p.engine.threads, x.p.cells) {
		x.pool = append(x.pool, x.worker())
	}
	return x.pool
}

// perSlot runs nodes once for each slot of their domain.
func (x *exec) perSlot(nodes []compiled, workers []*worker) {
	for _, n := range nodes {
		cells := x.p.slots.Speakers(n.domain)
		x.each(len(cells), workers, func(w *worker, i int) {
			w.run(n.kernel, w.tensors(n.Out, cells[i]), w.tensors(n.In, cells[i]))
		})
	}
}

// refresh runs the once nodes if an input has changed since they last ran.
func (x *exec) refresh(workers []*worker) {
	versions := map[*array]uint64{}
	stale := x.seen == nil
	for _, in := range x.t.P.In {
		a := x.home[in.V]
		versions[a] = a.version
		stale = stale || x.seen[a] != a.version
	}
	if stale {
		x.perSlot(x.once, workers)
		x.seen = versions
	}
}

func (x *exec) Reset(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	workers := x.workers()
	x.refresh(workers)
	for _, s := range x.t.P.State {
		for c := range x.p.cells {
			copy(workers[0].tensor(s.In, c).W, workers[0].tensor(s.Init, c).W)
		}
		x.home[s.In].version++
	}
	return nil
}

func (x *exec) Run(ctx context.Context, steps int) error {
	if steps < 0 {
		return fmt.Errorf("cpu: Run of %d steps", steps)
	}
	workers := x.workers()
	x.refresh(workers)
	defer func() {
		for _, s := range x.t.P.State {
			x.home[s.In].version++
		}
		for _, o := range x.t.P.Out {
			x.p.arrays[o.Name].version++
		}
	}()
	if x.coarse {
		return x.together(ctx, steps, workers)
	}
	return x.apart(ctx, steps, workers)
}

// apart takes each cell through all steps: no step needs more than its own cell.
func (x *exec) apart(ctx context.Context, steps int, workers []*worker) error {
	x.each(x.p.cells, workers, func(w *worker, cell int) {
		w.take(cell)
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
func (x *exec) together(ctx context.Context, steps int, workers []*worker) error {
	var shared []compiled
	for _, n := range x.step {
		if n.domain != op.Cell {
			shared = append(shared, n)
		}
	}
	// The groups' states are replaced before the shared ones, which they may read.
	domains := slices.DeleteFunc(x.p.slots.Domains(), func(d op.Domain) bool { return d == op.Cell || d == op.Shared })
	domains = append(domains, op.Shared)
	for range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		x.perSlot(shared, workers)
		x.each(x.p.cells, workers, func(w *worker, cell int) {
			w.take(cell)
			w.advance(true)
		})
		for _, d := range domains {
			for _, cell := range x.p.slots.Speakers(d) {
				workers[0].output(cell, d)
				workers[0].keep(cell, d)
			}
		}
	}
	return nil
}
