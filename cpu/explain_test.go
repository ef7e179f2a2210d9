package cpu

import (
	"fmt"
	"reflect"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// What is told of a program whose memory is laid out by hand, by the laws alone, of which each runs by itself. Memory comes by 16 words.
func TestExplain(t *testing.T) {
	p := trace(t, func(b *graph.Builder) {
		x := b.Input("x", op.T(op.F32, op.Cell, 40))
		once := b.Do(op.Exp, x)
		s := b.State("s", b.Fill(0, 40), op.Cell)
		u := b.Do(op.Add, s, once)                             // 48 words at 0
		v := b.Do(op.Neg, u)                                   // 48 words at 48, to the end
		rows := b.Do(op.Reshape{To: op.S(4, 10)}, v)           // a view; u ends before it
		b.Output("sums", b.Do(op.Sum{Axes: op.List(1)}, rows)) // 16 words at 0
		b.Next(s, b.Do(op.Relu, v))                            // 48 words at 96: there are but 32 between the sums and v
	})
	e, err := New(Options{Threads: 1, Variants: []string{Law}})
	if err != nil {
		t.Fatal(err)
	}
	want := Explanation{
		Traced: 7, Lowered: 7, Once: 2, Step: 5, Views: 1, Block: 1,
		Sum:     4 * (48 + 48 + 16 + 48),
		Peak:    4 * (48 + 16 + 48), // when the last op runs
		Scratch: 4 * (48 + 48 + 48),
	}
	for _, o := range []string{"add", "neg", "sum{Axes:1}", "relu"} {
		want.Units = append(want.Units, Unit{Kind: "op", Ops: []string{o}, Result: "f32[40]:cell", Kernels: []string{Law}})
	}
	want.Units[2].Result = "f32[4,1]:cell"
	want.Program = fmt.Sprintf("%x", p.Hash())
	if got, err := e.Explain(p, 3, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := e.Explain(p, 3, graph.Groups{op.Seed: {0, 1}}); err == nil {
		t.Error("no error of a group of two cells in a pack of three")
	}
}

// What is told of a block of cells, a chain and an update.
func TestExplainFused(t *testing.T) {
	if !hasAVX2 {
		t.Skip("SKIPPED: joint products need AVX2")
	}
	p := trace(t, func(b *graph.Builder) {
		w := b.Input("w", op.T(op.T2, op.Shared, 40, 2000))
		z := b.State("z", b.Fill(0, 1, 40), op.Cell)
		y := b.Do(op.TernaryMM{}, z, w)
		b.Output("y", b.Do(op.Neg, b.Do(op.Relu, y)))
		b.Next(z, b.Do(op.Neg, b.Do(op.Relu, z)))
	})
	e, err := New(Options{Threads: 2, Variants: []string{"avx2", "go"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Explanation{
		Traced: 6, Lowered: 6, Once: 1, Step: 5, Block: 3, // of 6 cells on 2 threads
		Sum:     4 * (3*2000 + 2*48),
		Peak:    4 * (2000 + 2000), // what Relu reads and makes
		Scratch: 4 * 2000,          // the output
		Kept:    4 * 2000,          // the product
		Parts:   4 * partWords,     // of what Relu makes; Neg writes where it belongs
		Units: []Unit{
			{Kind: "joint", Ops: []string{"ternarymm{TB:false}"}, Result: "f32[1,2000]:cell", Kernels: []string{"avx2"}},
			{Kind: "chain", Ops: []string{"relu", "neg"}, Result: "f32[1,2000]:cell", Len: 2000, Part: partWords, Inner: 1, Kernels: []string{"avx2", "avx2"}},
			{Kind: "update", Ops: []string{"relu", "neg"}, Result: "f32[1,40]:cell", Len: 40, Part: 40, Inner: 1, Kernels: []string{"avx2", "avx2"}},
		},
		Program: fmt.Sprintf("%x", p.Hash()),
	}
	if got, err := e.Explain(p, 6, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
