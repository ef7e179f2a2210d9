package cpu

import "lockstep/op"

// worker is one thread's place: its scratch, and the operands of the units for the cells of the block at hand.
type worker struct {
	x       *exec
	ws      *workspace
	scratch []uint32        // x.local.Words
	kept    []uint32        // [places, x.kept.Words]
	parts   []uint32        // of chains
	cells   []int           // of the block, by place
	ended   []bool          // by place: its cell was not active in an earlier step of this run
	units   [][][]boundUnit // [phases][places][units]
	joints  []boundJoint    // [phases]
	updates [][]boundUnit   // [places][updates]
	moving  [][]moving      // [places]
	next    []op.Tensor     // by state: a copy of Next where that must be staged
}

// moving is an operand that lives in an array: for each cell that takes the place it is elsewhere.
type moving struct {
	words  *[]uint32
	array  *array
	off, n int
}

type operandsOf struct{ in, out []op.Tensor }

// boundUnit is a unit with the memory of a cell.
type boundUnit struct {
	kernel kernel
	operandsOf
	chain *bound // nil: a node
}

// boundJoint is a joint node with the memory of a block, [places][operands].
type boundJoint struct{ in, out [][]op.Tensor }

func (x *exec) worker() *worker {
	w := &worker{
		x: x, next: make([]op.Tensor, len(x.t.P.State)),
		units: make([][][]boundUnit, len(x.units)), joints: make([]boundJoint, len(x.units)),
	}
	block := x.block(x.p.cells, x.p.engine.threads)
	values, kernels := x.words(x.p.cells, x.p.engine.threads)
	w.ws = newWorkspace(kernels)
	memory := (&workspace{}).Words(values)
	w.scratch, memory = memory[:x.local.Words], memory[x.local.Words:]
	w.kept, w.parts = memory[:block*x.kept.Words], memory[block*x.kept.Words:]
	for i, s := range x.t.P.State {
		if x.staged[i] {
			w.next[i] = op.New(x.t.P.Types[s.In])
		}
	}
	return w
}

// homeOf is a cell's value that lives in an array.
func (x *exec) homeOf(v op.Value, cell int) op.Tensor {
	root, off := x.t.Root(v)
	t := x.t.P.Types[v]
	a := x.home[root]
	n := t.Words()
	return op.Tensor{Type: t, W: a.at(x.p.slots.Of(a.Domain)[cell]).W[off : off+n : off+n]}
}

func (x *exec) homes(vs []op.Value, cell int) []op.Tensor {
	t := make([]op.Tensor, len(vs))
	for i, v := range vs {
		t[i] = x.homeOf(v, cell)
	}
	return t
}

// tensor is a value of the cell at place i; it has no words if the value is an inner one of a chain.
func (w *worker) tensor(v op.Value, i int) op.Tensor {
	root, off := w.x.t.Root(v)
	t := w.x.t.P.Types[v]
	n := t.Words()
	var memory []uint32
	switch x := w.x; {
	case x.home[root] != nil:
		return x.homeOf(v, w.cells[i])
	case x.local.Off[root] >= 0:
		off += x.local.Off[root]
		memory = w.scratch
	case x.kept.Off[root] >= 0:
		off += i*x.kept.Words + x.kept.Off[root]
		memory = w.kept
	default:
		return op.Tensor{Type: t}
	}
	return op.Tensor{Type: t, W: memory[off : off+n : off+n]}
}

// tensors are the operands or results vs of place i, which move with its cell.
func (w *worker) tensors(vs []op.Value, i int) []op.Tensor {
	t := make([]op.Tensor, len(vs))
	for k, v := range vs {
		t[k] = w.tensor(v, i)
		w.moves(v, i, &t[k].W)
	}
	return t
}

// moves notes that words are those of a value of the cell at place i, if that lives in an array.
func (w *worker) moves(v op.Value, i int, words *[]uint32) {
	root, off := w.x.t.Root(v)
	if a := w.x.home[root]; a != nil {
		w.moving[i] = append(w.moving[i], moving{words, a, off, w.x.t.P.Types[v].Words()})
	}
}

// take turns to a block of cells. What a place works on is found once; then only what moves with the cell.
func (w *worker) take(cells []int) {
	w.cells = cells
	w.ended = append(w.ended[:0], make([]bool, len(cells))...)
	for i, cell := range cells {
		if i == len(w.moving) {
			w.bindPlace(i)
			continue
		}
		for _, m := range w.moving[i] {
			*m.words = m.array.at(w.x.p.slots.Of(m.array.Domain)[cell]).W[m.off : m.off+m.n : m.off+m.n]
		}
	}
}

// bindPlace finds the operands of all units for the cell at place i, the first without.
func (w *worker) bindPlace(i int) {
	w.moving = append(w.moving, nil)
	for p, units := range w.x.units {
		var all []boundUnit
		for _, u := range units {
			all = append(all, w.bindUnit(u, i))
		}
		w.units[p] = append(w.units[p], all)
		if j := w.x.phases[p].joint; j != nil {
			w.joints[p].in = append(w.joints[p].in, w.tensors(j.In, i))
			w.joints[p].out = append(w.joints[p].out, w.tensors(j.Out, i))
		}
	}
	var updates []boundUnit
	for _, u := range w.x.last {
		updates = append(updates, w.bindUnit(u, i))
	}
	w.updates = append(w.updates, updates)
}

// bindUnit gives a unit the memory of place i.
func (w *worker) bindUnit(u unit, i int) boundUnit {
	if u.chain != nil {
		return boundUnit{chain: w.bind(u.chain, i)}
	}
	return boundUnit{kernel: u.kernel, operandsOf: operandsOf{w.tensors(u.In, i), w.tensors(u.Out, i)}}
}

// bind gives a chain the memory of place i.
func (w *worker) bind(c *chain, i int) *bound {
	return c.bind(func(v op.Value) op.Tensor { return w.tensor(v, i) }, func(v op.Value, words *[]uint32) { w.moves(v, i, words) }, w.parts)
}

func (w *worker) run(k kernel, out, in []op.Tensor) {
	k(w.ws, out, in)
	w.ws.reset()
}

func (w *worker) runUnit(b *boundUnit) {
	if b.chain != nil {
		b.chain.run(w.ws)
		return
	}
	w.run(b.kernel, b.out, b.in)
}

// advance runs one step of the cells at hand and tells whether any was active. The last step, or an inactive one, writes outputs.
func (w *worker) advance(last bool) (active bool) {
	for p := range w.units {
		for i := range w.cells {
			if w.ended[i] {
				continue
			}
			for u := range w.units[p][i] {
				w.runUnit(&w.units[p][i][u])
			}
			if p == len(w.units)-1 {
				active = w.end(i, last) || active
			}
		}
		if j := w.x.phases[p].joint; j != nil {
			n := len(w.cells)
			j.kernel(w.ws, w.joints[p].out[:n], w.joints[p].in[:n])
			w.ws.reset()
		}
	}
	return active
}

// end ends the step of a cell and tells whether it was active.
func (w *worker) end(i int, last bool) (active bool) {
	active = w.active(i)
	if last || !active {
		w.output(i, op.Cell)
	}
	if active {
		for u := range w.updates[i] { // before other states are replaced, which they may read
			w.runUnit(&w.updates[i][u])
		}
		w.keep(i, op.Cell) // whatever has become of the flag, if that is a part of a state
	}
	w.ended[i] = !active && !w.x.coarse
	return active
}

func (w *worker) active(i int) bool {
	a := w.x.t.P.Active
	return a == 0 || w.tensor(a, i).W[0] != 0
}

// keep replaces the states of one domain, for the slot that the cell uses, which is active.
func (w *worker) keep(i int, domain op.Domain) {
	q := w.x.t.P
	for k, s := range q.State {
		if w.x.staged[k] && q.Types[s.In].Domain == domain {
			copy(w.next[k].W, w.tensor(s.Next, i).W)
		}
	}
	for k, s := range q.State {
		if w.x.still[k] || q.Types[s.In].Domain != domain {
			continue
		}
		next := w.next[k]
		if !w.x.staged[k] {
			next = w.tensor(s.Next, i)
		}
		copy(w.tensor(s.In, i).W, next.W)
	}
}

// output copies the outputs of one domain that were not computed in place.
func (w *worker) output(i int, domain op.Domain) {
	for _, o := range w.x.t.P.Out {
		a := w.x.p.arrays[o.Name]
		if a.Domain == domain && w.x.home[o.V] != a {
			copy(a.at(w.x.p.slots.Of(domain)[w.cells[i]]).W, w.tensor(o.V, i).W)
		}
	}
}
