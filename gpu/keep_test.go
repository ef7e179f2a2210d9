//go:build cuda

package gpu

import (
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// A state that is replaced by itself, and an output without words, cost a step no launch.
func TestStillStatesCostNothing(t *testing.T) {
	for _, c := range []struct {
		still bool
		want  int // launches of a step
	}{{true, 1}, {false, 3}} { // relu; relu, and the state by way of temporary memory
		p, err := graph.Trace(func(b *graph.Builder) {
			s := b.State("s", b.Fill(0, 4), op.Cell)
			other := b.State("other", b.Fill(0, 4), op.Cell)
			b.Next(s, map[bool]op.Value{true: s, false: other}[c.still])
			b.Next(other, other)
			b.Output("none", b.Do(op.Slice{}, b.Do(op.Relu, s)))
		})
		if err != nil {
			t.Fatal(err)
		}
		pack, err := device0(t).NewPack(3, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, err := pack.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(x.(*exec).step); n != c.want {
			t.Errorf("still %v: a step has %d launches; want %d", c.still, n, c.want)
		}
		if err := pack.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
