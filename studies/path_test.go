package studies

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/sweep"
)

const pathCard = `
name = "path"
seeds = [0, 1]
steps = 12
batch = 8
snapshots = 2
path = {components = 2, pairs = 2, trials = 3}
data = {name = "modular-addition", modulus = 7}
map = {type = "parameters"}
rule = {type = "adamw", lr = 0.01, wd = 0.1}
model = {init = "torch", layers = [{type = "embedding", vocab = 7, out = 8}, {type = "attention", heads = 2}, {type = "last"}, {type = "linear", out = 7}]}
[[expect]]
what = "r90"
matrices = ["wq", "wk"]
range = [1, 6]
[[expect]]
what = "r90"
matrices = ["wv"]
less = ["wo"]
range = [-1000, 5]
[[expect]]
what = "commutator"
range = [1, 1000]
`

func pathRun(t *testing.T, threads int) (*sweep.Card, []sweep.Cell, []sweep.Result, *cpu.Engine, string) {
	t.Helper()
	card, err := sweep.ParseCard("path.toml", []byte(pathCard))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	e, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	dir := t.TempDir()
	results, err := sweep.Run(t.Context(), cells, sweep.Options{Engine: e, Snapshots: sweep.SnapshotFiles(dir, card.Snapshots)})
	if err != nil {
		t.Fatal(err)
	}
	return card, cells, results, e, dir
}

// TestPaths: a small study from its card to its tables; what is measured hangs on no thread, and is measured once.
func TestPaths(t *testing.T) {
	card, cells, results, e, dir := pathRun(t, 2)
	paths, err := MeasurePaths(t.Context(), e, card, cells, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		if p.ID != cells[i].ID() || len(p.Moments) != 7 || len(p.Matrices) != 4 || p.Moments[6].Step != 12 || p.Matrices[3].Name != "1.wo" {
			t.Fatalf("%+v", p)
		}
		for _, m := range p.Moments {
			// Two of 64 directions in each of four matrices hold some sqrt(8 / D') of a commutator that leans nowhere, D' being the parameters in which it lies.
			if !(m.Random > 0.02 && m.Random < 0.35 && m.Share > 0 && m.Share < 1 && m.Defect > 0 && m.Entropy >= 0 && m.Entropy < math.Log(2)+1e-6) {
				t.Errorf("%+v", m)
			}
		}
	}
	findings, err := Judge(card, results, paths)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 3 || findings[0].Seeds != 2 || !(findings[0].Mean >= 1) || math.IsNaN(findings[0].Spread) || findings[0].Problem != nil {
		t.Errorf("%+v", findings)
	}
	table := Table(findings) + PathTables(paths)
	for _, want := range []string{"wv less wo", "at most 5", "at least 1", "attention layer 0", "random walk of as many snapshots", "attention entropy"} {
		if !strings.Contains(table, want) {
			t.Errorf("the tables do not show %q:\n%s", want, table)
		}
	}
	if findings, err = Judge(card, results, paths[:1]); err != nil || findings[0].Problem == nil || findings[0].OK {
		t.Errorf("a path that is missing: %+v, error %v", findings[0], err)
	}

	again, err := MeasurePaths(t.Context(), nil, card, cells, dir, nil) // no engine: all is there
	if err != nil || len(again) != 2 || again[1].Declared != paths[1].Declared || !reflect.DeepEqual(again[0].Moments[3], paths[0].Moments[3]) {
		t.Errorf("what was measured is not taken from %s: %v", PathFile, err)
	}
	_, _, _, one, other := pathRun(t, 1)
	alone, err := MeasurePaths(t.Context(), one, card, cells, other, nil)
	if err != nil || alone[0].Declared != paths[0].Declared || alone[1].Declared != paths[1].Declared || paths[0].Declared == paths[1].Declared {
		t.Errorf("one thread gives other commutators, or two seeds the same: %v", err)
	}

	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := MeasurePaths(ctx, e, card, cells, other, nil); err == nil {
		t.Error("an ended context is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, PathFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := MeasurePaths(t.Context(), e, card, cells, dir, nil); err == nil || !strings.Contains(err.Error(), PathFile) {
		t.Errorf("a damaged file: error %v", err)
	}
	if _, err := MeasurePaths(t.Context(), e, card, cells, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no snapshots") {
		t.Errorf("no snapshots: error %v", err)
	}
}

// TestPathCards: what a card can get wrong of its path.
func TestPathCards(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"snapshots = 2\n", "", "path: it is measured at snapshots"},
		{"components = 2", "components = 0", "components"},
		{"trials = 3", "trials = 5000", "it must be 1 to 1000"},
		{"pairs = 2", "pair = 2", `unknown key "pair"`},
		{`matrices = ["wv"]`, `matrices = ["wz"]`, `unknown matrix "wz"`},
		{"matrices = [\"wv\"]\n", "", "matrices: it is missing"},
		{"path = {components = 2, pairs = 2, trials = 3}\n", "", "the card has none"},
	} {
		text := strings.Replace(pathCard, c.from, c.to, 1)
		if text == pathCard {
			t.Fatalf("the card has no %q", c.from)
		}
		if _, err := sweep.ParseCard("path.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: error %v; want %q", c.to, c.from, err, c.want)
		}
	}
}
