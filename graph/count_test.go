package graph

import (
	"testing"

	"lockstep/op"
)

// The work of a program whose products, codes and points are counted by hand, with three cells of two seeds.
func TestCount(t *testing.T) {
	p, err := Trace(func(b *Builder) {
		d := b.Input("d", op.T(op.U32, op.Cell))
		w := b.Input("w", op.T(op.T2, op.Seed, 5, 70))
		x := b.Input("x", op.T(op.F32, op.Seed, 2, 3))
		still := b.Do(op.MatMul{}, x, b.Input("y", op.T(op.F32, op.Seed, 3, 5))) // computed once: no work of a step
		a := b.State("a", b.Fill(1, 7, 2, 3), op.Cell)
		z := b.State("z", b.Fill(1, 2, 5), op.Cell)
		seeds := b.State("seeds", x, op.Seed)                                          // [2, 3]
		product := b.Do(op.MatMul{TB: true}, a, seeds)                                 // 3 cells x 7 x 2 x 3 x 2 = 252 multiply-adds
		b.Next(a, b.Do(op.MatMulJVP{}, product, seeds, product, seeds))                // 3 cells x 2 chains x 7 x 2 x 2 x 3 = 504
		short := b.Do(op.MatMul{}, z, b.Input("m", op.T(op.F32, op.Shared, 5, 11)), d) // 3 cells x 2 x (d of 5) x 11 = 66 d
		b.Output("jvp", b.Do(op.MatMulJVP{TB: true}, z, z, z, z, d))                   // 3 cells x 2 chains x 2 x (d of 5) x 2 = 24 d
		b.Next(seeds, b.Do(op.Add, seeds, seeds))                                      // 2 seeds x 6 = 12 points
		wide := b.Do(op.TernaryMM{}, z, w, d)                                          // 3 cells x 2 x (d of 5) x 70 = 420 d codes
		whole := b.Do(op.TernaryMM{TB: true}, wide, w)                                 // 3 cells x 2 x 70 x 5 = 2100
		back := b.Do(op.TernaryMMTail{TB: true}, wide, w, d)                           // 3 cells x 2 x 70 x (d of 5) = 420 d
		sum := b.Do(op.Add, b.Do(op.Exp, z), back)                                     // 3 cells x 2 x 10 = 60 points
		b.Next(z, b.Do(op.Select{}, b.Do(op.Gt, sum, still), sum, whole))              // 3 cells x 10 = 30; a comparison has no float32 result
		b.Output("short", short)
	})
	if err != nil {
		t.Fatal(err)
	}
	slots := func(d op.Domain) int64 { return map[op.Domain]int64{op.Cell: 3, op.Seed: 2, op.Shared: 1}[d] }
	for _, c := range []struct {
		lengths map[string]int64
		d       int64
	}{{nil, 5}, {map[string]int64{"d": 5}, 5}, {map[string]int64{"d": 2}, 2}, {map[string]int64{"d": 9}, 5}, {map[string]int64{"e": 2}, 5}, {map[string]int64{"d": 0}, 0}} {
		want := Work{MACs: 252 + 504 + 90*c.d, Codes: 2100 + 840*c.d, Points: 12 + 60 + 30}
		if got := p.CountRagged(slots, c.lengths); got != want {
			t.Errorf("lengths %v: %+v; want %+v", c.lengths, got, want)
		}
	}
	if got, want := p.Count(slots), p.CountRagged(slots, map[string]int64{"d": 5}); got != want {
		t.Errorf("whole products: %+v; want %+v", got, want)
	}
	if got := (Work{MACs: 1000, Codes: 200, Points: 30}).FLOPs(); got != 2230 {
		t.Errorf("%d FLOPs; want 2230", got)
	}
}
