package bench

import (
	"strings"
	"testing"
)

// The comparison of packs takes medians of what was measured several times, and leaves out what was not measured.
func TestWritePacks(t *testing.T) {
	var text strings.Builder
	results := []Result{
		{Case: "packs/ternary/cells=8", Rate: 1000}, {Case: "packs/ternary/cells=8", Rate: 100}, {Case: "packs/ternary/cells=8", Rate: 2000},
		{Case: "packs/ternary/cells=1", Rate: 700}, {Case: "packs/gaussian/cells=64", Rate: 5}, {Case: "packs/identity/cells=8", Rate: 10}, {Case: "packs/identity/cells=64", Rate: 9},
	}
	if err := (Machine{Threads: 2}).writePacks(&text, results); err != nil {
		t.Fatal(err)
	}
	const want = "# packs/identity, threads 2, speed of a cell beside one in a pack of 8: alone -, in a pack of 64 0.90\n" +
		"# packs/ternary, threads 2, speed of a cell beside one in a pack of 8: alone 0.70, in a pack of 64 -\n"
	if text.String() != want {
		t.Errorf("%s", text.String())
	}
	for _, c := range packCases() {
		cells, err := c.train.cells(c.Cells)
		if err != nil || len(cells) != c.Cells || cells[0].Map.Type != c.train.Map || cells[0].Dim() != c.train.D || cells[0].Model.D() != c.train.Params() {
			t.Errorf("%s: %d cells, %v", c.Name, len(cells), err)
		}
	}
}
