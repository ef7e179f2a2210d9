package cpu

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/graph"
	"lockstep/op"
)

// crewed are the workspaces of a crew of which all but the first have no cell.
func crewed(threads int) []*workspace {
	crew := newCrew(threads)
	crew.busy.Store(1)
	spaces := make([]*workspace, threads)
	for i := range spaces {
		spaces[i] = &workspace{crew: crew, member: i}
	}
	for _, w := range spaces {
		w.spaces = spaces
	}
	return spaces
}

// cutSmall has all work cut into as many parts as there can be, until what it returns is called.
func cutSmall() (restore func()) {
	splitting, calling := worthSplitting, worthCalling
	worthSplitting, worthCalling = 1, 1
	return func() { worthSplitting, worthCalling = splitting, calling }
}

// TestCutSums: products that add something, cut among threads into portions as small as they go, of one row too, which has kernels of its own, and of few terms at a time.
func TestCutSums(t *testing.T) {
	needJoint(t)
	defer cutSmall()()
	r := rand.New(rand.NewPCG(8, 3))
	for i := range 60 {
		m, k, n := 8+r.IntN(60), 1+r.IntN(40), 1+r.IntN(140)
		o := op.MatMul{TA: r.IntN(3) == 0, TB: r.IntN(3) == 0}
		if i%6 == 0 { // whose terms go a few at a time
			m, k, n, o = 16+r.IntN(50), 200+r.IntN(900), 16+r.IntN(50), op.MatMul{TA: true}
		}
		kind, ofRow := r.IntN(3), r.IntN(2) == 0
		prog := trace(t, func(b *graph.Builder) {
			state := func(name string, dims ...int) op.Value {
				s := b.State(name, b.Input(name+"0", op.T(op.F32, op.Cell, dims...)), op.Cell)
				b.Next(s, s)
				return s
			}
			x, dx := state("x", sided(o.TA, m, k)...), state("dx", sided(o.TA, m, k)...)
			w, dw := state("w", sided(o.TB, k, n)...), state("dw", sided(o.TB, k, n)...)
			summand := func(name string) op.Value {
				if ofRow {
					return b.Do(op.Broadcast{To: op.S(m, n)}, state(name, n))
				}
				return state(name, m, n)
			}
			switch kind {
			case 0:
				b.Output("y", b.Do(op.Add, b.Do(o, x, w), summand("r")))
			case 1:
				b.Output("y", b.Do(op.Add, b.Do(op.MatMulJVP(o), x, w, dx, dw), summand("r")))
			case 2:
				y := b.Emit(op.Dual[op.MatMul]{Of: o, With: 3}, x, w, dx, dw)
				b.Output("y", b.Do(op.Add, y[0], summand("r")))
				b.Output("dy", b.Do(op.Add, summand("s"), y[1]))
			}
		})
		want := trained(t, prog, Options{Threads: 1, NoFuse: true}, 1)
		for _, families := range [][]string{nil, {"avx2", "go", Law}} {
			for _, threads := range []int{5, 12} {
				if got := trained(t, prog, Options{Threads: threads, Variants: families}, 1); !bytes.Equal(got, want) {
					t.Errorf("%d: %+v of kind %d, %dx%dx%d, of a row %v, %v, %d threads: %d of %d bytes differ", i, o, kind, m, k, n, ofRow, families, threads, different(got, want), len(want))
				}
			}
		}
	}
}

// Threads that have no cell help with the large products of the others: the bits are those of one thread.
func TestSpareThreads(t *testing.T) {
	const m, k, n = 150, 1100, 170
	prog := trace(t, func(b *graph.Builder) {
		x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, m, k)), op.Cell)
		y := b.Do(op.MatMul{}, x, b.Input("y", op.T(op.F32, op.Cell, k, n)))
		b.Next(x, b.Do(op.MatMul{TB: true}, y, b.Input("z", op.T(op.F32, op.Cell, k, n))))
		b.Output("out", y)
	})
	one := trained(t, prog, Options{Threads: 1}, 2)
	for _, threads := range []int{2, 4, 7, 40} { // of three cells
		if got := trained(t, prog, Options{Threads: threads}, 2); !bytes.Equal(got, one) {
			t.Errorf("%d threads: %d of %d bytes differ from one thread's", threads, different(got, one), len(one))
		}
	}
	spaces := crewed(3)
	var mu sync.Mutex
	var parts [][2]int
	cover := func(n, step, work int) (all []int) {
		parts = nil
		spaces[0].split(n, step, work, func(w *workspace, from, to int) {
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, [2]int{from, to})
			w.split(n, step, work, func(same *workspace, again, end int) {
				if same != w || again != 0 || end != n {
					t.Errorf("a part is cut again, into %d to %d", again, end)
				}
			})
		})
		slices.SortFunc(parts, func(a, b [2]int) int { return a[0] - b[0] })
		for _, p := range parts {
			all = append(all, p[0], p[1])
		}
		return all
	}
	for _, c := range []struct {
		n, step, work int
		want          []int
	}{
		{100, 16, 1, []int{0, 100}},                                  // not worth it
		{100, 16, 3 * worthSplitting, []int{0, 32, 32, 64, 64, 100}}, // 7 panels
		{100, 16, 2 * worthSplitting, []int{0, 48, 48, 100}},
		{100, 1, 99 * worthSplitting, []int{0, 16, 16, 33, 33, 50, 50, 66, 66, 83, 83, 100}}, // two parts for each of three
		{20, 16, 9 * worthSplitting, []int{0, 16, 16, 20}},                                   // no more parts than panels
		{16, 16, 9 * worthSplitting, []int{0, 16}},
	} {
		if got := cover(c.n, c.step, c.work); !slices.Equal(got, c.want) {
			t.Errorf("%d columns by %d, work %d: parts %v; want %v", c.n, c.step, c.work, got, c.want)
		}
	}
}

// attention is a step of a small attention network: the loss's gradient, and its Hessian times the gradient, by which a state moves. Most kinds of
// kernels that are cut are among its kernels; the conformance tests and guard bands cut each of them.
func attention(b *graph.Builder) {
	const rows, positions, heads, width = 9, 5, 2, 18 // rows enough for a product to be cut by them
	do := b.Do
	x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, rows*positions, heads*width)), op.Cell)
	var parts []op.Value
	normed := do(op.LayerNorm{Eps: op.B(1e-5)}, x)
	for _, name := range []string{"q", "k", "v"} {
		w := b.Input(name, op.T(op.F32, op.Cell, heads*width, heads*width))
		y := do(op.Add, do(op.MatMul{}, normed, w), spread(b, b.Input(name+".bias", op.T(op.F32, op.Cell, heads*width)), normed))
		y = do(op.Reshape{To: op.S(rows, positions, heads, width)}, y)
		parts = append(parts, do(op.Transpose{Perm: "0,2,1,3"}, y))
	}
	p := do(op.Softmax{}, do(op.MatMul{TB: true}, parts[0], parts[1]))
	y := do(op.Transpose{Perm: "0,2,1,3"}, do(op.MatMul{}, p, parts[2]))
	y = do(op.Tanh, do(op.Reshape{To: op.S(rows*positions, heads*width)}, y))
	labels := b.Input("labels", op.T(op.U32, op.Cell, rows*positions, 1))
	loss := do(op.Reshape{}, do(op.Sum{Axes: "0"}, do(op.Xent{}, y, labels)))
	g := b.Gradient(loss, x)
	b.Output("loss", loss)
	b.Output("product", b.HVP(loss, []op.Value{x}, g)[0])
	b.Next(x, do(op.Sub, x, g[0]))
}

// Whoever computes the parts of a cell's kernels, the bits are those of one thread: with more threads than cells, with fewer, and with some that
// find no cell left.
func TestCutKernels(t *testing.T) {
	prog := trace(t, attention)
	one := trained(t, prog, Options{Threads: 1}, 3)
	law := trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 3)
	if !bytes.Equal(one, law) {
		t.Fatalf("%d of %d bytes differ from the laws'", different(one, law), len(one))
	}
	defer cutSmall()()
	for range 5 {
		for _, threads := range []int{2, 3, 5, 8} { // of four cells
			for _, noFuse := range []bool{false, true} {
				if got := trained(t, prog, Options{Threads: threads, NoFuse: noFuse}, 3); !bytes.Equal(got, one) {
					t.Errorf("%d threads, fused %v: %d of %d bytes differ from one thread's", threads, !noFuse, different(got, one), len(one))
				}
			}
		}
	}
}

// Every part is run once, by a member that has nothing else to do, however the members come and go.
func TestCrew(t *testing.T) {
	for _, threads := range []int{2, 3, 9} {
		c := newCrew(threads)
		at := make([]atomic.Int32, threads) // parts that a member is at
		for round := range 200 {
			cells, parts := 1+round%7, 1+round%5
			var ran [7 * 5]atomic.Int32
			run := func(member, i int) {
				if n := at[member].Add(1); n != 1 {
					t.Errorf("member %d is at %d parts at once", member, n)
				}
				ran[i].Add(1)
				at[member].Add(-1)
			}
			takers := min(threads, cells, 1+round%3)
			c.each(cells, takers, func(member, cell int) {
				if member >= takers {
					t.Errorf("member %d has a cell; %d may", member, takers)
				}
				c.kernels[member].offer(parts, threads, func(other, part int) { run(other, cell*5+part) })
				c.callSome(threads - 1)
				c.kernels[member].finish(member, parts, func() bool { return false })
			})
			for i := range cells {
				for k := range parts {
					if n := ran[i*5+k].Load(); n != 1 {
						t.Fatalf("%d threads, %d cells: part %d of cell %d ran %d times", threads, cells, k, i, n)
					}
				}
			}
			if n := c.busy.Load(); n != 0 {
				t.Fatalf("%d members are at work on no cell", n)
			}
		}
		for m := range c.here { // they go when nothing comes
			for since := time.Now(); c.here[m].Load(); time.Sleep(time.Millisecond) {
				if time.Since(since) > 20*time.Second {
					t.Fatalf("member %d stays", m)
				}
			}
		}
	}
}

// onZeros is a program on a pack of cells whose inputs are +0, at its beginning.
func onZeros(t *testing.T, e *Engine, prog *graph.Program, cells int) graph.Executable {
	t.Helper()
	p, err := e.NewPack(cells, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range prog.In {
		for c := range cells {
			if err := p.Put(in.Name, prog.Types[in.V], c, make([]byte, 4*prog.Types[in.V].Words())); err != nil {
				t.Fatal(err)
			}
		}
	}
	x, err := p.Compile(prog)
	if err == nil {
		err = x.Reset(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); p.Close() })
	return x
}

// A member that still looks out after a run takes no cell of the next one, if that has fewer workers.
func TestWhoHasNoWorkerTakesNoCell(t *testing.T) {
	c, ran := newCrew(4), 0
	c.cells.offer(3, 2, func(_, _ int) { ran++ })
	for _, member := range []int{2, 3} {
		if c.help(member) || c.waits(member) {
			t.Errorf("member %d, of whom none has a worker, has a cell", member)
		}
	}
	if !c.waits(1) || !c.help(1) || !c.help(0) || !c.help(1) || c.help(0) || c.waits(1) || ran != 3 {
		t.Errorf("of three cells those with a worker take %d", ran)
	}
}

// Packs of many cells and of one take turns on an engine, and run side by side: nobody takes a cell for which there is no worker.
func TestPacksInTurn(t *testing.T) {
	defer cutSmall()()
	prog := trace(t, attention)
	e := engine(t, 8)
	many, few := onZeros(t, e, prog, 16), onZeros(t, e, prog, 1)
	var wg sync.WaitGroup
	for range 300 {
		for _, x := range []graph.Executable{many, few} {
			if err := x.Run(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range []graph.Executable{many, few} {
		wg.Go(func() {
			for range 100 {
				if err := x.Run(t.Context(), 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, c := range e.crews.free {
		if c.cells.run != nil {
			t.Error("a crew that is free holds on to a pack")
		}
	}
}

// All threads that have no cell come when there is work for them.
func TestWhoHasNoCellComes(t *testing.T) {
	const threads, cells = 5, 2
	c := newCrew(threads)
	var came [threads]atomic.Bool
	var at atomic.Int32
	c.each(cells, cells, func(member, _ int) {
		at.Add(1)
		for at.Load() < cells { // both have one
		}
		for since := time.Now(); !(came[2].Load() && came[3].Load() && came[4].Load()); {
			c.kernels[member].offer(threads, threads, func(other, _ int) { came[other].Store(true) })
			c.callSome(c.free())
			time.Sleep(50 * time.Microsecond)
			c.kernels[member].finish(member, threads, func() bool { return false })
			if time.Since(since) > 20*time.Second {
				t.Error("not all that have no cell come")
				return
			}
		}
	})
}

// A chain's constants and spread rows are there for each member that runs a part of it.
func TestCutChainsWithConstants(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		const rows, columns = 640, 48
		x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, rows, columns)), op.Cell)
		y := b.Do(op.Mul, x, b.Fill(0.75, rows, columns))
		y = b.Do(op.Add, y, spread(b, b.Input("row", op.T(op.F32, op.Cell, columns)), x))
		y = b.Do(op.Sub, y, spread(b, b.Input("column", op.T(op.F32, op.Cell, rows, 1)), x))
		b.Next(x, b.Do(op.Tanh, y))
	})
	one := trained(t, prog, Options{Threads: 1}, 3)
	defer cutSmall()()
	for range 20 {
		for _, threads := range []int{5, 8} { // of four cells
			if got := trained(t, prog, Options{Threads: threads}, 3); !bytes.Equal(got, one) {
				t.Fatalf("%d threads: %d of %d bytes differ from one thread's", threads, different(got, one), len(one))
			}
		}
	}
}

// A run that is stopped leaves nobody at work, and the next one is whole.
func TestStoppedCrew(t *testing.T) {
	defer cutSmall()()
	prog := trace(t, attention)
	for range 20 {
		e := engine(t, 4)
		x := onZeros(t, e, prog, 1)
		ctx, stop := context.WithCancel(t.Context())
		go stop()
		if err := x.Run(ctx, 1<<20); err != context.Canceled {
			t.Fatalf("a stopped run: error %v", err)
		}
		if err := x.Run(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if n := len(e.crews.free); n != 1 {
			t.Fatalf("%d crews are free after the runs; want the one that both had", n)
		}
	}
}
