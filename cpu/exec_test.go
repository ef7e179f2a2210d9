package cpu

import (
	"context"
	"errors"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// The programs of these tests are on counters, so that every value can be told by hand.

func trace(t *testing.T, f func(b *graph.Builder)) *graph.Program {
	t.Helper()
	p, err := graph.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPack(t *testing.T, threads, cells int, groups graph.Groups) graph.Pack {
	t.Helper()
	e, err := New(Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.NewPack(cells, groups)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, p graph.Pack, prog *graph.Program) graph.Executable {
	t.Helper()
	x, err := p.Compile(prog)
	if err == nil {
		err = x.Reset(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func run(t *testing.T, x graph.Executable, steps int) {
	t.Helper()
	if err := x.Run(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, p graph.Pack, name string, d op.Domain, slot int, v byte) {
	t.Helper()
	if err := p.Put(name, op.T(op.U32, d), slot, []byte{v, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
}

// all reads a scalar of every cell.
func all(t *testing.T, p graph.Pack, name string, cells int) (v []byte) {
	t.Helper()
	for c := range cells {
		b := make([]byte, 4)
		if err := p.Read(name, c, b); err != nil {
			t.Fatal(err)
		}
		v = append(v, b[0])
	}
	return v
}

func want(t *testing.T, what string, got []byte, want ...byte) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

func plus(b *graph.Builder, x, y op.Value) op.Value { return b.Do(op.IAdd{}, x, y) }

// Nexts that are other states, or views of them, are read before any is written: a swap, and a rotation through a view.
func TestStatesAreReplacedTogether(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		x := b.State("x", b.FillU(1), op.Cell)
		y := b.State("y", b.FillU(2), op.Cell)
		z := b.State("z", b.FillU(3), op.Cell)
		b.Next(x, y)
		b.Next(y, b.Do(op.Reshape{To: op.S()}, z))
		b.Next(z, x)
	})
	p := newPack(t, 1, 1, nil)
	x := start(t, p, prog)
	for step, w := range [][]byte{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}, {1, 2, 3}} {
		got := slices.Concat(all(t, p, "x", 1), all(t, p, "y", 1), all(t, p, "z", 1))
		if want(t, "after some steps, (x, y, z)", got, w...); t.Failed() {
			t.Fatalf("at step %d", step)
		}
		run(t, x, 1)
	}
}

// A shared state, a group's and a cell's advance in step; each reads what the coarser ones were before the step.
func TestDomains(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		one := b.FillU(1)
		shared := b.State("shared", b.FillU(0), op.Shared)
		seed := b.State("seed", b.Input("start", op.T(op.U32, op.Seed)), op.Seed)
		cell := b.State("cell", b.Input("own", op.T(op.U32, op.Cell)), op.Cell)
		b.Next(shared, plus(b, shared, one))
		b.Next(seed, plus(b, seed, shared))
		b.Next(cell, plus(b, cell, plus(b, seed, shared)))
		b.Output("before", cell)
	})
	for _, threads := range []int{1, 2, 5} {
		p := newPack(t, threads, 3, graph.Groups{op.Seed: {0, 1, 0}})
		put(t, p, "start", op.Seed, 0, 10)
		put(t, p, "start", op.Seed, 1, 20)
		for c := range 3 {
			put(t, p, "own", op.Cell, c, byte(100+c))
		}
		x := start(t, p, prog)
		run(t, x, 1)
		run(t, x, 2)
		// shared: 0 1 2 3; seed 0: 10 10 11 13; the cell adds seed + shared of steps 0, 1, 2: 10+0, 10+1, 11+2.
		want(t, "shared", all(t, p, "shared", 3), 3, 3, 3)
		want(t, "seed", all(t, p, "seed", 3), 13, 23, 13)
		want(t, "cell", all(t, p, "cell", 3), 134, 165, 136)
		want(t, "the output, which is of before the step", all(t, p, "before", 3), 121, 142, 123)
	}
}

// An inactive cell keeps all its State; the others go on.
func TestActive(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		prog := trace(t, func(b *graph.Builder) {
			n := b.State("n", b.FillU(0), op.Cell)
			b.Next(n, plus(b, n, b.FillU(1)))
			if coarse {
				s := b.State("s", b.FillU(0), op.Shared)
				b.Next(s, s)
			}
			end := b.Input("end", op.T(op.U32, op.Cell))
			if !coarse { // Active of a shared state would have to be shared
				b.Active(b.Do(op.Lt, n, end))
			}
			b.Output("seen", plus(b, n, end))
		})
		p := newPack(t, 2, 3, nil)
		for c := range 3 {
			put(t, p, "end", op.Cell, c, byte(2*c))
		}
		x := start(t, p, prog)
		run(t, x, 3)
		if coarse {
			want(t, "n", all(t, p, "n", 3), 3, 3, 3)
			continue
		}
		want(t, "n", all(t, p, "n", 3), 0, 2, 3)
		want(t, "seen", all(t, p, "seen", 3), 0, 4, 6)
	}
}

// What depends on inputs alone is computed once, and again when an input has changed: by Put, by Write, or as another
// program's State.
func TestOnceIsRefreshed(t *testing.T) {
	train := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.FillU(0), op.Cell)
		b.Next(z, plus(b, z, b.FillU(1)))
	})
	eval := trace(t, func(b *graph.Builder) {
		sum := plus(b, b.Input("z", op.T(op.U32, op.Cell)), b.Input("k", op.T(op.U32, op.Shared)))
		n := b.State("n", b.FillU(0), op.Cell)
		b.Next(n, plus(b, n, sum))
		b.Output("sum", sum)
	})
	p := newPack(t, 2, 2, nil)
	put(t, p, "k", op.Shared, 0, 10)
	x := start(t, p, train)
	y := start(t, p, eval)
	if k := y.Kernels(); len(k) != 2+1 { // a fill and a sum once, a sum each step
		t.Errorf("%d kernels; want 3: %v", len(k), k)
	}
	run(t, y, 1)
	want(t, "sum", all(t, p, "sum", 2), 10, 10)
	run(t, x, 3)
	run(t, y, 1)
	want(t, "sum after training", all(t, p, "sum", 2), 13, 13)
	put(t, p, "k", op.Shared, 0, 20)
	run(t, y, 1)
	want(t, "sum after Put", all(t, p, "sum", 2), 23, 23)
	if err := p.Write("z", 1, []byte{50, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	run(t, y, 1)
	want(t, "sum after Write", all(t, p, "sum", 2), 23, 70)
	want(t, "n", all(t, p, "n", 2), 69, 116)
}

// A cell that stops before the last step of a Run still has its outputs, those of the step that found it inactive. The
// output is a State, so that it is no array in which a kernel computes, but a copy that the executor makes.
func TestOutputOfStoppedCell(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		n := b.State("n", b.FillU(0), op.Cell)
		b.Next(n, plus(b, n, b.FillU(1)))
		b.Active(b.Do(op.Lt, n, b.Input("end", op.T(op.U32, op.Cell))))
		b.Output("seen", n)
	})
	p := newPack(t, 2, 3, nil)
	for c, end := range []byte{2, 4, 100} {
		put(t, p, "end", op.Cell, c, end)
	}
	run(t, start(t, p, prog), 7)
	want(t, "n", all(t, p, "n", 3), 2, 4, 7)
	want(t, "the output of the last step that ran", all(t, p, "seen", 3), 2, 4, 6)
}

// A Reset of one program makes stale what another has computed once from its State.
func TestResetIsSeenElsewhere(t *testing.T) {
	train := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.FillU(0), op.Cell)
		b.Next(z, plus(b, z, b.FillU(1)))
	})
	eval := trace(t, func(b *graph.Builder) {
		z := b.Input("z", op.T(op.U32, op.Cell))
		b.Output("twice", plus(b, z, z))
	})
	p := newPack(t, 1, 2, nil)
	x := start(t, p, train)
	y := start(t, p, eval)
	run(t, x, 3)
	run(t, y, 1)
	want(t, "twice z", all(t, p, "twice", 2), 6, 6)
	if err := x.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	run(t, y, 1)
	want(t, "twice z after Reset", all(t, p, "twice", 2), 0, 0)
}

// What is computed once lives in the array of an output of its name. Another program, or Write, may change that; then it is computed again.
func TestOnceOutputsAreRefreshed(t *testing.T) {
	times := func(n int, state string) *graph.Program {
		return trace(t, func(b *graph.Builder) {
			k := b.Input("k", op.T(op.U32, op.Shared))
			y := k
			for range n - 1 {
				y = plus(b, y, k)
			}
			b.Output("y", y)
			s := b.State(state, b.FillU(0), op.Cell)
			b.Next(s, plus(b, s, y))
		})
	}
	p := newPack(t, 1, 2, nil)
	put(t, p, "k", op.Shared, 0, 10)
	twice, thrice := start(t, p, times(2, "s2")), start(t, p, times(3, "s3"))
	run(t, twice, 1)
	want(t, "y", all(t, p, "y", 1), 20)
	run(t, thrice, 1)
	want(t, "y of the other program", all(t, p, "y", 1), 30)
	run(t, twice, 2)
	want(t, "y again", all(t, p, "y", 1), 20)
	want(t, "its sum", all(t, p, "s2", 2), 60, 60)
	if err := p.Write("y", 0, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	run(t, twice, 1)
	want(t, "the sum after Write", all(t, p, "s2", 2), 80, 80)
}

// Each Run of a program makes stale what another has computed once from its outputs.
func TestOutputsAreSeenElsewhere(t *testing.T) {
	count := trace(t, func(b *graph.Builder) {
		n := b.State("n", b.FillU(0), op.Cell)
		next := plus(b, n, b.FillU(1))
		b.Next(n, next)
		b.Output("out", plus(b, next, next))
	})
	read := trace(t, func(b *graph.Builder) {
		x := b.Input("out", op.T(op.U32, op.Cell))
		b.Output("twice", plus(b, x, x))
	})
	p := newPack(t, 1, 2, nil)
	x := start(t, p, count)
	run(t, x, 1)
	y := start(t, p, read)
	run(t, y, 1)
	want(t, "twice", all(t, p, "twice", 2), 4, 4)
	run(t, x, 2)
	run(t, y, 1)
	want(t, "twice after two more steps", all(t, p, "twice", 2), 12, 12)
}

// Reset takes an Init that is computed from inputs as they are now.
func TestResetComputesInit(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		k := b.Input("k", op.T(op.U32, op.Shared))
		n := b.State("n", plus(b, k, k), op.Cell)
		b.Next(n, plus(b, n, b.FillU(1)))
	})
	p := newPack(t, 1, 2, nil)
	put(t, p, "k", op.Shared, 0, 10)
	x := start(t, p, prog)
	run(t, x, 1)
	want(t, "n", all(t, p, "n", 2), 21, 21)
	put(t, p, "k", op.Shared, 0, 50)
	if err := x.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	want(t, "n after Put and Reset", all(t, p, "n", 2), 100, 100)
}

// A checkpoint is every State, read; written into a new pack it goes on where it stopped.
func TestResume(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		x, y := b.State("x", b.FillU(1), op.Cell), b.State("y", b.FillU(1), op.Cell)
		b.Next(x, y)
		b.Next(y, plus(b, x, y)) // Fibonacci
	})
	p := newPack(t, 1, 2, nil)
	run(t, start(t, p, prog), 9)
	q := newPack(t, 2, 2, nil)
	p2 := newPack(t, 1, 2, nil)
	run(t, start(t, p2, prog), 4)
	x := start(t, q, prog)
	for _, s := range prog.State {
		for c := range 2 {
			b := make([]byte, 4)
			if err := errors.Join(p2.Read(s.Name, c, b), q.Write(s.Name, c, b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, x, 5)
	want(t, "x of the resumed run", all(t, q, "x", 2), all(t, p, "x", 2)...)
	want(t, "x", all(t, p, "x", 2), 55, 55)
}

func TestCancelledRun(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		x := b.State("x", b.FillU(0), op.Cell)
		b.Next(x, x)
	})
	p := newPack(t, 2, 3, nil)
	x := start(t, p, prog)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := x.Run(ctx, 1<<30); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Run gives %v", err)
	}
}

func TestBadPacks(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Threads: -1}, {Variants: []string{"avx1024"}}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v): no error", o)
		}
	}
	for name, f := range map[string]func() error{
		"no cells":     func() error { _, err := e.NewPack(0, nil); return err },
		"short group":  func() error { _, err := e.NewPack(2, graph.Groups{op.Seed: {0}}); return err },
		"empty slot":   func() error { _, err := e.NewPack(2, graph.Groups{op.Seed: {0, 2}}); return err },
		"below zero":   func() error { _, err := e.NewPack(2, graph.Groups{op.Seed: {0, -1}}); return err },
		"cells' group": func() error { _, err := e.NewPack(2, graph.Groups{op.Cell: {0, 1}}); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	p := newPack(t, 1, 2, nil)
	put(t, p, "k", op.Shared, 0, 1)
	four := make([]byte, 4)
	uses := func(name string, typ op.Type) error {
		_, err := p.Compile(trace(t, func(b *graph.Builder) { b.Output("y", b.Input(name, typ)) }))
		return err
	}
	for name, err := range map[string]error{
		"another type": p.Put("k", op.T(op.F32, op.Shared), 0, four),
		"no slot":      p.Put("k", op.T(op.U32, op.Shared), 1, four),
		"no group":     p.Put("s", op.T(op.U32, op.Seed), 0, four),
		"short":        p.Put("k", op.T(op.U32, op.Shared), 0, four[:3]),
		"no array":     p.Read("q", 0, four),
		"no cell":      p.Read("k", 2, four),
		"long":         p.Write("k", 0, make([]byte, 5)),
		"unbound":      uses("q", op.T(op.U32, op.Shared)),
		"wrongly":      uses("k", op.T(op.U32, op.Cell)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// Data are canonicalised when they are bound.
func TestBoundNaNsAreCanonical(t *testing.T) {
	p := newPack(t, 1, 1, nil)
	b := []byte{1, 0, 0x80, 0xff} // a signalling NaN with a sign
	if err := p.Put("x", op.T(op.F32, op.Cell), 0, b); err != nil {
		t.Fatal(err)
	}
	if err := p.Read("x", 0, b); err != nil {
		t.Fatal(err)
	}
	want(t, "a bound NaN", b, 0, 0, 0xc0, 0x7f)
}

// Plan counts what Compile allocates.
func TestPlanCounts(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		x := b.State("x", b.Fill(0, 100), op.Cell)
		once := b.Do(op.Neg, b.Input("in", op.T(op.F32, op.Seed, 50)))
		y := b.Do(op.Add, b.Do(op.Exp, x), b.Do(op.Concat{}, once, once))
		b.Next(x, b.Do(op.Log, y))
		b.Output("y", y)
	})
	e, err := New(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	groups := graph.Groups{op.Seed: {0, 0, 1, 1, 2}}
	m, err := e.Plan([]*graph.Program{prog}, 5, groups)
	if err != nil {
		t.Fatal(err)
	}
	// Words by hand, in granules of 16: x and y 112 for each of 5 cells; in and its negative 64, the concat 112 for each of
	// 3 seeds; the zero 112; on two threads the sum and the log in scratch, exp in a buffer of the chain that the three make.
	tape := graph.Lower(prog, e.has)
	if tape.Scratch.Words != 224 || tape.Scratch.Peak != 224 || tape.Scratch.Sum != 336 {
		t.Errorf("scratch of %d words (peak %d, without sharing %d); want 224 (224, 336)", tape.Scratch.Words, tape.Scratch.Peak, tape.Scratch.Sum)
	}
	buffer := 112
	if !hasGo {
		buffer = 0 // a purego build has no chains: log takes the place of exp
	}
	// The buffer is there twice: for a chain of the thread's own, and for its part of another's.
	if by := int64(4 * (5*2*112 + 3*(64+64+112) + 112 + 2*(224+2*buffer))); m.Bytes != by {
		t.Errorf("plan of %d bytes; want %d", m.Bytes, by)
	}
}
