package cpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// entropy is what a random program is made of.
func entropy(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestStates holds steps that replace large states in place, by chains in parts and by rows, against the laws op by op.
func TestStates(t *testing.T) {
	defer cutSmall()()
	programs := 120
	if testing.Short() {
		programs = 40
	}
	r := rand.New(rand.NewPCG(3, 5))
	for i := range programs {
		p, err := optest.NewStates(entropy(r, 40+r.IntN(160)))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []Options{{Threads: 1}, {Threads: 5}, {Threads: 1, NoFuse: true}} {
			if err := p.Check(must(New(o))); err != nil {
				t.Fatalf("program %d, %+v: %v", i, o, err)
			}
		}
	}
}

// TestFlagOfState: a cell's flag may be a number of a state that the same step replaces in place: it is as it was until all states are replaced.
func TestFlagOfState(t *testing.T) {
	if !hasGo {
		t.Skip("SKIPPED: a purego build has no chains")
	}
	p := trace(t, func(b *graph.Builder) {
		flags := b.State("flags", b.Do(op.Fill{DType: op.Bool, Bits: 1, To: op.S(64)}), op.Cell)
		x, y := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, 64)), op.Cell), b.State("y", b.Input("y0", op.T(op.F32, op.Cell, 4)), op.Cell)
		b.Next(x, x)
		b.Next(y, b.Do(op.Tanh, y))
		b.Next(flags, b.Do(op.Gt, b.Do(op.Mul, b.Do(op.Neg, x), b.Fill(0, 64)), b.Fill(0, 64))) // false
		b.Active(b.Do(op.Reshape{To: op.S()}, b.Do(op.Slice{Len: 1}, flags)))
	})
	if n := len(engine(t, 1).layOut(p, trainedSlots(t)).updates); n != 1 {
		t.Errorf("%d updates; want one, of the flags", n)
	}
	if got, want := trained(t, p, Options{Threads: 1}, 2), trained(t, p, Options{Threads: 1, Variants: []string{Law}}, 2); !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes differ from the laws'", different(got, want), len(want))
	}
}
