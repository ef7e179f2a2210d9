package cpu

import (
	"bytes"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// TestSums: what is added to a product, and to nothing else, the product adds itself; the bits are those of the ops one by one.
func TestSums(t *testing.T) {
	needJoint(t)
	const m, k, n = 19, 11, 37
	state := func(b *graph.Builder, name string, d op.Domain, dims ...int) op.Value {
		x := b.State(name, b.Input(name+"0", op.T(op.F32, d, dims...)), d)
		b.Next(x, b.Do(op.Neg, x))
		return x
	}
	x := func(b *graph.Builder) op.Value { return state(b, "x", op.Cell, m, k) }
	w := func(b *graph.Builder, name string) op.Value { return state(b, name, op.Cell, k, n) }
	row := func(b *graph.Builder, name string, d op.Domain) op.Value {
		return b.Do(op.Broadcast{To: op.S(m, n)}, state(b, name, d, n))
	}
	for name, c := range map[string]struct {
		body func(b *graph.Builder)
		left int // sums
	}{
		"a bias": {func(b *graph.Builder) {
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, x(b), w(b, "w")), row(b, "r", op.Cell)))
		}, 0},
		"before the product": {func(b *graph.Builder) {
			b.Output("y", b.Do(op.Add, row(b, "r", op.Model), b.Do(op.MatMul{}, x(b), w(b, "w"))))
		}, 0},
		"a bias that inputs give": {func(b *graph.Builder) {
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, x(b), w(b, "w")), b.Do(op.Broadcast{To: op.S(m, n)}, b.Input("r", op.T(op.F32, op.Cell, n)))))
		}, 0},
		"three products": {func(b *graph.Builder) {
			y := b.Do(op.Add, b.Do(op.MatMul{}, x(b), w(b, "w")), b.Do(op.MatMul{TA: true}, state(b, "u", op.Cell, k, m), w(b, "v")))
			b.Output("y", b.Do(op.Add, y, b.Do(op.MatMul{TB: true}, state(b, "p", op.Cell, m, 5), state(b, "q", op.Cell, n, 5))))
		}, 0},
		"tangents": {func(b *graph.Builder) {
			y := b.Do(op.MatMulJVP{}, state(b, "x", op.Model, m, k), state(b, "w", op.Model, k, n), state(b, "dx", op.Cell, m, k), w(b, "dw"))
			b.Output("y", b.Do(op.Add, y, row(b, "r", op.Cell)))
		}, 0},
		"a dual": {func(b *graph.Builder) {
			y := b.Emit(op.Dual[op.MatMul]{With: 3}, x(b), w(b, "w"), state(b, "dx", op.Cell, m, k), w(b, "dw"))
			r, dr := row(b, "r", op.Cell), row(b, "dr", op.Cell)
			b.Output("y", b.Do(op.Add, y[0], r))
			b.Output("dy", b.Do(op.Add, dr, y[1]))
		}, 0},
		"one result of a dual": {func(b *graph.Builder) {
			r := state(b, "r", op.Cell, n)
			y := b.Emit(op.Dual[op.MatMul]{With: 3}, x(b), w(b, "w"), state(b, "dx", op.Cell, m, k), w(b, "dw"))
			b.Output("y", b.Do(op.Add, y[0], b.Do(op.Broadcast{To: op.S(m, n)}, r)))
			b.Output("dy", y[1])
		}, 1},
		"a row and a whole to the results of a dual": {func(b *graph.Builder) {
			r, whole := state(b, "r", op.Cell, n), state(b, "s", op.Cell, m, n)
			y := b.Emit(op.Dual[op.MatMul]{With: 3}, x(b), w(b, "w"), state(b, "dx", op.Cell, m, k), w(b, "dw"))
			b.Output("y", b.Do(op.Add, y[0], b.Do(op.Broadcast{To: op.S(m, n)}, r)))
			b.Output("dy", b.Do(op.Add, y[1], whole))
		}, 2},
		"read twice": {func(b *graph.Builder) {
			y := b.Do(op.MatMul{}, x(b), w(b, "w"))
			b.Output("y", b.Do(op.Add, y, row(b, "r", op.Cell)))
			b.Output("z", b.Do(op.Exp, y))
		}, 1},
		"to itself": {func(b *graph.Builder) {
			y := b.Do(op.MatMul{}, x(b), w(b, "w"))
			b.Output("y", b.Do(op.Add, y, y))
		}, 1},
		"an output": {func(b *graph.Builder) {
			y := b.Do(op.MatMul{}, x(b), w(b, "w"))
			b.Output("y", y)
			b.Output("z", b.Do(op.Add, y, row(b, "r", op.Cell)))
		}, 1},
		"something made later": {func(b *graph.Builder) {
			y := b.Do(op.MatMul{}, x(b), w(b, "w"))
			b.Output("y", b.Do(op.Add, y, b.Do(op.Exp, state(b, "late", op.Cell, m, n))))
		}, 1},
		"of more cells": {func(b *graph.Builder) { // the product is computed once for a model
			s := state(b, "s", op.Cell, m, n)
			y := b.Do(op.MatMul{}, state(b, "x", op.Model, m, k), state(b, "w", op.Model, k, n))
			b.Output("y", b.Do(op.Add, y, s))
		}, 1},
		"by a matrix that cells share": {func(b *graph.Builder) { // they are multiplied together
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, x(b), state(b, "w", op.Model, k, n)), row(b, "r", op.Cell)))
		}, 1},
		"a column": {func(b *graph.Builder) {
			c := b.Do(op.Broadcast{To: op.S(m, n)}, state(b, "c", op.Cell, m, 1))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, x(b), w(b, "w")), c))
		}, 0}, // as a whole
		"few rows": {func(b *graph.Builder) {
			r := b.Do(op.Broadcast{To: op.S(3, n)}, state(b, "r", op.Cell, n))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, 3, k), w(b, "w")), r))
		}, 1},
		"two chunks": {func(b *graph.Builder) {
			r := b.Do(op.Broadcast{To: op.S(m, n)}, state(b, "r", op.Cell, n))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, m, op.Chunk+1), state(b, "w", op.Cell, op.Chunk+1, n)), r))
		}, 1},
		"with klen": {func(b *graph.Builder) {
			r := b.Do(op.Broadcast{To: op.S(m, n)}, state(b, "r", op.Cell, n))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, x(b), w(b, "w"), b.Input("len", op.T(op.U32, op.Cell))), r))
		}, 1},
		"of a batch by one matrix": {func(b *graph.Builder) {
			r := b.Do(op.Broadcast{To: op.S(4, 5, n)}, state(b, "r", op.Cell, n))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, 4, 5, k), w(b, "w")), r))
		}, 0},
		"of a batch": {func(b *graph.Builder) {
			r := b.Do(op.Broadcast{To: op.S(2, m, n)}, state(b, "r", op.Cell, n))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, 2, m, k), state(b, "w", op.Cell, 2, k, n)), r))
		}, 1},
		"many columns": {func(b *graph.Builder) { // cut by columns
			r := b.Do(op.Broadcast{To: op.S(64, 401)}, state(b, "r", op.Cell, 401))
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, 64, 100), state(b, "w", op.Cell, 100, 401)), r))
		}, 0},
		"many rows": {func(b *graph.Builder) { // cut by rows
			s := state(b, "s", op.Cell, 900, 40)
			b.Output("y", b.Do(op.Add, b.Do(op.MatMul{}, state(b, "x", op.Cell, 900, 70), state(b, "w", op.Cell, 70, 40)), s))
		}, 0},
	} {
		prog := trace(t, c.body)
		left := 0
		for _, n := range engine(t, 1).layOut(prog, trainedSlots(t)).t.Step {
			if n.Op == op.Add {
				left++
			}
		}
		if left != c.left {
			t.Errorf("%s: %d sums are left; want %d", name, left, c.left)
		}
		want := trained(t, prog, Options{NoFuse: true, Variants: []string{Law}}, 2)
		for _, variants := range [][]string{nil, {"avx2", "go", Law}} {
			for _, threads := range []int{1, 5} {
				if got := trained(t, prog, Options{Threads: threads, Variants: variants}, 2); !bytes.Equal(got, want) {
					t.Errorf("%s, variants %v, %d threads: %d of %d bytes differ from the laws'", name, variants, threads, different(got, want), len(want))
				}
			}
		}
	}
}

// TestSumLaw: the op is its product, and a sum.
func TestSumLaw(t *testing.T) {
	a, b, r := op.Float32s(op.S(2, 3), 1, 2, 3, 4, 5, 6), op.Float32s(op.S(3, 2), 1, 0, 0, 1, 1, 1), op.Float32s(op.S(2), 10, 20)
	o := withAdded[op.MatMul]{}
	types, err := o.Shape([]op.Type{a.Type, b.Type, r.Type})
	if err != nil || types[0].Shape != op.S(2, 2) {
		t.Fatalf("%v, %v; want [2, 2]", types, err)
	}
	y := op.New(types[0])
	o.Law([]op.Tensor{y}, []op.Tensor{a, b, r})
	for i, want := range []float32{14, 25, 20, 31} {
		if y.F()[i] != want {
			t.Errorf("number %d is %v; want %v", i, y.F()[i], want)
		}
	}
}
