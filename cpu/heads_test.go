package cpu

import (
	"bytes"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// The shapes of attention: rows of projections [batch*tokens, heads*width].
const (
	batch, tokens, manyHeads, width = 5, 9, 3, 7
	allHeads                        = manyHeads * width
)

// apart turns rows of projections into [batch, head, token, width].
func apart(b *graph.Builder, x op.Value) op.Value {
	return b.Do(headsApart, b.Do(op.Reshape{To: op.S(batch, tokens, manyHeads, width)}, x))
}

// rowsAgain turns [batch, head, token, width] into rows of projections.
func rowsAgain(b *graph.Builder, x op.Value) op.Value {
	return b.Do(op.Reshape{To: op.S(batch*tokens, allHeads)}, b.Do(headsApart, x))
}

// rowsOf is a state of rows, so that what is made of it belongs to a step.
func rowsOf(b *graph.Builder, name string, d op.Domain) op.Value {
	x := b.State(name, b.Input(name+"0", op.T(op.F32, d, batch*tokens, allHeads)), d)
	b.Next(x, b.Do(op.Neg, x))
	return x
}

// TestHeads: transposes between the projections and the products of heads are no work where nobody else needs what they give; the bits are those
// of the ops one by one.
func TestHeads(t *testing.T) {
	needJoint(t)
	scores := func(b *graph.Builder, q, k op.Value) op.Value {
		return b.Do(op.MatMul{TB: true}, apart(b, q), apart(b, k))
	}
	tangents := func(b *graph.Builder, o op.MatMulJVP, x, y, dx, dy op.Value) op.Value { return b.Do(o, x, y, dx, dy) }
	for name, c := range map[string]struct {
		body func(b *graph.Builder)
		left int // transposes
	}{
		"attention": {func(b *graph.Builder) {
			q, k, v := rowsOf(b, "q", op.Cell), rowsOf(b, "k", op.Cell), rowsOf(b, "v", op.Cell)
			s := scores(b, q, k)
			b.Output("scores", s)
			b.Output("y", rowsAgain(b, b.Do(op.MatMul{}, b.Do(op.Softmax{}, s), apart(b, v))))
			b.Output("back", rowsAgain(b, b.Do(op.MatMul{TA: true}, s, apart(b, v))))
		}, 0},
		"tangents": {func(b *graph.Builder) {
			q, k, dq, dk := apart(b, rowsOf(b, "q", op.Model)), apart(b, rowsOf(b, "k", op.Model)), apart(b, rowsOf(b, "dq", op.Cell)), apart(b, rowsOf(b, "dk", op.Cell))
			s := tangents(b, op.MatMulJVP{TB: true}, q, k, dq, dk)
			b.Output("scores", s)
			p := b.Do(op.MatMul{TB: true}, q, k)
			b.Output("y", rowsAgain(b, tangents(b, op.MatMulJVP{}, p, k, s, dk)))
			b.Output("back", rowsAgain(b, tangents(b, op.MatMulJVP{TA: true}, p, q, s, dq)))
		}, 0},
		"duals": {func(b *graph.Builder) {
			q, k, dq, dk := apart(b, rowsOf(b, "q", op.Cell)), apart(b, rowsOf(b, "k", op.Cell)), apart(b, rowsOf(b, "dq", op.Cell)), apart(b, rowsOf(b, "dk", op.Cell))
			p := b.Emit(op.Dual[op.MatMul]{Of: op.MatMul{TB: true}, With: 3}, q, k, dq, dk)
			y := b.Emit(op.Dual[op.MatMul]{With: 3}, p[0], k, p[1], dk)
			b.Output("y", rowsAgain(b, y[0]))
			b.Output("dy", rowsAgain(b, y[1]))
		}, 0},
		"of one result of a dual": {func(b *graph.Builder) { // both go, or neither
			q, k, dq, dk := apart(b, rowsOf(b, "q", op.Cell)), apart(b, rowsOf(b, "k", op.Cell)), apart(b, rowsOf(b, "dq", op.Cell)), apart(b, rowsOf(b, "dk", op.Cell))
			y := b.Emit(op.Dual[op.MatMul]{Of: op.MatMul{TB: true}, With: 3}, q, k, dq, dk)
			b.Output("y", b.Do(op.Neg, b.Do(headsApart, y[0])))
			b.Output("dy", y[1])
		}, 1},
		"with klen": {func(b *graph.Builder) {
			q, k := rowsOf(b, "q", op.Cell), rowsOf(b, "k", op.Cell)
			b.Output("s", b.Do(op.MatMul{TB: true}, apart(b, q), apart(b, k), b.Input("n", op.T(op.U32, op.Cell))))
		}, 0},
		"an output": {func(b *graph.Builder) {
			q, k := apart(b, rowsOf(b, "q", op.Cell)), apart(b, rowsOf(b, "k", op.Cell))
			b.Output("all of q", q)
			b.Output("s", b.Do(op.MatMul{TB: true}, q, k))
		}, 1},
		"read by others": {func(b *graph.Builder) {
			q, k := apart(b, rowsOf(b, "q", op.Cell)), apart(b, rowsOf(b, "k", op.Cell))
			b.Output("e", b.Do(op.Sum{Axes: "2"}, q))
			b.Output("s", b.Do(op.MatMul{TB: true}, q, k))
		}, 1},
		"seen as something else": {func(b *graph.Builder) {
			q, k := apart(b, rowsOf(b, "q", op.Cell)), apart(b, rowsOf(b, "k", op.Cell))
			b.Output("e", b.Do(op.Exp, b.Do(op.Reshape{To: op.S(batch, manyHeads, tokens*width)}, q)))
			b.Output("s", b.Do(op.MatMul{TB: true}, q, k))
		}, 1},
		"without its tangent": {func(b *graph.Builder) {
			q, k, dk := apart(b, rowsOf(b, "q", op.Model)), apart(b, rowsOf(b, "k", op.Model)), apart(b, rowsOf(b, "dk", op.Cell))
			dq := b.Do(op.Reshape{To: op.S(batch, manyHeads, tokens, width)}, rowsOf(b, "dq", op.Cell)) // of no transpose
			b.Output("s", tangents(b, op.MatMulJVP{TB: true}, q, k, dq, dk))
		}, 1},
		"without its primal": {func(b *graph.Builder) {
			q, k, dq, dk := apart(b, rowsOf(b, "q", op.Model)), apart(b, rowsOf(b, "k", op.Model)), apart(b, rowsOf(b, "dq", op.Cell)), apart(b, rowsOf(b, "dk", op.Cell))
			b.Output("all of q", q)
			b.Output("s", tangents(b, op.MatMulJVP{TB: true}, q, k, dq, dk))
		}, 2},
		"both transposed": {func(b *graph.Builder) {
			q, k, dq, dk := apart(b, rowsOf(b, "q", op.Model)), apart(b, rowsOf(b, "k", op.Model)), apart(b, rowsOf(b, "dq", op.Cell)), apart(b, rowsOf(b, "dk", op.Cell))
			b.Output("s", b.Do(op.MatMul{TA: true}, q, k))
			b.Output("ds", tangents(b, op.MatMulJVP{TA: true}, q, k, dq, dk))
		}, 0},
		"between two products": {func(b *graph.Builder) { // an operand's transpose goes; so the result of the other stays as it is
			q, k := rowsOf(b, "q", op.Cell), rowsOf(b, "k", op.Cell)
			y := b.Do(op.MatMul{}, scores(b, q, k), apart(b, k)) // [batch, head, token, width]
			z := b.Do(headsApart, y)
			b.Output("y", b.Do(op.MatMul{TB: true}, z, z))
		}, 0},
		"of no term": {func(b *graph.Builder) {
			x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, 2, 3, 2, 0)), op.Cell)
			b.Next(x, x)
			b.Output("y", b.Do(headsApart, b.Do(op.MatMul{TB: true}, x, x)))
			b.Output("dy", b.Do(headsApart, b.Do(op.MatMulJVP{TB: true}, x, x, x, x)))
		}, 2},
		"a result read twice": {func(b *graph.Builder) {
			q, k := rowsOf(b, "q", op.Cell), rowsOf(b, "k", op.Cell)
			y := b.Do(op.MatMul{}, scores(b, q, k), apart(b, k))
			b.Output("y", rowsAgain(b, y))
			b.Output("whole", b.Do(op.Sum{Axes: "0,1,2,3"}, y))
		}, 1},
		"of one matrix": {func(b *graph.Builder) { // an operand of two axes has no heads
			q := rowsOf(b, "q", op.Cell)
			b.Output("y", b.Do(op.MatMul{}, apart(b, q), b.Input("w", op.T(op.F32, op.Cell, width, 4))))
		}, 1},
	} {
		prog := trace(t, c.body)
		l := engine(t, 1).layOut(prog, trainedSlots(t))
		left := 0
		for _, n := range l.t.Step {
			if n.Op == headsApart {
				left++
			}
		}
		if left != c.left {
			t.Errorf("%s: %d transposes are left; want %d", name, left, c.left)
		}
		want := trained(t, prog, Options{NoFuse: true, Variants: []string{Law}}, 2)
		for _, variants := range [][]string{nil, {"avx2", "go", Law}} {
			for _, threads := range []int{1, 3} {
				if got := trained(t, prog, Options{Threads: threads, Variants: variants}, 2); !bytes.Equal(got, want) {
					t.Errorf("%s, variants %v, %d threads: %d of %d bytes differ from the laws'", name, variants, threads, different(got, want), len(want))
				}
			}
		}
	}
}

// TestHeadsLaw: the op is its product between transposes.
func TestHeadsLaw(t *testing.T) {
	a, b := op.New(op.T(op.F32, op.Cell, 2, 3, 4, 5)), op.New(op.T(op.F32, op.Cell, 2, 3, 4, 5))
	for i := range a.W {
		a.SetF(i, float32(i%7)-3)
		b.SetF(i, float32(i%5)-2)
	}
	h := heads[op.MatMul]{op.MatMul{TB: true}, 3, true}
	types, err := h.Shape([]op.Type{a.Type, b.Type})
	if err != nil || types[0].Shape != op.S(2, 3, 4, 3) {
		t.Fatalf("%v, %v; want [2, 3, 4, 3]", types, err)
	}
	got := op.New(types[0])
	h.Law([]op.Tensor{got}, []op.Tensor{a, b})
	for e := range 2 {
		for i := range 3 {
			for head := range 4 {
				for j := range 3 {
					sum := float32(0)
					for k := range 5 {
						sum += a.F()[((e*3+i)*4+head)*5+k] * b.F()[((e*3+j)*4+head)*5+k]
					}
					if g := got.F()[((e*3+i)*4+head)*3+j]; g != sum {
						t.Errorf("[%d, %d, %d, %d] is %v; want %v", e, i, head, j, g, sum)
					}
				}
			}
		}
	}
}
