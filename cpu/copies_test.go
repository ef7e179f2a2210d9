package cpu

import (
	"bytes"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// trainedSlots are those of the packs of trained.
func trainedSlots(t *testing.T) *graph.Slots {
	t.Helper()
	s, err := slotsOf(trainedCells, trainedGroups)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A matrix by whose transpose a row is multiplied is copied once, for all that need it so: if the copy lasts, is worth its memory, and no
// two rows share it.
func TestCopies(t *testing.T) {
	needJoint(t)
	product := func(o op.Op, rows, k, n int, basis func(b *graph.Builder, s op.Type) op.Value) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			p := basis(b, op.T(op.F32, alone, k, n))
			z := b.State("z", b.Input("z0", op.T(op.F32, op.Cell, rows, n)), op.Cell)
			in := []op.Value{z, p}
			if (o == op.MatMulTail{TB: true}) {
				in = append(in, b.Input("len", op.T(op.U32, op.Cell)))
			}
			y := b.Do(o, in...)
			b.Next(z, b.Do(op.Neg, z))
			b.Output("y", y)
			b.Output("twice", b.Do(op.MatMul{TB: true}, b.Do(op.Neg, z), p))
		}
	}
	given := func(d op.Domain) func(b *graph.Builder, s op.Type) op.Value {
		return func(b *graph.Builder, s op.Type) op.Value {
			s.Domain = d
			return b.Input("p", s)
		}
	}
	made := func(b *graph.Builder, s op.Type) op.Value { return b.Do(op.Exp, b.Input("p", s)) }
	state := func(b *graph.Builder, s op.Type) op.Value {
		p := b.State("p", b.Input("p0", s), s.Domain)
		b.Next(p, b.Do(op.Neg, p))
		return p
	}
	stepped := func(b *graph.Builder, s op.Type) op.Value { return b.Do(op.Exp, state(b, s)) }
	back, tail := op.MatMul{TB: true}, op.MatMulTail{TB: true}
	for name, c := range map[string]struct {
		body   func(b *graph.Builder)
		copies int
	}{
		"given":             {product(back, 1, 30, 40, given(alone)), 1},
		"with a tail":       {product(tail, 1, 30, 40, given(alone)), 1},
		"computed once":     {product(back, 1, 30, 40, made), 1},
		"a cell's own":      {product(back, 1, 30, 40, given(op.Cell)), 0},
		"of several rows":   {product(back, 2, 30, 40, given(alone)), 0},
		"a state":           {product(back, 1, 30, 40, state), 0},
		"computed in steps": {product(back, 1, 30, 40, stepped), 0},
		"of all cells":      {product(back, 1, 30, 40, given(op.Shared)), 0},
		"of some cells":     {product(back, 1, 30, 40, given(op.Seed)), 0},
		"just small enough": {product(back, 1, 1<<8, mostCopied/trainedCells>>8, given(alone)), 1}, // each cell has one
		"too large":         {product(back, 1, 1<<8, mostCopied/trainedCells>>8+1, given(alone)), 0},
	} {
		prog := trace(t, c.body)
		l := engine(t, 1).layOut(prog, trainedSlots(t))
		var copies []op.Value
		for _, n := range l.t.Once {
			if (n.Op == op.Transpose{Perm: "1,0"}) {
				copies = append(copies, n.Out[0])
			}
		}
		untransposed := slices.ContainsFunc(l.t.Step, func(n op.Node) bool { return n.Op == op.MatMul{} || n.Op == op.MatMulTail{} })
		p := prog.Types[prog.In[0].V]
		if words := c.copies * trainedCells * p.Words(); l.copied != words {
			t.Errorf("%s: %d words are told to be copied; want %d", name, l.copied, words)
		}
		if len(copies) != c.copies || untransposed != (c.copies > 0) {
			t.Errorf("%s: %d copies, used %v; want %d", name, len(copies), untransposed, c.copies)
		}
		plan := func(o Options) int64 {
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			m, err := e.Plan([]*graph.Program{prog}, trainedCells, trainedGroups)
			if err != nil {
				t.Fatal(err)
			}
			return m.Bytes
		}
		// By itself the plan of a step without chains and blocks has less scratch, and no copy.
		copied := int64(4 * c.copies * trainedCells * graph.Stride(p))
		if more := plan(Options{Threads: 1}) - plan(Options{Threads: 1, NoFuse: true}); more < copied || c.copies == 0 && more > 1<<20 {
			t.Errorf("%s: the plan has %d bytes more than one without copies; want at least %d", name, more, copied)
		}
		if p.Words() > 1<<18 {
			continue
		}
		if got, want := trained(t, prog, Options{Threads: 2}, 3), trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 3); !bytes.Equal(got, want) {
			t.Errorf("%s: %d of %d bytes differ from the laws'", name, different(got, want), len(want))
		}
	}
	if l := engine(t, 1, Law).layOut(trace(t, product(back, 1, 30, 40, given(alone))), trainedSlots(t)); len(l.t.Once) > 0 {
		t.Errorf("the laws alone have %v once", l.t.Once)
	}
}

// A copy is made again when its matrix is bound again.
func TestCopiesAreRefreshed(t *testing.T) {
	const n = 40
	square := op.T(op.F32, op.Seed, n, n)
	prog := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.Fill(1, 1, n), op.Cell)
		b.Next(z, z)
		b.Output("y", b.Do(op.MatMul{TB: true}, z, b.Input("p", square)))
	})
	p := newPack(t, 1, 2, graph.Groups{op.Seed: {0, 1}})
	bind := func(slot int, value float32) {
		m := op.New(square)
		for i := range m.W {
			m.F()[i] = value
		}
		if err := p.Put("p", square, slot, op.Bytes(m.W)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(value ...float32) {
		t.Helper()
		for cell, want := range value {
			y := op.New(op.T(op.F32, op.Cell, 1, n))
			b := op.Bytes(y.W)
			if err := p.Read("y", cell, b); err != nil {
				t.Fatal(err)
			}
			op.PutWords(y.W, b)
			for i, got := range y.F() {
				if got != want {
					t.Fatalf("column %d of cell %d is %v; want %v", i, cell, got, want)
				}
			}
		}
	}
	bind(0, 1)
	bind(1, 2)
	x := start(t, p, prog)
	run(t, x, 1)
	check(n, 2*n)
	bind(1, 3)
	run(t, x, 1)
	check(n, 3*n)
}
