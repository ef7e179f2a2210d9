package cpu

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// chains are programs of which a step is (mostly) one chain; each has what a chain can hold: rows and columns and numbers that are
// spread, constants, views, results that leave the chain, small nodes that do not hang on it.
var chains = map[string]func(b *graph.Builder, x, row, column, number op.Value) []op.Value{
	"row": func(b *graph.Builder, x, row, _, _ op.Value) []op.Value {
		return []op.Value{b.Do(op.Relu, b.Do(op.Add, x, spread(b, row, x)))}
	},
	"column": func(b *graph.Builder, x, _, column, _ op.Value) []op.Value {
		return []op.Value{b.Do(op.Neg, b.Do(op.Div, x, spread(b, column, x)))}
	},
	"all": func(b *graph.Builder, x, row, column, number op.Value) []op.Value {
		y := b.Do(op.Mul, spread(b, column, x), b.Do(op.Add, x, spread(b, row, x)))
		small := b.Do(op.Add, number, number) // goes before the chain
		z := b.Do(op.Sub, y, spread(b, small, x))
		flat := b.Do(op.Reshape{To: op.S(b.Type(z).Len())}, z)
		return []op.Value{b.Do(op.Max, flat, b.Fill(0.25, b.Type(z).Len())), y}
	},
	"constants": func(b *graph.Builder, x, _, _, number op.Value) []op.Value {
		half := b.Fill(0.5, b.Type(x).At(0), b.Type(x).At(1))
		c := b.Do(op.Gt, x, half)
		return []op.Value{b.Do(op.Select{}, c, b.Do(op.Mul, half, x), spread(b, number, x)), half}
	},
	"grains": func(b *graph.Builder, x, row, column, _ op.Value) []op.Value { // of 37 and 41: together they are longer than a part
		y := b.Do(op.Add, x, spread(b, row, x))
		turned := b.Do(op.Reshape{To: op.S(b.Type(x).At(1), b.Type(x).At(0))}, y)
		flat := b.Do(op.Reshape{To: op.S(b.Type(column).Len())}, column)
		return []op.Value{b.Do(op.Mul, turned, spread(b, flat, turned)), y}
	},
	"a constant that is spread to as many": func(b *graph.Builder, x, _, _, _ op.Value) []op.Value { // first the one, then the other
		rows, columns := b.Type(x).At(0), b.Type(x).At(1)
		half := b.Fill(0.5, rows, columns)
		cube := b.Do(op.Reshape{To: op.S(1, rows, columns)}, x)
		return []op.Value{b.Do(op.Neg, b.Do(op.Add, cube, spread(b, half, cube))), b.Do(op.Neg, b.Do(op.Mul, x, half))}
	},
	"with tangents": func(b *graph.Builder, x, row, _, _ op.Value) []op.Value { // two results of a node: one stays inside, both do, none does
		dx := b.Do(op.Add, x, spread(b, row, x))
		tanh := b.Emit(op.DualMap[op.Unary]{Of: op.Tanh, With: 1}, x, dx)
		sigmoid := b.Emit(op.DualMap[op.Sigmoid]{With: 1}, tanh[0], tanh[1])
		gelu := b.Emit(op.DualMap[op.Gelu]{With: 1}, sigmoid[0], b.Do(op.Mul, sigmoid[1], sigmoid[0]))
		return []op.Value{gelu[0], gelu[1], tanh[1]}
	},
	"from inside": func(b *graph.Builder, x, _, _, _ op.Value) []op.Value { // a broadcast of a result waits for the chain
		y := b.Do(op.Mul, x, x)
		s := b.Do(op.Sum{Axes: op.List(0)}, y)
		return []op.Value{b.Do(op.Sub, y, spread(b, s, x)), b.Do(op.Neg, y)}
	},
}

func spread(b *graph.Builder, v, like op.Value) op.Value {
	return b.Do(op.Broadcast{To: b.Type(like).Shape}, v)
}

// trainedCells are cells of which some share a seed, some a model, some both; none shares a slot of the group alone.
const trainedCells, alone = 4, op.Domain("alone")

var trainedGroups = graph.Groups{op.Seed: {0, 1, 0, 0}, op.Model: {0, 0, 0, 1}, alone: {3, 1, 0, 2}}

// trained runs a program on a pack of such cells and gives all that it leaves.
func trained(t *testing.T, prog *graph.Program, o Options, steps int) []byte {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	const cells = trainedCells
	p, err := e.NewPack(cells, trainedGroups)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, in := range prog.In {
		ty := prog.Types[in.V]
		slots := map[op.Domain]int{op.Cell: cells, op.Seed: 2, op.Model: 2, op.Shared: 1, alone: cells}[ty.Domain]
		for slot := range slots {
			words := make([]uint32, ty.Words())
			for i := range words {
				if ty.DType == op.F32 {
					words[i] = math.Float32bits(float32(r.NormFloat64()))
				} else {
					words[i] = r.Uint32N(uint32(slot) + 8)
				}
			}
			src := make([]byte, 4*len(words))
			op.PutBytes(src, words)
			if err := p.Put(in.Name, ty, slot, src); err != nil {
				t.Fatal(err)
			}
		}
	}
	x, err := p.Compile(prog)
	if err == nil {
		err = x.Reset(context.Background())
	}
	for range steps {
		if err == nil {
			err = x.Run(context.Background(), 1)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	read := func(name string, ty op.Type) {
		for c := range cells {
			b := make([]byte, 4*ty.Words())
			if err := p.Read(name, c, b); err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
	}
	for _, s := range prog.State {
		read(s.Name, prog.Types[s.In])
	}
	for _, o := range prog.Out {
		read(o.Name, prog.OutType(o))
	}
	return all
}

// A chain has the bits of its nodes, whatever its size: of no part, of less than a part, of parts with a rest.
func TestChains(t *testing.T) {
	if !hasGo {
		t.Skip("SKIPPED: a purego build has no chains")
	}
	for name, body := range chains {
		for _, s := range [][2]int{{0, 40}, {1, 40}, {5, 7}, {128, 64}, {103, 10}, {33, 100}, {37, 41}, {3, 1023}, {3, 1024}, {3, 1025}} {
			t.Run(fmt.Sprintf("%s/%dx%d", name, s[0], s[1]), func(t *testing.T) {
				prog := trace(t, func(b *graph.Builder) {
					x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, s[0], s[1])), op.Cell)
					row := b.State("row", b.Input("row0", op.T(op.F32, op.Cell, s[1])), op.Cell)
					column := b.State("column", b.Input("column0", op.T(op.F32, op.Cell, s[0], 1)), op.Cell)
					number := b.State("number", b.Fill(0.75), op.Cell)
					b.Next(row, row)
					b.Next(column, column)
					b.Next(number, b.Do(op.Neg, number))
					out := body(b, x, row, column, number)
					b.Next(x, b.Do(op.Reshape{To: op.S(s[0], s[1])}, out[0]))
					for i, v := range out[1:] {
						b.OutputOver(fmt.Sprint("out", i), v, op.Cell)
					}
				})
				got, want := trained(t, prog, Options{Threads: 2}, 3), trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 3)
				if !bytes.Equal(got, want) {
					t.Errorf("%d of %d bytes differ from the laws'", different(got, want), len(want))
				}
				if one := trained(t, prog, Options{Threads: 1, NoFuse: true}, 3); !bytes.Equal(one, want) {
					t.Errorf("without fusion, %d of %d bytes differ from the laws'", different(one, want), len(want))
				}
			})
		}
	}
}

func different(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// A product with a matrix that cells share runs for all of them at once, with the bits of each alone: there and back, with chains of
// different lengths, in blocks that a thread count cuts, with cells that end early; by each family alone, and none but that.
func TestJoint(t *testing.T) {
	ran := 0
	for _, family := range Variants() {
		if joints[reflect.TypeFor[op.MatMul]()][family] == nil {
			continue
		}
		ran++
		t.Run(family, func(t *testing.T) {
			for _, ragged := range []bool{false, true} {
				for _, transposed := range []bool{false, true} {
					jointAgrees(t, family, ragged, transposed)
				}
			}
		})
	}
	if ran == 0 {
		optest.Absent(t, "avx2")
	}
}

func jointAgrees(t *testing.T, family string, ragged, transposed bool) {
	const k, n = 37, 300
	prog := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.Input("z0", op.T(op.F32, op.Cell, 1, k)), op.Cell)
		count := b.State("count", b.FillU(0), op.Cell)
		b.Next(count, b.Do(op.IAdd{}, count, b.FillU(1)))
		b.Active(b.Do(op.Lt, count, b.Input("steps", op.T(op.U32, op.Cell))))
		p := b.Input("p", op.T(op.F32, op.Seed, k, n))
		q := p
		if transposed {
			q = b.Input("q", op.T(op.F32, op.Seed, n, k))
		}
		in := []op.Value{z, q}
		if ragged {
			in = append(in, b.Input("len", op.T(op.U32, op.Cell)))
		}
		y := b.Do(op.Tanh, b.Do(op.MatMul{TB: transposed}, in...))
		g := b.Do(op.MatMul{TB: true}, y, p)
		b.Next(z, b.Do(op.Sub, z, b.Do(op.Mul, g, b.Fill(0.01, 1, k))))
		b.Output("y", y)
	})
	want := trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 9)
	variants := []string{family, "go", Law}
	for threads := range 3 {
		if got := trained(t, prog, Options{Threads: threads + 1, Variants: variants}, 9); !bytes.Equal(got, want) {
			t.Errorf("ragged %v, transposed %v, %d threads: %d of %d bytes differ from the laws'", ragged, transposed, threads+1, different(got, want), len(want))
		}
	}
	l := engine(t, 1, variants...).layOut(prog, trainedSlots(t))
	if len(l.phases) != 3 {
		t.Fatalf("%d phases; want 3: the product, what lies between, the product back", len(l.phases))
	}
	for _, p := range l.phases[:2] {
		if p.joint.variant != family {
			t.Errorf("the joint product is by %q, which is not allowed; want %q", p.joint.variant, family)
		}
	}
}

// A result without elements that hangs on a chain is no view of it.
func TestEmptyResultAfterChain(t *testing.T) {
	prog := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.Input("z0", op.T(op.F32, op.Cell, 1, 40)), op.Cell)
		next := b.Do(op.Neg, b.Do(op.Exp, z))
		b.Output("none", b.Do(op.MatMul{TB: true}, next, b.Input("p", op.T(op.F32, op.Shared, 0, 40))))
		b.Next(z, b.Do(op.Neg, next))
	})
	got, want := trained(t, prog, Options{Threads: 2}, 3), trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 3)
	if !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes differ from the laws'", different(got, want), len(want))
	}
}

// Cells are in one block only if they share what every joint node reads: here a basis of the seed and one of the model. The length of a
// chain may be computed in the step.
func TestJointOfTwoGroups(t *testing.T) {
	if len(joints) == 0 {
		optest.Absent(t, "avx2")
	}
	const k, n = 20, 200
	prog := trace(t, func(b *graph.Builder) {
		z := b.State("z", b.Input("z0", op.T(op.F32, op.Cell, 1, k)), op.Cell)
		count := b.State("count", b.FillU(0), op.Cell)
		b.Next(count, b.Do(op.IAdd{}, count, b.FillU(1)))
		y := b.Do(op.MatMul{}, z, b.Input("p", op.T(op.F32, op.Seed, k, n)), b.Input("len", op.T(op.U32, op.Cell)))
		x := b.Do(op.MatMul{TB: true}, b.Do(op.Tanh, y), b.Input("q", op.T(op.F32, op.Model, k, n)), b.Do(op.IAdd{}, count, count))
		b.Next(z, b.Do(op.Sub, z, b.Do(op.Mul, x, b.Fill(0.01, 1, k))))
	})
	want := trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, 5)
	for threads := range 2 {
		if got := trained(t, prog, Options{Threads: threads + 1}, 5); !bytes.Equal(got, want) {
			t.Errorf("%d threads: %d of %d bytes differ from the laws'", threads+1, different(got, want), len(want))
		}
	}
}

// A chain that ends a step and makes Nexts writes them into their states, unless something would see them too early: then it is a
// chain like others. Bits are those of the laws either way; cells that end keep their State.
func TestUpdates(t *testing.T) {
	if !hasGo {
		t.Skip("SKIPPED: a purego build has no chains")
	}
	const n = 1500
	type values struct{ x, y, small op.Value }
	for name, c := range map[string]struct {
		updates int
		body    func(b *graph.Builder, v values)
	}{
		"two states": {1, func(b *graph.Builder, v values) {
			y := b.Do(op.Add, b.Do(op.Neg, v.x), v.y)
			b.Next(v.y, y)
			b.Next(v.x, b.Do(op.Mul, y, v.x))
		}},
		"an output shows the state as it was": {1, func(b *graph.Builder, v values) {
			b.Output("was", v.x)
			b.Next(v.y, v.y)
			b.Next(v.x, b.Do(op.Mul, b.Do(op.Neg, v.x), v.y))
		}},
		"it reads another state": {1, func(b *graph.Builder, v values) {
			b.Next(v.y, v.y)
			b.Next(v.x, b.Do(op.Mul, b.Do(op.Neg, v.x), b.Do(op.Broadcast{To: op.S(n)}, v.small)))
		}},
		"the state is read after its Next is made": {0, func(b *graph.Builder, v values) {
			x := b.Do(op.Mul, v.x, v.y)
			b.Next(v.y, b.Do(op.Add, v.x, b.Do(op.Neg, x)))
			b.Next(v.x, x)
		}},
		"a state becomes another one": {0, func(b *graph.Builder, v values) {
			b.Next(v.y, v.x)
			b.Next(v.x, b.Do(op.Mul, b.Do(op.Neg, v.x), v.y))
		}},
		"two states become one value": {0, func(b *graph.Builder, v values) {
			x := b.Do(op.Mul, b.Do(op.Neg, v.x), v.y)
			b.Next(v.y, x)
			b.Next(v.x, x)
		}},
		"an output shows the Next": {0, func(b *graph.Builder, v values) {
			x := b.Do(op.Mul, b.Do(op.Neg, v.x), v.y)
			b.Next(v.y, v.y)
			b.Next(v.x, x)
			b.Output("next", x)
		}},
		"a later update reads the state": {1, func(b *graph.Builder, v values) {
			b.Next(v.y, v.y)
			b.Next(v.x, b.Do(op.Mul, b.Do(op.Neg, v.x), v.y))
			w := b.State("w", b.Fill(1, n, 2), op.Cell)
			column := b.Do(op.Broadcast{To: op.S(n, 2)}, b.Do(op.Reshape{To: op.S(n, 1)}, v.x))
			b.Next(w, b.Do(op.Mul, b.Do(op.Neg, w), column))
		}},
		"a later op reads the state": {0, func(b *graph.Builder, v values) {
			x := b.Do(op.Mul, b.Do(op.Neg, v.x), v.y)
			b.Next(v.y, v.y)
			b.Next(v.x, x)
			b.Output("sum", b.Do(op.Sum{Axes: op.List(0)}, b.Do(op.Concat{}, v.x, v.x)))
		}},
		"a number of the state is spread over it": {0, func(b *graph.Builder, v values) {
			b.Next(v.y, v.y)
			b.Next(v.x, b.Do(op.Mul, b.Do(op.Neg, v.x), b.Do(op.Broadcast{To: op.S(n)}, b.Do(op.Slice{Len: 1}, v.x))))
		}},
		"a row is put where a state says that takes one itself": {1, func(b *graph.Builder, v values) {
			w, at := b.State("w", b.Fill(1, n, 2), op.Cell), b.State("at", b.FillU(3, 4, 1), op.Cell)
			b.Next(w, b.Do(op.PutRow{}, w, b.Do(op.Broadcast{To: op.S(1, 2)}, v.small), b.Do(op.Reshape{To: op.S()}, b.Do(op.Slice{Start: 1, Len: 1}, at))))
			b.Next(at, b.Do(op.PutRow{}, at, b.FillU(9, 1, 1), b.FillU(1)))
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
		}},
		"a row is put into a state, which others read before": {1, func(b *graph.Builder, v values) {
			w := b.State("w", b.Fill(1, n, 2), op.Cell)
			b.Next(w, b.Do(op.PutRow{}, w, b.Do(op.Broadcast{To: op.S(1, 2)}, v.small), b.FillU(7)))
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
			b.Output("sum", b.Do(op.Sum{Axes: op.List(0)}, w))
		}},
		"a row beyond the end": {1, func(b *graph.Builder, v values) {
			w := b.State("w", b.Fill(1, n, 2), op.Cell)
			b.Next(w, b.Do(op.PutRow{}, w, b.Do(op.Broadcast{To: op.S(1, 2)}, v.small), b.FillU(n)))
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
		}},
		"the row is a state, and one that changes": {0, func(b *graph.Builder, v values) {
			w, r := b.State("w", b.Fill(1, n, 2), op.Cell), b.State("r", b.Fill(3, 1, 2), op.Cell)
			b.Next(r, b.Do(op.Neg, r))
			b.Next(w, b.Do(op.PutRow{}, w, r, b.FillU(7)))
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
		}},
		"an output shows the state with the row": {0, func(b *graph.Builder, v values) {
			w := b.State("w", b.Fill(1, n, 2), op.Cell)
			next := b.Do(op.PutRow{}, w, b.Do(op.Broadcast{To: op.S(1, 2)}, v.small), b.FillU(7))
			b.Next(w, next)
			b.Output("next", next)
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
		}},
		"a state takes rows, and another becomes it": {0, func(b *graph.Builder, v values) {
			w, u := b.State("w", b.Fill(1, n, 2), op.Cell), b.State("u", b.Fill(1, n, 2), op.Cell)
			b.Next(w, b.Do(op.PutRow{}, w, b.Do(op.Broadcast{To: op.S(1, 2)}, v.small), b.FillU(7)))
			b.Next(u, w)
			b.Next(v.y, v.y)
			b.Next(v.x, v.x)
		}},
	} {
		prog := trace(t, func(b *graph.Builder) {
			state := func(name string, d ...int) op.Value {
				return b.State(name, b.Input(name+"0", op.T(op.F32, op.Cell, d...)), op.Cell)
			}
			v := values{state("x", n), state("y", n), state("small")}
			b.Next(v.small, b.Do(op.Neg, v.small))
			count := b.State("count", b.FillU(0), op.Cell)
			b.Next(count, b.Do(op.IAdd{}, count, b.FillU(1)))
			b.Active(b.Do(op.Lt, count, b.Input("steps", op.T(op.U32, op.Cell))))
			c.body(b, v)
		})
		if l := engine(t, 1).layOut(prog, trainedSlots(t)); len(l.updates) != c.updates {
			t.Errorf("%s: %d updates; want %d", name, len(l.updates), c.updates)
		}
		for _, steps := range []int{1, 2, 9} { // after the last ones the cells have stopped
			got, want := trained(t, prog, Options{Threads: 2}, steps), trained(t, prog, Options{Threads: 1, Variants: []string{Law}}, steps)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d steps: %d of %d bytes differ from the laws'", name, steps, different(got, want), len(want))
			}
		}
	}
}
