package optest

import (
	"math"
	"testing"

	"lockstep/op"
)

// TestGuard: stray writes are seen, and where pages can be protected the tensor ends at the fence.
func TestGuard(t *testing.T) {
	x := op.Float32s(op.S(5), 1, 2, 3, 4, float32(math.NaN()))
	for _, flush := range []bool{false, true} {
		g, err := Guard(x, flush)
		if err != nil {
			t.Fatal(err)
		}
		if cap(g.W) != len(g.W) || g.Changed() != "" || g.Broken() != "" || Diff(g.Tensor, x) != "" {
			t.Errorf("flush %v: cap %d of %d; changed %q, broken %q", flush, cap(g.W), len(g.W), g.Changed(), g.Broken())
		}
		g.all[g.from-1] = 0
		if g.Broken() == "" {
			t.Errorf("flush %v: a write before the first word is not seen", flush)
		}
		g.W[4] = 0
		if g.Changed() == "" {
			t.Errorf("flush %v: a write to word 4 is not seen", flush)
		}
		g.Close()
	}
}
