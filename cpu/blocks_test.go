package cpu

import (
	"slices"
	"testing"
)

// Blocks are cut where that keeps threads busy, and no further; the largest come first; no cell is lost, and none changes its group.
func TestBalance(t *testing.T) {
	groups := func(sizes ...int) (blocks [][]int) {
		n := 0
		for _, s := range sizes {
			var b []int
			for range s {
				b, n = append(b, n), n+1
			}
			blocks = append(blocks, b)
		}
		return blocks
	}
	for _, c := range []struct {
		sizes   []int
		threads int
		shared  float64
		want    []int // sizes
	}{
		{[]int{9, 9, 9}, 1, 0.5, []int{9, 9, 9}},
		{[]int{9, 9, 9}, 2, 0.5, []int{9, 9, 5, 4}},
		{[]int{32}, 1, 0, []int{32}},
		{[]int{16, 16}, 2, 0.5, []int{16, 16}},
		{[]int{3, 3, 3}, 4, 0.5, []int{3, 3, 3}}, // nine cells on four threads: one has three all the same
		{[]int{8}, 4, 0.1, []int{2, 2, 2, 2}},
		{[]int{2}, 2, 100, []int{2}}, // reading what they share twice would take longer
		{[]int{1, 5}, 1, 0, []int{5, 1}},
	} {
		work := func(b []int) float64 { return float64(len(b)) + c.shared }
		got := balance(groups(c.sizes...), work, c.threads)
		var sizes, cells []int
		for _, b := range got {
			sizes, cells = append(sizes, len(b)), append(cells, b...)
			for _, g := range groups(c.sizes...) {
				if slices.Contains(g, b[0]) != slices.Contains(g, b[len(b)-1]) {
					t.Errorf("%v: block %v is of two groups", c.sizes, b)
				}
			}
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("%v on %d threads: %v; want %v", c.sizes, c.threads, sizes, c.want)
		}
		slices.Sort(cells)
		if all := slices.Concat(groups(c.sizes...)...); !slices.Equal(cells, all) {
			t.Errorf("%v: cells %v", c.sizes, cells)
		}
	}
}
