package sweep

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
)

// onEngine makes engines of some variants only; none: of all.
func onEngine(variants ...string) func() (graph.Engine, error) {
	return func() (graph.Engine, error) { return cpu.New(cpu.Options{Threads: 1, Variants: variants}) }
}

// Verify agrees with an honest ledger, and names the cell and the number that was changed by hand.
func TestVerify(t *testing.T) {
	card := parse(t, small)
	cells, err := card.Cells()
	must(t, err)
	dir := t.TempDir()
	engine, err := cpu.New(cpu.Options{})
	must(t, err)
	must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: engine}))
	check := func(o VerifyOptions) Verification {
		t.Helper()
		v, err := Verify(t.Context(), dir, o)
		must(t, err)
		return v
	}
	for _, o := range []VerifyOptions{{Engine: onEngine(), Workers: 2}, {Engine: onEngine(cpu.Law), Workers: 2, Sample: 3}} {
		if v := check(o); len(v.Mismatches) > 0 || v.Done != len(cells) || v.Checked == 0 || o.Sample > 0 && v.Checked != 3 {
			t.Errorf("an honest ledger: %+v", v)
		}
	}
	victim := cells[3]
	original, err := os.ReadFile(filepath.Join(dir, LedgerFile))
	must(t, err)
	for number, statement := range map[string]string{
		"train_loss":                     "UPDATE results SET declared = json_set(declared, '$.train_loss', '3f800000')",
		"test_correct":                   "UPDATE results SET declared = json_set(declared, '$.test_correct', 3)",
		"losses[2]":                      "UPDATE results SET declared = json_set(declared, '$.losses[2]', '3f800000')",
		"losses[7]":                      "UPDATE results SET declared = json_insert(declared, '$.losses[#]', '3f800000')",
		"z":                              "UPDATE results SET declared = json_set(declared, '$.z', 'ff')",
		"declared":                       "UPDATE results SET declared = ' ' || declared",
		"performance (derived)":          "UPDATE results SET performance = performance + 2e-9",
		"train_loss (derived)":           "UPDATE results SET train_loss = NULL",
		"params":                         "UPDATE cells SET params = 3",
		"arm":                            "UPDATE cells SET arm = 'other'",
		"the SHA-256 of the description": "UPDATE cells SET description = '{}'",
		"test_accuracy (derived)":        "UPDATE results SET test_accuracy = 1",
		"diverged":                       "UPDATE results SET declared = json_set(declared, '$.diverged', json('true'))",
	} {
		must(t, os.WriteFile(filepath.Join(dir, LedgerFile), original, 0o666))
		edit(t, dir, fmt.Sprintf("%s WHERE id = '%s'", statement, victim.ID()))
		v := check(VerifyOptions{Engine: onEngine(), Workers: 2})
		if len(v.Mismatches) != 1 || v.Mismatches[0].ID != victim.ID() || v.Mismatches[0].Number != number || v.Mismatches[0].Cell != victim.Name() {
			t.Errorf("%s: %v; want one mismatch of cell (%s), number %s", statement, v.Mismatches, victim.Name(), number)
		}
	}
}

// While Verify recomputes, nobody could read the ledger: here it is not there.
func TestVerifyRecomputesWithoutTheLedger(t *testing.T) {
	card := parse(t, small)
	cells, err := card.Cells()
	must(t, err)
	dir := t.TempDir()
	engine, err := cpu.New(cpu.Options{})
	must(t, err)
	must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: engine}))
	path, away := filepath.Join(dir, LedgerFile), filepath.Join(t.TempDir(), "away")
	advanced := 0
	v, err := Verify(t.Context(), dir, VerifyOptions{Engine: onEngine(), Workers: 2, Progress: func(*Card, []Cell) Reporter {
		must(t, os.Rename(path, away))
		return &hidden{watcher{}, func() { must(t, os.Rename(away, path)) }, &advanced}
	}})
	if err != nil || len(v.Mismatches) > 0 || advanced == 0 {
		t.Errorf("%+v, %v, %d steps", v, err, advanced)
	}
	text, err := json.Marshal(v)
	if err != nil || !strings.Contains(string(text), `"mismatches":[]`) {
		t.Errorf("%s, %v", text, err)
	}
}

type hidden struct {
	watcher
	back  func()
	steps *int
}

func (h *hidden) Close() error {
	*h.steps = h.watcher.steps
	h.back()
	return nil
}
