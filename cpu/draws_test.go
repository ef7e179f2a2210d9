//go:build !purego

package cpu

import (
	"slices"
	"testing"

	"lockstep/op"
	"lockstep/optest"
)

// The words of every family are those of op.Philox, where the counter's low word overflows, too: no op draws so many.
func TestWordsBeyondTheLowCounter(t *testing.T) {
	key := [2]uint32{0x6627e8d5, 0xe169c58d}
	in := []op.Tensor{op.Words32(op.U32, op.S(2), key[:]...), op.Words32(op.U32, op.S(2), 7, 9)}
	s := streamOf(&workspace{}, in)
	for _, d := range drawSets {
		t.Run(d.family, func(t *testing.T) {
			if !slices.Contains(Variants(), d.family) {
				optest.Absent(t, d.family)
			}
			w := make([]uint32, 3*drawGroup)
			for _, first := range []uint64{0, 1, 1<<32 - 5, 1<<33 - 16, 1<<40 - 21} {
				d.words(w, s, first)
				for i, v := range w {
					block := first + uint64(i/4)
					if want := op.Philox(key, 9<<32|7, block)[i%4]; v != want {
						t.Fatalf("word %d of block %#x is %08x; want %08x", i%4, block, v, want)
					}
				}
			}
		})
	}
}
