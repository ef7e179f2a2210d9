package optest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Packing is a way to run a case: how many cells, and over what its operands vary.
type Packing struct {
	name    string
	cells   int
	groups  graph.Groups
	domains []op.Domain // operand i of the case with seed s varies over domains[(i+s) mod len]
	state   bool        // operands of domain Cell are states, so that their op runs in every step and not once
}

var (
	// Alone is one cell that owns its operands.
	Alone = Packing{name: "one cell", cells: 1, domains: []op.Domain{op.Cell}}
	// Three is three cells with different data, of which the first and the last have the same seed. The operands are in turn
	// each cell's state, shared by all cells, and the seed's.
	Three = Packing{name: "three cells", cells: 3, groups: graph.Groups{op.Seed: {0, 1, 0}},
		domains: []op.Domain{op.Cell, op.Shared, op.Seed}, state: true}
)

func (p Packing) domain(c *Case, i int) op.Domain {
	return p.domains[(i+int(c.Seed%uint64(len(p.domains))))%len(p.domains)]
}

// States are the operands that are a cell's states: with one, the case's op runs in every step, and not once.
func (p Packing) States(c *Case) (types []op.Type) {
	for i, t := range c.In {
		if p.state && p.domain(c, i) == op.Cell {
			types = append(types, t)
		}
	}
	return types
}

// slot is the slot of a cell in a domain.
func (p Packing) slot(d op.Domain, cell int) int {
	switch d {
	case op.Shared:
		return 0
	case op.Cell:
		return cell
	}
	return p.groups[d][cell]
}

// slots are the slots that a cell's operands come from.
func (p Packing) slots(c *Case, cell int) []int {
	s := make([]int, len(c.In))
	for i := range s {
		s[i] = p.slot(p.domain(c, i), cell)
	}
	return s
}

// errDeclined says that no node of a case runs on the variant that was asked for.
var errDeclined = errors.New("the variant declines this case")

// Check runs one case on an engine and compares results and operands with the law. An error is a *Failure where bits differ,
// otherwise what the engine said.
func Check(e graph.Engine, c *Case, p Packing, variant string) error {
	r, err := newRun(e, c, p)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c, p.name, err)
	}
	defer r.close()
	kernels := r.exe.Kernels()
	if variant != "" && !slices.ContainsFunc(kernels, func(k graph.KernelInfo) bool { return k.Variant == variant }) {
		return errDeclined
	}
	if err := r.advance(); err != nil {
		return fmt.Errorf("%s, %s: %w", c, p.name, err)
	}
	for cell := range p.cells {
		slots := p.slots(c, cell)
		want, err := c.Want(slots)
		if err != nil {
			return fmt.Errorf("%s: the law: %w", c, err)
		}
		for i, w := range want {
			if err := r.compare(fmt.Sprint("out", i), fmt.Sprint("result ", i), cell, w); err != nil {
				return err
			}
		}
		for i, w := range c.Operands(slots) {
			if err := r.compare(fmt.Sprint("in", i), fmt.Sprint("operand ", i, ", after the run"), cell, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// run is a case compiled on an engine.
type run struct {
	c    *Case
	p    Packing
	pack graph.Pack
	exe  graph.Executable
}

func newRun(e graph.Engine, c *Case, p Packing) (*run, error) {
	prog, err := graph.Trace(func(b *graph.Builder) {
		in := make([]op.Value, len(c.In))
		for i, t := range c.In {
			t.Domain = p.domain(c, i)
			in[i] = b.Input(fmt.Sprint("in", i), t)
			if p.state && t.Domain == op.Cell {
				in[i] = b.State(fmt.Sprint("state", i), in[i], op.Cell)
				b.Next(in[i], in[i])
			}
		}
		for i, v := range b.Emit(c.Op, in...) {
			b.Output(fmt.Sprint("out", i), v)
		}
	})
	if err != nil {
		return nil, err
	}
	pack, err := e.NewPack(p.cells, p.groups)
	if err != nil {
		return nil, err
	}
	r := &run{c: c, p: p, pack: pack}
	if err := r.bind(prog); err != nil {
		pack.Close()
		return nil, err
	}
	if r.exe, err = pack.Compile(prog); err != nil {
		pack.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) close() {
	r.exe.Close()
	r.pack.Close()
}

// bind puts the operands, with payloads in their NaNs, which binding must make canonical.
func (r *run) bind(prog *graph.Program) error {
	for i, in := range prog.In {
		t := prog.Types[in.V]
		bound := map[int]bool{}
		for cell := range r.p.cells {
			slot := r.p.slot(t.Domain, cell)
			if bound[slot] {
				continue
			}
			bound[slot] = true
			data := r.c.Draw(slot)[i]
			words := slices.Clone(data.W)
			for k, w := range words {
				if t.DType == op.F32 && w == op.NaN {
					words[k] = []uint32{0x7f800001, 0xffc00000, 0x7fc12345, op.NaN}[k%4]
				}
			}
			if err := r.pack.Put(in.Name, t, slot, op.Bytes(words)); err != nil {
				return err
			}
		}
	}
	return nil
}

// advance runs a step; where there is state, two, of which the second must change nothing.
func (r *run) advance() error {
	ctx := context.Background()
	if !r.p.state {
		return r.exe.Run(ctx, 1)
	}
	if err := r.exe.Reset(ctx); err != nil {
		return err
	}
	return r.exe.Run(ctx, 2)
}

// compare reads a cell's array and compares it with what it should be.
func (r *run) compare(name, what string, cell int, want op.Tensor) error {
	b := make([]byte, 4*want.Words())
	if err := r.pack.Read(name, cell, b); err != nil {
		return fmt.Errorf("%s, %s: %w", r.c, r.p.name, err)
	}
	got := op.New(want.Type)
	op.PutWords(got.W, b)
	diff := Diff(got, want)
	if diff == "" {
		return nil
	}
	variants := make([]string, 0, 1)
	own := ""
	for _, k := range r.exe.Kernels() {
		variants = append(variants, k.Op+": "+k.Variant)
		if k.Op == op.Describe(r.c.Op) {
			own = k.Variant
		}
	}
	return &Failure{Case: r.c, Packing: r.p.name, Cell: cell, What: what, Diff: diff, Kernels: variants, Variant: own,
		In: r.c.Operands(r.p.slots(r.c, cell))}
}
