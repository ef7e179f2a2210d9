package cpu

import (
	"maps"
	"reflect"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// layout is how a program runs on this engine: what runs together, and where the values of a step live. It hangs on the program,
// on the engine's options, and on how many slots of the pack share what.
//
// A step is cut into phases by its joint nodes, which work for all cells of a block at once. In a phase a thread takes the cells of
// its block one after the other; so values of one phase share the thread's scratch, and only those that cross a joint node are
// kept for each cell of the block.
type layout struct {
	t      *graph.Tape
	phases []phase
	local  graph.Plan        // of values that live in one phase
	kept   graph.Plan        // of values that cross from phase to phase
	inner  map[op.Value]bool // results of chains that never are whole
	parts  int               // words that the parts of chains take at most
	copied int               // words of transposed copies, of all slots
	// updates are chains that end a step and make nothing but Nexts, of states that nothing reads after, and rows that are put into
	// such states. They run for active cells alone, and write into the states.
	updates []graph.Group
	updated map[op.Value]op.Value // a Next that an update makes -> its state
}

// phase is what each cell of a block does, one after the other, and then what all do together.
type phase struct {
	groups []graph.Group
	joint  *joint // nil: the last phase
}

// partWords is the most elements of a chain that run at a time: a few operands of so many words fit the first-level cache.
const partWords = 1024

// smallest is the number of elements below which a chain is not worth its parts: the memory that it saves is a few cache lines.
const smallest = 32

// layOut lowers a program and lays it out for a pack with such slots.
func (e *Engine) layOut(p *graph.Program, slots *graph.Slots) *layout {
	l := &layout{t: graph.Lower(p, e.has), inner: map[op.Value]bool{}, updated: map[op.Value]op.Value{}}
	if e.fuses() {
		l.copyTransposed(e, slots)
		l.foldBands(e, slots)
		l.fuse(e)
	}
	if e.fuses() {
		l.sinkRows()
	}
	phaseOf := l.cut(e)
	if e.fuses() {
		l.takeUpdates()
	}
	crosses := l.crossing(phaseOf)
	l.local = l.t.Plan(func(v op.Value) bool { return !crosses[v] && l.updated[v] == 0 })
	l.kept = l.t.Plan(func(v op.Value) bool { return crosses[v] })
	return l
}

// fuse has products do what stands beside them, and joins pointwise nodes to one, or to chains.
func (l *layout) fuse(e *Engine) {
	l.foldHeads(e)
	l.foldSums(e)
	l.foldProducts(e)
	l.t.Fuse(graph.Fusion{Part: partWords, Smallest: smallest})
	for i := range l.t.Groups {
		if g := &l.t.Groups[i]; g.Len > 0 {
			for _, v := range g.Inner {
				l.inner[v] = true
			}
			l.parts = max(l.parts, newChain(l.t, g, e.variants).words())
		}
	}
}

// fuses tells whether steps run in chains and blocks: not where the laws stand alone.
func (e *Engine) fuses() bool { return !e.noFuse && slices.Contains(e.variants, "go") }

// cut finds the joint nodes, moves each to where its operands are made, and cuts the step there. It returns the phase of each group;
// a joint node is of the phase that it ends.
func (l *layout) cut(e *Engine) []int {
	joints := map[op.Value]*joint{}
	if e.fuses() {
		var order []graph.Group
		for _, g := range l.t.Groups {
			j := newJoint(l.t, g, e.variants)
			if j == nil {
				order = append(order, g)
				continue
			}
			joints[g.Nodes[0].Out[0]] = j
			at := len(order)
			for at > 0 && !l.feeds(order[at-1], g.Nodes[0]) {
				at--
			}
			order = slices.Insert(order, at, g)
		}
		l.t.Groups = order
	}
	phaseOf := make([]int, len(l.t.Groups))
	l.phases = []phase{{}}
	for i, g := range l.t.Groups {
		last := len(l.phases) - 1
		phaseOf[i] = last
		if j := joints[g.Nodes[0].Out[0]]; j != nil {
			l.phases[last].joint = j
			l.phases = append(l.phases, phase{})
			continue
		}
		l.phases[last].groups = append(l.phases[last].groups, g)
	}
	return phaseOf
}

// takeUpdates moves the updates from the end of the last phase to where they belong.
func (l *layout) takeUpdates() {
	last := &l.phases[len(l.phases)-1]
	for n := len(last.groups); n > 0; n = len(last.groups) {
		nexts := l.update(last.groups[n-1])
		if nexts == nil {
			return
		}
		l.updates = slices.Insert(l.updates, 0, last.groups[n-1])
		last.groups = last.groups[:n-1]
		maps.Copy(l.updated, nexts)
	}
}

// sinkRows moves what puts rows into a state to the end, where it can be an update: so that a step writes a row of a large state, and does not
// copy the state.
func (l *layout) sinkRows() {
	var rows, rest []graph.Group
	for _, g := range l.t.Groups {
		if l.putsRows(g) {
			rows = append(rows, g)
		} else {
			rest = append(rest, g)
		}
	}
	l.t.Groups = append(rest, rows...)
}

// putsRows tells whether a group is a PutRow into a cell's state whose Next it is, of rows, and at a place, that are no parts of states, which might have
// been replaced before.
func (l *layout) putsRows(g graph.Group) bool {
	n := g.Nodes[0]
	if _, ok := n.Op.(op.PutRow); !ok || g.Len > 0 {
		return false
	}
	s := l.stateOf(n.Out[0])
	root, _ := l.t.Root(n.In[0])
	if s == nil || root != s.In || l.t.P.Types[s.In].Domain != op.Cell || l.t.P.Types[s.In].Words() != l.t.P.Types[n.Out[0]].Words() {
		return false
	}
	for _, h := range l.t.Groups { // nobody else may want the Next
		for _, m := range h.Nodes {
			if slices.ContainsFunc(m.In, func(v op.Value) bool { root, _ := l.t.Root(v); return root == n.Out[0] }) {
				return false
			}
		}
	}
	for _, other := range l.t.P.State {
		next, _ := l.t.Root(other.Next)
		rows, _ := l.t.Root(n.In[1])
		at, _ := l.t.Root(n.In[2])
		if rows == other.In || at == other.In || next == s.In && other.In != s.In {
			return false
		}
	}
	return true
}

// update gives, for a group that is an update, the state of each Next that it makes; nil for any other. Groups after it are updates.
func (l *layout) update(g graph.Group) map[op.Value]op.Value {
	if l.putsRows(g) {
		v := g.Nodes[0].Out[0]
		return map[op.Value]op.Value{v: l.stateOf(v).In}
	}
	if g.Len == 0 {
		return nil
	}
	nexts := map[op.Value]op.Value{}
	nodes := g.Work(l.t)
	for i, n := range nodes {
		v := n.Out[0]
		if len(n.Out) > 1 {
			return nil
		}
		if slices.Contains(g.Inner, v) {
			continue
		}
		s := l.stateOf(v)
		if s == nil || l.t.P.Types[s.In].Domain != op.Cell || l.readElsewhere(g, v, s.In) {
			return nil
		}
		for _, later := range nodes[i+1:] {
			for _, in := range later.In {
				if root, _ := l.t.Root(in); root == s.In {
					return nil // it would see the Next
				}
			}
		}
		nexts[v] = s.In
	}
	for _, n := range nodes { // a part of the chain may spread what another part has replaced
		if _, spreads := n.Op.(op.Broadcast); !spreads {
			continue
		}
		root, _ := l.t.Root(n.In[0])
		for _, state := range nexts {
			if root == state {
				return nil
			}
		}
	}
	return nexts
}

// stateOf is the only state of which v is the Next; nil if there is none, or if v is more than that.
func (l *layout) stateOf(v op.Value) (state *graph.State) {
	uses := 0
	for _, r := range l.t.Roots() {
		if root, _ := l.t.Root(r); root == v {
			uses++
		}
	}
	for i, s := range l.t.P.State {
		if root, _ := l.t.Root(s.Next); root == v && l.t.P.Types[s.Next].Words() == l.t.P.Types[v].Words() {
			state = &l.t.P.State[i]
		}
	}
	if uses != 1 {
		return nil
	}
	return state
}

// readElsewhere tells whether another group than g reads a Next, or one that runs after g its state; or whether what a step leaves
// shows the state.
func (l *layout) readElsewhere(g graph.Group, next, state op.Value) bool {
	after := false
	for _, h := range l.t.Groups {
		same := h.Nodes[0].Out[0] == g.Nodes[0].Out[0]
		for _, n := range h.Nodes {
			for _, in := range n.In {
				if root, _ := l.t.Root(in); root == next && !same || root == state && after {
					return true
				}
			}
		}
		after = after || same
	}
	for _, s := range l.t.P.State { // another state that becomes this one
		if root, _ := l.t.Root(s.Next); root == state {
			return true
		}
	}
	return false
}

// inScratch tells whether a step's result lives in a worker's memory.
func (l *layout) inScratch(v op.Value) bool {
	return l.local.Off[v] >= 0 || l.kept.Off[v] >= 0 || l.inner[v]
}

// isOnce tells whether a value is the result of a node that runs once.
func (l *layout) isOnce(v op.Value) bool {
	return slices.ContainsFunc(l.t.Once, func(n op.Node) bool { return slices.Contains(n.Out, v) })
}

// arrays are the results that live elsewhere: what is computed once, and what is not per cell.
func (l *layout) arrays() (vs []op.Value) {
	for _, n := range l.t.Once {
		vs = append(vs, n.Out...)
	}
	for _, n := range l.t.Step {
		for _, v := range n.Out {
			if !l.inScratch(v) && l.updated[v] == 0 {
				vs = append(vs, v)
			}
		}
	}
	return slices.DeleteFunc(vs, func(v op.Value) bool { return l.t.View[v].Of != 0 })
}

// feeds tells whether a node reads a result of the group.
func (l *layout) feeds(g graph.Group, n op.Node) bool {
	for _, v := range n.In {
		root, _ := l.t.Root(v)
		for _, m := range g.Nodes {
			if slices.Contains(m.Out, v) || slices.Contains(m.Out, root) {
				return true
			}
		}
	}
	return false
}

// crossing finds the values that are made in one phase and read in another, or that a joint node reads or makes.
func (l *layout) crossing(phaseOf []int) map[op.Value]bool {
	crosses := map[op.Value]bool{}
	if len(l.phases) == 1 {
		return crosses
	}
	made := map[op.Value]int{}
	for i, g := range l.t.Groups {
		isJoint := l.phases[phaseOf[i]].joint.is(g)
		for _, n := range g.Nodes {
			for _, v := range n.In {
				root, _ := l.t.Root(v)
				if p, inStep := made[root]; inStep && (p != phaseOf[i] || isJoint) {
					crosses[root] = true
				}
			}
			for _, v := range n.Out {
				made[v] = phaseOf[i]
				if isJoint {
					crosses[v] = true
				}
			}
		}
	}
	for _, v := range l.t.Roots() { // they are read when the cell's last phase ends
		root, _ := l.t.Root(v)
		if p, inStep := made[root]; inStep && p != len(l.phases)-1 {
			crosses[root] = true
		}
	}
	return crosses
}

const (
	blockCells = 32        // the most cells of a block
	keptNear   = 1_250_000 // bytes that stay near a core between two phases
)

// block is how many cells a thread takes at once: several only if that saves passes over what they share; and half of the most if that
// keeps near what crosses from phase to phase, and the most would not.
func (l *layout) block(cells, threads int) int {
	if len(l.phases) == 1 {
		return 1
	}
	most := blockCells
	if kept := 4 * l.kept.Words; kept*most > keptNear && kept*most/2 <= keptNear {
		most /= 2
	}
	return max(1, min(most, (cells+threads-1)/threads))
}

// words is the memory of a thread for values, and for its kernels' scratch.
func (l *layout) words(cells, threads int) (values, kernels int) {
	block := l.block(cells, threads)
	for _, n := range slices.Concat(l.t.Once, l.t.Step) {
		words := scratches[reflect.TypeOf(n.Op)]
		if words == nil {
			continue
		}
		types := make([]op.Type, len(n.In))
		for i, v := range n.In {
			types[i] = l.t.P.Types[v]
		}
		together := 1
		if slices.ContainsFunc(l.phases, func(p phase) bool { return p.joint != nil && p.joint.Out[0] == n.Out[0] }) {
			together = block
		}
		kernels = max(kernels, words(n.Op, types, together))
	}
	return l.local.Words + block*l.kept.Words + l.parts, kernels + l.parts // who helps with a chain has its buffers there
}
