package cpu

import (
	"encoding/hex"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Explanation is how the engine runs a program.
type Explanation struct {
	Traced  int    `json:"traced"`  // ops as they were traced
	Lowered int    `json:"lowered"` // after the rewrites: composites without a kernel expanded, equal ones shared, dead ones dropped; of these
	Once    int    `json:"once"`    // run when inputs have changed,
	Step    int    `json:"step"`    // and these in every step, before products take transposes and sums upon themselves;
	Views   int    `json:"views"`   // as many of both only show a part of another's memory, which is no work
	Units   []Unit `json:"units"`   // what runs in a step, in order
	Block   int    `json:"block"`   // cells that a thread takes through a step at once
	Sum     int64  `json:"sum"`     // bytes of a cell's results in a step, if each had memory of its own: the sum of the live intervals
	Peak    int64  `json:"peak"`    // bytes of those that are alive at once, at most, when every op runs by itself
	Scratch int64  `json:"scratch"` // bytes that a thread has for a step: of one cell at a time,
	Kept    int64  `json:"kept"`    // for each cell of the block,
	Parts   int64  `json:"parts"`   // of the parts of chains,
	Band    int64  `json:"band"`    // and of a band of rows
	Copied  int64  `json:"copied"`  // bytes of transposed copies of matrices that no two cells share, of the whole pack
	Program string `json:"program"` // the hash of the program
}

// Unit is what runs at a time: an op, a chain of pointwise ops, or an op for all cells of a block.
type Unit struct {
	Kind    string   `json:"kind"`            // "op", "chain", "joint"; "update" of a chain that writes states; "shared" of an op that is not per cell
	Ops     []string `json:"ops"`             // op.Describe
	Result  string   `json:"result"`          // the type of the last one's result
	Len     int      `json:"len,omitempty"`   // elements of a chain
	Part    int      `json:"part,omitempty"`  // of which so many run at a time
	Inner   int      `json:"inner,omitempty"` // results that are never whole
	Kernels []string `json:"kernels"`         // by op
	Bands   int      `json:"bands,omitempty"` // in how many bands of rows the units with such a number go through, one band after the other
}

// Explain tells how the engine would run a program on a pack of so many cells in such groups. It allocates nothing. Error: groups that
// are none of the cells'.
func (e *Engine) Explain(p *graph.Program, cells int, groups graph.Groups) (Explanation, error) {
	slots, err := slotsOf(cells, groups)
	if err != nil {
		return Explanation{}, err
	}
	l := e.layOut(p, slots)
	plain := graph.Lower(p, e.has)
	hash := p.Hash()
	x := Explanation{
		Traced: len(p.Nodes), Lowered: len(plain.P.Nodes), Block: l.block(cells, e.threads),
		Sum: 4 * int64(plain.Scratch.Sum), Peak: 4 * int64(plain.Scratch.Peak),
		Scratch: 4 * int64(l.local.Words), Kept: 4 * int64(l.kept.Words), Parts: 4 * int64(l.parts), Copied: 4 * int64(l.copied),
		Program: hex.EncodeToString(hash[:]),
	}
	for _, n := range slices.Concat(plain.Once, plain.Step) {
		if plain.View[n.Out[0]].Of != 0 {
			x.Views++
		}
	}
	x.Once, x.Step = len(plain.Once), len(plain.Step)
	for _, ph := range l.phases {
		for _, g := range ph.groups {
			if b, is := g.Nodes[0].Op.(*bands); is {
				x.Band = max(x.Band, 4*int64(b.local+b.layout.parts))
				for _, g := range b.layout.t.Groups {
					if u, ok := e.unitOf(b.layout, g); ok {
						u.Bands = b.count
						x.Units = append(x.Units, u)
					}
				}
			} else if u, ok := e.unitOf(l, g); ok {
				x.Units = append(x.Units, u)
			}
		}
		if j := ph.joint; j != nil {
			x.Units = append(x.Units, Unit{Kind: "joint", Ops: []string{op.Describe(j.Op)}, Result: l.t.P.Types[j.Out[0]].String(), Kernels: []string{j.variant}})
		}
	}
	for _, g := range l.updates {
		u, _ := e.unitOf(l, g)
		u.Kind = "update"
		x.Units = append(x.Units, u)
	}
	return x, nil
}

// unitOf describes a group; ok is false if it is no work.
func (e *Engine) unitOf(l *layout, g graph.Group) (u Unit, ok bool) {
	for _, n := range g.Work(l.t) {
		c := compile(l.t, n, e.variants)
		u.Ops, u.Kernels = append(u.Ops, op.Describe(n.Op)), append(u.Kernels, c.variant)
		u.Result = l.t.P.Types[n.Out[0]].String()
		u.Kind = "op"
		if c.domain != op.Cell {
			u.Kind = "shared"
		}
	}
	if g.Len > 0 {
		c := newChain(l.t, &g, e.variants)
		u.Kind, u.Len, u.Part, u.Inner = "chain", c.length, c.part, len(g.Inner)
		u.Ops, u.Kernels = nil, nil
		for _, k := range slices.Concat(c.fixed, c.links) {
			u.Ops, u.Kernels = append(u.Ops, op.Describe(k.Op)), append(u.Kernels, k.variant)
		}
	}
	return u, len(u.Ops) > 0
}
