package optest

import (
	"testing"

	"lockstep/cpu"
	"lockstep/op"
)

// TestBroadcastsInChains: a row, a column, either repeated, and what is none of these give the laws' bits between ops that engines fuse, in tensors that
// fill one part of a chain and several.
func TestBroadcastsInChains(t *testing.T) {
	for _, to := range [][]int{{2, 4, 16}, {3, 40, 50}} {
		o, n, m := to[0], to[1], to[2]
		for _, from := range [][]int{{}, {m}, {1, m}, {n, 1}, {n, m}, {o, 1, 1}, {o, n, 1}, {o, 1, m}, {1, n, 1}, {1, 1, 1}} {
			g := &generator{entropy: []byte{2, 1}} // three cells, two steps
			r, err := g.draw(func() {
				g.domains = []op.Domain{op.Cell}
				state := func(name string, dims []int) op.Value { return g.b.State(name, g.input(op.F32, dims...), op.Cell) }
				x, c := state("x", to), state("c", from)
				wide := g.b.Do(op.Broadcast{To: op.S(to...)}, c)
				g.b.Next(x, g.b.Do(op.Neg, g.b.Do(op.Add, g.b.Do(op.Relu, x), wide)))
				g.b.Next(c, g.b.Do(op.Neg, c))
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range append(cpu.Variants(), "") {
				alone := cpu.Options{Threads: 1}
				if v != "" {
					alone.Variants = []string{v}
				}
				e, err := cpu.New(alone)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Check(e); err != nil {
					t.Fatalf("%v to %v, variant %q: %v", from, to, v, err)
				}
			}
		}
	}
}
