package bench

import (
	"fmt"
	"io"
	"slices"
)

// packKinds are the spaces in which packs of several sizes are compared: all parameters, and the subspaces, whose cells are of one seed
// and so have one basis, or of a seed and a basis each.
var packKinds = []struct {
	name, theMap string
	d            int
	oneSeed      bool
}{
	{"packs/identity", "identity", 8970, false},
	{"packs/ternary", "ternary", 100, true},
	{"packs/gaussian", "gaussian", 100, true},
	{"packs/gaussian-each", "gaussian", 100, false},
}

// packCases are what a cell gains or loses by the size of its pack. A sweep runs a pack for half a second to a
// second before it looks at it (sweep/train.go): bursts of that length, --time 15s, are like it, and --count 3 or more keeps a slow moment of the
// machine from one size alone.
func packCases() (all []*Case) {
	for _, cells := range []int{1, 8, 64} {
		for _, k := range packKinds {
			seeds := cells
			if k.oneSeed {
				seeds = 1
			}
			all = append(all, digits(k.name, k.theMap, k.d, cells, seeds))
		}
	}
	return all
}

// writePacks writes how fast a cell is beside one in a pack of 8, for the kinds of packs that were measured: by the medians of what was
// measured several times. On one thread that is what packs are worth; on more, packs of fewer cells leave threads idle.
func (m Machine) writePacks(w io.Writer, results []Result) error {
	rates := map[string][]float64{}
	for _, r := range results {
		rates[r.Case] = append(rates[r.Case], r.Rate)
	}
	beside := func(name string, cells int) string {
		median := func(cells int) float64 {
			all := slices.Sorted(slices.Values(rates[fmt.Sprintf("%s/cells=%d", name, cells)]))
			if len(all) == 0 {
				return 0
			}
			return Quantile(all, 0.5)
		}
		if of8 := median(8); of8 > 0 && median(cells) > 0 {
			return fmt.Sprintf("%.2f", median(cells)/of8)
		}
		return "-"
	}
	for _, k := range packKinds {
		if alone, large := beside(k.name, 1), beside(k.name, 64); alone != "-" || large != "-" {
			if _, err := fmt.Fprintf(w, "# %s, threads %d, speed of a cell beside one in a pack of 8: alone %s, in a pack of 64 %s\n", k.name, m.Threads, alone, large); err != nil {
				return err
			}
		}
	}
	return nil
}
