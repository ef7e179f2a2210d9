package optest

import (
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

// Few asks for the kernels of cases that it may choose, and of no others; it chooses some of each kernel, and those of Turns.
func TestFew(t *testing.T) {
	large := 0
	for _, o := range []op.Op{op.MatMul{}, op.TernaryMM{}} {
		cases := Cases(o, 0)
		asked := map[*Case]bool{}
		kernel := func(c *Case) string { return []string{"even", "odd"}[c.In[0].Shape.At(0)%2] }
		few := Few(cases, 4, func(c *Case) []string {
			asked[c] = true
			return []string{kernel(c)}
		})
		chosen := map[string]int{}
		for _, c := range few {
			if c.Words() <= fewWords && !strings.HasPrefix(c.Note, Turns) {
				chosen[kernel(c)]++
			}
		}
		if chosen["even"] != 4 || chosen["odd"] < 3 || chosen["odd"] > 4 { // one of Turns may be among them
			t.Errorf("%s: of each kernel %v; want 4", o.Name(), chosen)
		}
		for _, c := range cases {
			turns := strings.HasPrefix(c.Note, Turns)
			if may := turns || c.Words() <= fewWords; may != asked[c] {
				t.Errorf("%s, %d words: asked for its kernels: %v", c, c.Words(), asked[c])
			}
			if c.Words() > fewWords {
				large++
			}
			if turns && !slices.Contains(few, c) {
				t.Errorf("%s is left out", c)
			}
		}
	}
	if large == 0 {
		t.Error("no case is large, and this test has nothing to look at")
	}
	if few := Few(Cases(op.MatMul{}, 0), 4, func(*Case) []string { return nil }); len(few) > 0 {
		t.Errorf("%d cases that launch nothing are chosen", len(few))
	}
}
