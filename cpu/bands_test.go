package cpu

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// narrowBands has bands touch at most so many bytes, until what it returns is called.
func narrowBands(bytes int) (restore func()) {
	near, whole, far := nearBand, nearWhole, farRows
	nearBand, nearWhole, farRows = bytes, 1<<30, bytes
	return func() { nearBand, nearWhole, farRows = near, whole, far }
}

// TestRowwise: in every case of the conformance tables that an op's rule says to go by rows, the op's law on bands gives the bits of its law on all rows.
func TestRowwise(t *testing.T) {
	ran := map[string]int{}
	ops := slices.Clone(op.All)
	for _, o := range op.All {
		if d, is := o.(op.Dualer); is {
			if of := d.Dual(1); of != nil {
				ops = append(ops, of)
			}
		}
	}
	for _, o := range ops {
		for _, c := range optest.Cases(o, 1) {
			out, err := c.Op.Shape(c.In)
			if err != nil || c.Words() > 1<<15 {
				continue
			}
			for _, count := range []int{2, 3, 4, 8, 16, 128} {
				band, by := bandIn(c.Op, c.In, out, count)
				if band == nil {
					continue
				}
				want, err := c.Want(nil)
				if err != nil {
					continue
				}
				ran[o.Name()]++
				checkRows(t, c, band, by, count, want)
			}
		}
	}
	for kind := range rowRules {
		at := slices.IndexFunc(op.All, func(o op.Op) bool { return reflect.TypeOf(o) == kind })
		if at < 0 || ran[op.All[at].Name()] == 0 {
			t.Errorf("no case of %s went by rows", kind)
		}
	}
	if ran["add"] == 0 || ran["dualsoftmax"] == 0 {
		t.Errorf("no pointwise op, or no dual, went by rows: %v", ran)
	}
}

// bandIn asks the rule, as foldBands does.
func bandIn(o op.Op, in, out []op.Type, count int) (band op.Op, by uint32) {
	f := &bander{layout: &layout{t: &graph.Tape{P: &graph.Program{Types: slices.Concat(make([]op.Type, 1), in, out)}}}}
	n := op.Node{Op: o}
	for i := range in {
		n.In = append(n.In, op.Value(1+i))
	}
	for i := range out {
		n.Out = append(n.Out, op.Value(1+len(in)+i))
	}
	band, by, ok := f.goes(n, count)
	if !ok {
		return nil, 0
	}
	return band, by
}

// checkRows runs the law of a band on each band.
func checkRows(t *testing.T, c *optest.Case, band op.Op, by uint32, count int, want []op.Tensor) {
	t.Helper()
	of := func(x op.Tensor, at int) op.Tensor {
		ty, _ := bandType(x.Type, count)
		n := ty.Words()
		return op.Tensor{Type: ty, W: x.W[at*n : (at+1)*n]}
	}
	for at := range count {
		var in, out []op.Tensor
		for i, x := range c.Draw(0) {
			if by>>i&1 == 1 {
				x = of(x, at)
			}
			in = append(in, x)
		}
		for _, y := range want {
			ty, _ := bandType(y.Type, count)
			out = append(out, op.New(ty))
		}
		band.Law(out, in)
		for i := range out {
			if !slices.Equal(out[i].W, of(want[i], at).W) {
				t.Fatalf("%s: result %d of band %d of %d is not what the law makes of all rows", c, i, at, count)
			}
		}
	}
}

// bandsOf are those that a program has in the end.
func bandsOf(e *Engine, p *graph.Program, slots *graph.Slots) (all []*bands) {
	for _, n := range e.layOut(p, slots).t.Step {
		if b, is := n.Op.(*bands); is {
			all = append(all, b)
		}
	}
	return all
}

// TestBandsOfRandomPrograms: random programs whose batches go in the smallest bands, and in others, have the bits of the laws, with threads that help and
// without.
func TestBandsOfRandomPrograms(t *testing.T) {
	needJoint(t)
	defer cutSmall()()
	programs, banded := 300, 0
	if testing.Short() {
		programs = 100
	}
	r := rand.New(rand.NewPCG(4, 7))
	for i := range programs {
		restore := narrowBands([]int{0, 64, 200, 1000}[i%4])
		x, err := optest.NewRandom(entropy(r, 16+r.IntN(400)))
		if err != nil {
			t.Fatal(err)
		}
		for _, threads := range []int{1, 7} {
			e, err := New(Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			slots, err := slotsOf(x.Cells, x.Groups)
			if err != nil {
				t.Fatal(err)
			}
			if len(bandsOf(e, x.Program, slots)) > 0 {
				banded++
			}
			if err := x.Check(e); err != nil {
				t.Fatalf("program %d, %d threads: %v", i, threads, err)
			}
		}
		restore()
	}
	if banded < programs/2 { // of both numbers of threads
		t.Errorf("%d of %d programs had bands", banded/2, programs)
	} else {
		t.Logf("%d of %d programs had bands", banded/2, programs)
	}
}

// rowsAndMore is a step of a network of two layers and attention on a batch of 24 examples of 4 positions: the parameters become what the gradients make
// of them.
func rowsAndMore(t *testing.T) *graph.Program {
	const examples, positions, width, heads = 24, 4, 16, 2
	return trace(t, func(b *graph.Builder) {
		x := b.Input("x", op.T(op.F32, op.Shared, examples*positions, width))
		w := b.State("w", b.Input("w0", op.T(op.F32, op.Cell, width, width)), op.Cell)
		bias := b.Input("bias", op.T(op.F32, op.Cell, width))
		h := b.Do(op.Tanh, b.Do(op.Add, b.Do(op.MatMul{}, x, w), b.Do(op.Broadcast{To: op.S(examples*positions, width)}, bias)))
		q := b.Do(op.Transpose{Perm: "0,2,1,3"}, b.Do(op.Reshape{To: op.S(examples, positions, heads, width/heads)}, h))
		s := b.Do(op.Softmax{}, b.Do(op.MatMul{TB: true}, q, q))
		o := b.Do(op.Reshape{To: op.S(examples*positions, width)}, b.Do(op.Transpose{Perm: "0,2,1,3"}, b.Do(op.MatMul{}, s, q)))
		y := b.Do(op.LayerNorm{Eps: op.B(1e-5)}, o)
		last := b.Do(op.Slice{Axis: 1, Start: positions - 1, Len: 1}, b.Do(op.Reshape{To: op.S(examples, positions, width)}, y))
		b.Output("last", last)
		loss := b.Do(op.Sum{Axes: "0,1"}, b.Do(op.Mul, y, y))
		b.Output("loss", loss)
		g := b.Gradient(loss, w)
		b.Next(w, b.Do(op.Sub, w, g[0]))
	})
}

// TestAwkwardBands: operands that are read by rows and whole, by one node or by two, or that the rows make and a product reads whole; parts of an operand's and
// of a result's rows, which in a band of one row are where these lie; a result that is one; and a product whose rows are too few for a kernel with its tangent.
func TestAwkwardBands(t *testing.T) {
	needJoint(t)
	const n = 24
	sum := func(b *graph.Builder, x op.Value) op.Value { return b.Do(op.Sum{Axes: "0"}, x) }
	programs := map[string]func(b *graph.Builder, x, w op.Value){
		"by rows and whole": func(b *graph.Builder, x, w op.Value) {
			b.Output("a", sum(b, b.Do(op.Tanh, b.Do(op.MatMul{}, x, x))))
		},
		"whole, and then by rows": func(b *graph.Builder, x, w op.Value) {
			b.Output("a", sum(b, b.Do(op.Exp, b.Do(op.MatMul{}, b.Do(op.Tanh, b.Do(op.Mul, w, w)), x))))
			b.Output("b", sum(b, b.Do(op.Exp, b.Do(op.Add, x, w))))
		},
		"by rows, and then whole": func(b *graph.Builder, x, w op.Value) {
			y := b.Do(op.Exp, b.Do(op.Add, x, w))
			b.Output("a", sum(b, b.Do(op.Exp, b.Do(op.MatMul{}, y, x))))
		},
		"made by rows, and read whole": func(b *graph.Builder, x, w op.Value) {
			y := b.Do(op.Tanh, x)
			b.Output("a", sum(b, b.Do(op.Exp, b.Do(op.MatMul{}, b.Do(op.Mul, y, w), y))))
		},
		"parts": func(b *graph.Builder, x, w op.Value) {
			y := b.Do(op.Exp, b.Do(op.Slice{Axis: 1, Start: 5, Len: 16}, x))
			b.Output("a", b.Do(op.Slice{Axis: 1, Start: 3, Len: 8}, b.Do(op.Mul, y, y)))
			b.Output("b", b.Do(op.Slice{Axis: 1, Start: 2, Len: 4}, x))
			b.Output("c", sum(b, y))
		},
		"few rows": func(b *graph.Builder, x, w op.Value) {
			dx, dw := b.Do(op.Tanh, x), b.Input("dw", op.T(op.F32, op.Cell, n, n))
			y := b.Do(op.MatMul{}, b.Do(op.Exp, x), w)
			both := b.Emit(op.Dual[op.MatMul]{With: 3}, b.Do(op.Exp, x), w, dx, dw)
			b.Output("a", sum(b, b.Do(op.Mul, b.Do(op.Mul, both[0], both[1]), y)))
			b.Output("b", b.Do(op.Neg, y))
			b.Output("y", y)
		},
	}
	for name, f := range programs {
		p := trace(t, func(b *graph.Builder) {
			x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, n, n)), op.Cell)
			f(b, x, b.Input("w", op.T(op.F32, op.Cell, n, n)))
			b.Next(x, b.Do(op.Neg, x))
		})
		want := trained(t, p, Options{Threads: 1, NoFuse: true}, 3)
		for _, near := range []int{0, 2000, 5000} {
			func() {
				defer narrowBands(near)()
				if len(bandsOf(must(New(Options{Threads: 1})), p, trainedSlots(t))) == 0 {
					t.Errorf("%s: no bands of %d bytes", name, near)
				}
				if got := trained(t, p, Options{Threads: 1}, 3); !bytes.Equal(got, want) {
					t.Errorf("%s: in bands of %d bytes %d of %d bytes differ", name, near, different(got, want), len(want))
				}
			}()
		}
	}
}

// TestBandsOfTwoDomains: rows of a model and rows of its cells go in bands of their own; those of the cells, found first, read what those of the model leave,
// and what the rest of the step reads of either it may read by way of a view.
func TestBandsOfTwoDomains(t *testing.T) {
	needJoint(t)
	const examples, positions, width = 24, 4, 16
	p := trace(t, func(b *graph.Builder) {
		x := b.Input("x", op.T(op.F32, op.Shared, examples*positions, width))
		w := b.State("w", b.Input("w0", op.T(op.F32, op.Model, width, width)), op.Model)
		v := b.State("v", b.Input("v0", op.T(op.F32, op.Cell, width)), op.Cell)
		whole := b.Do(op.MatMul{}, x, w)
		h := b.Do(op.Reshape{To: op.S(examples, positions, width)}, b.Do(op.Tanh, b.Do(op.Exp, whole)))
		both := b.Do(op.Mul, h, b.Do(op.Broadcast{To: op.S(examples, positions, width)}, v))
		flat := b.Do(op.Reshape{To: op.S(examples*positions, width)}, b.Do(op.Exp, b.Do(op.Softmax{}, both)))
		sum := b.Do(op.Reshape{To: op.S(width)}, b.Do(op.Sum{Axes: "0"}, flat))
		b.Next(v, b.Do(op.Log, sum)) // of a sum this large, tanh would be 1 whatever its terms were
		b.Next(w, b.Do(op.Tanh, b.Do(op.MatMul{TA: true}, b.Do(op.Reshape{To: op.S(examples*positions, width)}, h), whole)))
		b.Output("flat", flat)
	})
	want := trained(t, p, Options{Threads: 1, NoFuse: true}, 3)
	for _, near := range []int{0, 4 << 10, 8 << 10} {
		func() {
			defer narrowBands(near)()
			if n := len(bandsOf(must(New(Options{Threads: 1})), p, trainedSlots(t))); n != 2 {
				t.Errorf("%d nodes of bands of %d bytes; want two", n, near)
			}
			for _, k := range kernelsOf(t, p) {
				if k.Op == "bands" || k.Variant == "" {
					t.Errorf("a kernel is told to be %+v", k)
				}
			}
			for _, threads := range []int{1, 3} {
				if got := trained(t, p, Options{Threads: threads}, 3); !bytes.Equal(got, want) {
					t.Errorf("bands of %d bytes, %d threads: %d of %d bytes differ", near, threads, different(got, want), len(want))
				}
			}
		}()
	}
}

// kernelsOf are those that run a program on a pack of zeros.
func kernelsOf(t *testing.T, p *graph.Program) []graph.KernelInfo {
	t.Helper()
	pack := must(must(New(Options{Threads: 1})).NewPack(trainedCells, trainedGroups))
	defer pack.Close()
	for _, in := range p.In {
		ty := p.Types[in.V]
		for slot := range must(trainedSlots(t).Count(ty.Domain)) {
			if err := pack.Put(in.Name, ty, slot, make([]byte, 4*ty.Words())); err != nil {
				t.Fatal(err)
			}
		}
	}
	x := must(pack.Compile(p))
	defer x.Close()
	return x.Kernels()
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// TestBands: what goes by rows is one node that leaves what the products and sums over the batch read, and no more; in as many bands as keep near, and as
// threads want; and what runs is what the laws say, in the scratch that is planned for it.
func TestBands(t *testing.T) {
	needJoint(t)
	p := rowsAndMore(t)
	slots := trainedSlots(t)
	lay := func(near, threads int) []*bands {
		defer narrowBands(near)()
		e, err := New(Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		return bandsOf(e, p, slots)
	}
	if b := lay(1<<20, 1); len(b) != 0 {
		t.Errorf("there are %d bands where all stays near", len(b))
	}
	some := lay(12<<10, 1)
	if len(some) != 1 {
		t.Fatalf("there are %d nodes of bands; want 1", len(some))
	}
	b := some[0]
	if b.count < 2 || b.count > 12 {
		t.Errorf("the rows go in %d bands; want some", b.count)
	}
	var left []string
	for _, v := range b.out {
		left = append(left, b.types[v].Shape.String())
	}
	// the last position's rows, what is summed, and the cotangent of the product's results; X itself is read where it lies
	if want := []string{"[24,1,16]", "[96,16]", "[96,16]"}; !slices.Equal(slices.Sorted(slices.Values(left)), want) {
		t.Errorf("the bands leave %v; want %v", left, want)
	}
	if all := lay(0, 1); all[0].count != 24 {
		t.Errorf("in the smallest bands the rows go in %d; want 24, an example each", all[0].count)
	}
	func() { // where every thread has a cell, few rows go one op after the other
		defer narrowBands(12 << 10)()
		farRows = 1 << 20
		for threads, want := range map[int]int{1: 0, trainedCells: 0, trainedCells + 1: 1} {
			if n := len(bandsOf(must(New(Options{Threads: threads})), p, slots)); n != want {
				t.Errorf("%d nodes of bands for %d cells on %d threads; want %d", n, trainedCells, threads, want)
			}
		}
	}()
	if more := lay(12<<10, 2*trainedCells*b.count); more[0].count <= b.count {
		t.Errorf("for many threads the rows go in %d bands; want more than %d", more[0].count, b.count)
	}
	func() {
		defer narrowBands(12 << 10)()
		nearWhole = 100
		e, _ := New(Options{})
		if n := len(bandsOf(e, p, slots)); n != 0 {
			t.Errorf("there are %d bands though each would fetch the weights again", n)
		}
	}()

	func() { // of a table of which rows are taken, a band reads its own: it may be as large as it likes
		defer narrowBands(1000)()
		nearWhole = 100
		taken := trace(t, func(b *graph.Builder) {
			s := b.State("s", b.Input("s0", op.T(op.F32, op.Cell, 96, 16)), op.Cell)
			first := b.Do(op.ArgMax{Axis: 1}, s) // an index that the bands make
			x := b.Do(op.Gather{}, b.Input("table", op.T(op.F32, op.Shared, 1000, 16)), b.Do(op.Reshape{To: op.S(96)}, first))
			b.Output("sum", b.Do(op.Sum{Axes: "0"}, b.Do(op.Exp, b.Do(op.Mul, b.Do(op.Tanh, s), x))))
			b.Next(s, b.Do(op.Neg, s))
		})
		if n := len(bandsOf(must(New(Options{Threads: 1})), taken, slots)); n != 1 {
			t.Errorf("there are %d nodes of bands that take rows of a table; want one", n)
		}
	}()

	r := rand.New(rand.NewPCG(5, 5))
	for i, near := range []int{0, 4 << 10, 12 << 10, 30 << 10} {
		b := lay(near, 1)[0]
		in := make([]op.Type, len(b.in))
		for k, v := range b.in {
			in[k] = b.types[v]
		}
		checkGuarded(t, r, i, b, in, b.run)
		w := newWorkspace(2 * scratches[reflect.TypeOf(b)](b, in, 1))
		b.place(w)
		checkGuarded(t, r, i, b, in, func(_ *workspace, out, in []op.Tensor) { // again, elsewhere in a workspace whose memory others use by now
			fill(w.buf[:len(w.buf)/2], 0xdeadbeef)
			w.used = len(w.buf) / 2 / 16 * 16
			b.run(w, out, in)
			if slices.ContainsFunc(w.buf[:len(w.buf)/2], func(x uint32) bool { return x != 0xdeadbeef }) {
				t.Errorf("bands of %d bytes were computed in memory that others use", near)
			}
		})
	}

	want := trained(t, p, Options{Threads: 1, NoFuse: true}, 3)
	for _, near := range []int{0, 4 << 10, 30 << 10, 1 << 20} {
		for _, threads := range []int{1, 2, 9} {
			func() {
				defer narrowBands(near)()
				defer cutSmall()()
				if got := trained(t, p, Options{Threads: threads}, 3); !bytes.Equal(got, want) {
					t.Errorf("bands of %d bytes, %d threads: %d of %d bytes differ", near, threads, different(got, want), len(want))
				}
			}()
		}
	}
}

// TestNoBands: what rows would make slower stays as it is: a number of rows that has no fitting divisor, and steps whose rows are the elements of vectors or
// are only read point by point, which are chains and updates.
func TestNoBands(t *testing.T) {
	needJoint(t)
	network := func(rows int) *graph.Program {
		return trace(t, func(b *graph.Builder) {
			x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, rows, 256)), op.Cell)
			w := b.Input("w", op.T(op.F32, op.Cell, 256, 256))
			h := x
			for range 3 {
				h = b.Do(op.Tanh, b.Do(op.MatMul{}, b.Do(op.Tanh, h), w))
			}
			b.Next(x, h)
		})
	}
	adam := func(dims ...int) *graph.Program {
		return trace(t, func(b *graph.Builder) {
			state := func(name string) op.Value {
				return b.State(name, b.Input(name+"0", op.T(op.F32, op.Cell, dims...)), op.Cell)
			}
			z, m, v := state("z"), state("m"), state("v")
			g := b.Do(op.Tanh, z)
			m2 := b.Do(op.Add, m, g)
			v2 := b.Do(op.Add, v, b.Do(op.Mul, g, g))
			b.Next(m, m2)
			b.Next(v, v2)
			b.Next(z, b.Do(op.Sub, z, b.Do(op.Div, m2, b.Do(op.Sqrt, v2))))
		})
	}
	for _, c := range []struct {
		what    string
		p       *graph.Program
		threads int
		count   int // of bands; 0: none
	}{
		{"1440 rows", network(1440), 7, 3},
		{"1440 rows and many threads", network(1440), 1000, 18},
		{"a prime number of rows", network(1439), 7, 0},
		{"twice a prime number of rows", network(1438), 7, 2},
		{"a vector", adam(1 << 21), 7, 0},
		{"a matrix, point by point", adam(1<<13, 1<<8), 7, 0},
	} {
		e := must(New(Options{Threads: c.threads}))
		got := 0
		for _, b := range bandsOf(e, c.p, trainedSlots(t)) {
			got += b.count
		}
		if got != c.count {
			t.Errorf("%s: %d bands; want %d", c.what, got, c.count)
		}
		if c.count == 0 && len(c.p.State) > 1 && len(e.layOut(c.p, trainedSlots(t)).updates) == 0 {
			t.Errorf("%s: no update", c.what)
		}
	}
}
