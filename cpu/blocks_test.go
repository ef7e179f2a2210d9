package cpu

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// Blocks are cut where that keeps threads busy, and no further; the largest come first; no cell is lost, and none changes its group.
func TestBalance(t *testing.T) {
	groups := func(sizes ...int) (blocks [][]int) {
		n := 0
		for _, s := range sizes {
			var b []int
			for range s {
				b, n = append(b, n), n+1
			}
			blocks = append(blocks, b)
		}
		return blocks
	}
	for _, c := range []struct {
		sizes   []int
		threads int
		shared  float64
		want    []int // sizes
	}{
		{[]int{9, 9, 9}, 1, 0.5, []int{9, 9, 9}},
		{[]int{9, 9, 9}, 2, 0.5, []int{9, 9, 5, 4}},
		{[]int{32}, 1, 0, []int{32}},
		{[]int{16, 16}, 2, 0.5, []int{16, 16}},
		{[]int{3, 3, 3}, 4, 0.5, []int{3, 3, 3}}, // nine cells on four threads: one has three all the same
		{[]int{8}, 4, 0.1, []int{2, 2, 2, 2}},
		{[]int{2}, 2, 100, []int{2}}, // reading what they share twice would take longer
		{[]int{1, 5}, 1, 0, []int{5, 1}},
	} {
		work := func(b []int) float64 { return float64(len(b)) + c.shared }
		got := balance(groups(c.sizes...), work, c.threads)
		var sizes, cells []int
		for _, b := range got {
			sizes, cells = append(sizes, len(b)), append(cells, b...)
			for _, g := range groups(c.sizes...) {
				if slices.Contains(g, b[0]) != slices.Contains(g, b[len(b)-1]) {
					t.Errorf("%v: block %v is of two groups", c.sizes, b)
				}
			}
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("%v on %d threads: %v; want %v", c.sizes, c.threads, sizes, c.want)
		}
		slices.Sort(cells)
		if all := slices.Concat(groups(c.sizes...)...); !slices.Equal(cells, all) {
			t.Errorf("%v: cells %v", c.sizes, cells)
		}
	}
}

// needJoint skips a test where no op works for several cells at once.
func needJoint(t *testing.T) {
	t.Helper()
	if len(joints) == 0 {
		optest.Absent(t, "avx2")
	}
}

// Cells of one group lie side by side by their lengths, whatever klen is: an input, a view of one, or what is computed once; and they
// are sorted again when it changes.
func TestBlocksAreSortedByLength(t *testing.T) {
	needJoint(t)
	for name, klen := range map[string]func(b *graph.Builder, k op.Value) op.Value{
		"input": func(b *graph.Builder, k op.Value) op.Value {
			return b.Input("other", op.T(op.U32, op.Cell))
		},
		"view": func(b *graph.Builder, k op.Value) op.Value {
			return b.Do(op.Reshape{To: op.S()}, b.Do(op.Slice{Axis: 0, Start: 1, Len: 1}, k))
		},
		"once": func(b *graph.Builder, k op.Value) op.Value {
			two := b.Do(op.Slice{Axis: 0, Start: 1, Len: 1}, k)
			return b.Do(op.Reshape{To: op.S()}, b.Do(op.IAdd{}, two, b.Do(op.Slice{Axis: 0, Start: 0, Len: 1}, b.Do(op.Iota{N: 2}))))
		},
	} {
		prog := trace(t, func(b *graph.Builder) {
			z := b.State("z", b.Fill(1, 1, 8), op.Cell)
			k := b.Input("k", op.T(op.U32, op.Cell, 2))
			b.Next(z, b.Do(op.MatMul{}, z, b.Input("p", op.T(op.F32, op.Seed, 8, 8)), klen(b, k)))
		})
		p := newPack(t, 1, 6, graph.Groups{op.Seed: {0, 1, 0, 1, 0, 0}})
		bind := func(lengths ...byte) {
			for c, n := range lengths {
				if err := p.Put("k", op.T(op.U32, op.Cell, 2), c, []byte{byte(c), 0, 0, 0, n, 0, 0, 0}); err != nil {
					t.Fatal(err)
				}
				put(t, p, "other", op.Cell, c, n)
			}
		}
		for seed := range 2 {
			if err := p.Put("p", op.T(op.F32, op.Seed, 8, 8), seed, make([]byte, 256)); err != nil {
				t.Fatal(err)
			}
		}
		bind(5, 1, 3, 0, 4, 2)
		x := start(t, p, prog)
		run(t, x, 1)
		if got := fmt.Sprint(x.(*exec).blocks()); got != "[[5 2 4 0] [3 1]]" {
			t.Errorf("klen from %s: blocks %s", name, got)
		}
		bind(1, 1, 2, 2, 3, 4)
		run(t, x, 1)
		if got := fmt.Sprint(x.(*exec).blocks()); got != "[[0 2 4 5] [1 3]]" {
			t.Errorf("klen from %s, after Put: blocks %s", name, got)
		}
	}
}

// The work of a cell is that of a step beside its joint products, and of these in proportion to its length; each block reads what its
// cells share.
func TestWorkOfCells(t *testing.T) {
	needJoint(t)
	prog := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.Fill(1, 1, 10), op.Cell)
		y := b.Do(op.MatMul{}, z, b.Input("p", op.T(op.F32, op.Seed, 10, 300)), b.Input("k", op.T(op.U32, op.Cell))) // 3,000 multiply-adds
		x := b.Do(op.MatMul{TB: true}, y, y)                                                                         // 300
		b.Next(z, b.Do(op.Broadcast{To: op.S(1, 10)}, x))
	})
	p := newPack(t, 1, 2, graph.Groups{op.Seed: {0, 0}})
	if err := p.Put("p", op.T(op.F32, op.Seed, 10, 300), 0, make([]byte, 12000)); err != nil {
		t.Fatal(err)
	}
	put(t, p, "k", op.Cell, 0, 5)
	put(t, p, "k", op.Cell, 1, 10)
	x := start(t, p, prog).(*exec)
	w := x.workOf([]int{0, 1}, [][]int{x.lengths(0), x.lengths(1)})
	if w.shared != 2*3000 || w.own[0] != 300+1500 || w.own[1] != 300+3000 || w.block([]int{0, 1}) != 6000+1800+3300 {
		t.Errorf("%+v; want 6000 shared, 1800 and 3300", w)
	}
}

// A once node whose result is an output runs once, though every Run writes outputs.
func TestOnceRunsOnce(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		b.Output("y", plus(b, b.Input("k", op.T(op.U32, op.Cell)), b.FillU(1)))
		n := b.State("n", b.FillU(0), op.Cell)
		b.Next(n, plus(b, n, b.FillU(1)))
	})
	p := newPack(t, 1, 2, nil)
	put(t, p, "k", op.Cell, 0, 1)
	put(t, p, "k", op.Cell, 1, 1)
	x := start(t, p, prog).(*exec)
	runs := 0
	for i := range x.once {
		k := x.once[i].kernel
		x.once[i].kernel = func(w *workspace, out, in []op.Tensor) {
			runs++
			k(w, out, in)
		}
	}
	for range 3 {
		if err := x.Run(context.Background(), 2); err != nil {
			t.Fatal(err)
		}
	}
	if runs != 0 {
		t.Errorf("once nodes ran %d times more after Reset", runs)
	}
	put(t, p, "k", op.Cell, 1, 7)
	run(t, x, 1)
	if runs == 0 {
		t.Error("once nodes did not run after Put")
	}
	want(t, "y", all(t, p, "y", 2), 2, 8)
}

// Plans count the later chunks of a row of many columns.
func TestPlanOfWideRows(t *testing.T) {
	for _, tb := range []bool{false, true} {
		const k, n = 1025, 50000
		shape := []int{k, n}
		if tb {
			shape = []int{n, k}
		}
		prog := trace(t, func(b *graph.Builder) {
			z := b.State("z", b.Fill(1, 1, k), op.Cell)
			b.Next(z, b.Do(op.Neg, z))
			b.Output("y", b.Do(op.MatMul{TB: tb}, z, b.Input("p", op.T(op.F32, op.Shared, shape...))))
		})
		p := newPack(t, 1, 1, nil)
		if err := p.Put("p", op.T(op.F32, op.Shared, shape...), 0, make([]byte, 4*k*n)); err != nil {
			t.Fatal(err)
		}
		run(t, start(t, p, prog), 1) // outgrown panics, see TestMain
	}
}
