package graph

import (
	"slices"

	"lockstep/op"
)

// Plan is the layout of a cell's scratch memory during a step.
type Plan struct {
	Off   []int // by value: offset in words; -1 where the value lives elsewhere
	Words int   // the size of the scratch
	Peak  int   // the largest sum of the sizes of values alive at once: no plan can need less
	Sum   int   // the size without sharing: the sum over all values
}

// align is the granule of the plan in words: 64 bytes, so that vector loads do not straddle cache lines.
const align = 16

// Plan lays out those results of the step's groups that vary over cells, that are not inner ones of a chain, and that belong to
// the plan: first fit, in the order of the groups. Two values share memory only if their live intervals do not meet; what a view
// shows lives as long as the view.
func (t *Tape) Plan(belongs func(v op.Value) bool) Plan {
	p := Plan{Off: make([]int, len(t.P.Types))}
	for i := range p.Off {
		p.Off[i] = -1
	}
	last := make([]int, len(t.P.Types))
	touch := func(v op.Value, at int) {
		root, _ := t.Root(v)
		last[root] = max(last[root], at)
	}
	for i, g := range t.Groups {
		for _, n := range g.Nodes {
			for _, v := range slices.Concat(n.In, n.Out) {
				touch(v, i)
			}
		}
	}
	for _, v := range t.P.roots() {
		touch(v, len(t.Groups))
	}
	type block struct{ off, words, until int }
	var busy []block // ascending offsets
	for i, g := range t.Groups {
		busy = slices.DeleteFunc(busy, func(b block) bool { return b.until < i })
		for _, n := range g.Work(t) {
			for _, v := range n.Out {
				if t.P.Types[v].Domain != op.Cell || slices.Contains(g.Inner, v) || !belongs(v) {
					continue
				}
				words := (t.P.Types[v].Words() + align - 1) / align * align
				off, at := 0, 0
				for at < len(busy) && busy[at].off-off < words {
					off = max(off, busy[at].off+busy[at].words)
					at++
				}
				p.Off[v] = off
				p.Sum += words
				p.Words = max(p.Words, off+words)
				busy = slices.Insert(busy, at, block{off, words, last[v]})
			}
		}
		alive := 0
		for _, b := range busy {
			alive += b.words
		}
		p.Peak = max(p.Peak, alive)
	}
	return p
}
