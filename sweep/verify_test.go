package sweep

import (
	"database/sql"
	"encoding/json"
	"errors"
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
	edits := map[string]string{
		"train_loss":              "UPDATE results SET declared = json_set(declared, '$.train_loss', '3f800000')",
		"test_correct":            "UPDATE results SET declared = json_set(declared, '$.test_correct', 3)",
		"losses[2]":               "UPDATE results SET declared = json_set(declared, '$.losses[2]', '3f800000')",
		"losses[7]":               "UPDATE results SET declared = json_insert(declared, '$.losses[#]', '3f800000')",
		"z":                       "UPDATE results SET declared = json_set(declared, '$.z', 'ff')",
		"declared":                "UPDATE results SET declared = ' ' || declared",
		"diverged":                "UPDATE results SET declared = json_set(declared, '$.diverged', json('true'))",
		"performance (derived)":   "UPDATE results SET performance = performance + 2e-9",
		"train_loss (derived)":    "UPDATE results SET train_loss = NULL",
		"test_loss (derived)":     "UPDATE results SET test_loss = 1",
		"test_accuracy (derived)": "UPDATE results SET test_accuracy = 1",
		"place":                   "UPDATE cells SET place = 77",
		"arm":                     "UPDATE cells SET arm = 'other'",
		"axes":                    "UPDATE cells SET axes = json_set(axes, '$.d', '77')",
		"seed":                    "UPDATE cells SET seed = 77",
		"params":                  "UPDATE cells SET params = 3",
		"d":                       "UPDATE cells SET d = 77",
		"steps to do":             "UPDATE cells SET steps = 9",
		"description":             "UPDATE cells SET description = '{}'",
		"the result":              "DELETE FROM results",
	}
	for number, statement := range edits {
		must(t, os.WriteFile(filepath.Join(dir, LedgerFile), original, 0o666))
		edit(t, dir, fmt.Sprintf("%s WHERE id = '%s'", statement, victim.ID()))
		v := check(VerifyOptions{Engine: onEngine(), Workers: 2})
		if len(v.Mismatches) != 1 || v.Mismatches[0].ID != victim.ID() || v.Mismatches[0].Number != number || v.Mismatches[0].Cell != victim.Name() {
			t.Errorf("%s: %v; want one mismatch of cell (%s), number %s", statement, v.Mismatches, victim.Name(), number)
		}
	}
	// No column of the ledger's is left out: a new one needs an edit above.
	for table, columns := range map[string]int{"cells": 9, "results": 8} {
		l, err := OpenLedger(dir)
		must(t, err)
		names, err := collect(l.db, "SELECT name FROM pragma_table_info('"+table+"')", func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) })
		must(t, errors.Join(err, l.Close()))
		if len(names) != columns {
			t.Errorf("table %s has columns %v; is each verified?", table, names)
		}
	}
	// Derived numbers are held against declared ones where nothing is recomputed, too; and nothing else reads them.
	must(t, os.WriteFile(filepath.Join(dir, LedgerFile), original, 0o666))
	edit(t, dir, "UPDATE results SET performance = 9e999")
	if v := check(VerifyOptions{Engine: onEngine(), Workers: 2, Sample: 1}); len(v.Mismatches) != len(cells) {
		t.Errorf("%d mismatches for %d edited cells, of which one was recomputed", len(v.Mismatches), len(cells))
	}
	if s, err := StatusOf(dir); err != nil || s.Best > 1 {
		t.Errorf("the status believes an edited performance: %v, %v", s.Best, err)
	}
	// What belongs to no cell, and to no sweep.
	for number, statement := range map[string]string{
		"the cell":   "INSERT INTO cells SELECT 'zzz', 99, arm, axes, seed, params, d, steps, description FROM cells LIMIT 1",
		"the result": "PRAGMA foreign_keys = OFF; INSERT INTO results SELECT 'zzz', run, ended, declared, train_loss, test_loss, test_accuracy, performance FROM results LIMIT 1",
		"digest":     "UPDATE sweep SET digest = 'deadbeef'",
	} {
		must(t, os.WriteFile(filepath.Join(dir, LedgerFile), original, 0o666))
		edit(t, dir, statement)
		for _, n := range []int{0, 2} { // also when only some are recomputed
			if v := check(VerifyOptions{Engine: onEngine(), Workers: 2, Sample: n}); len(v.Mismatches) == 0 || v.Mismatches[0].Number != number {
				t.Errorf("%s, sample %d: %v; want a mismatch of %s", statement, n, v.Mismatches, number)
			}
		}
		if s, err := StatusOf(dir); number == "digest" && (err != nil || s.Damaged == "") {
			t.Errorf("the status of a sweep with another digest: %+v, %v", s, err)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, LedgerFile), original, 0o666))
	edit(t, dir, "UPDATE sweep SET card = replace(card, 'steps = 7', 'steps = 8')")
	if _, err := Verify(t.Context(), dir, VerifyOptions{Engine: onEngine()}); err == nil || !strings.Contains(err.Error(), "does not make the cells") {
		t.Errorf("another card: %v", err)
	}
	// An unfinished sweep is verified as far as it is; one without results is nothing to verify.
	edit(t, dir, "UPDATE sweep SET card = replace(card, 'steps = 8', 'steps = 7'), digest = NULL")
	edit(t, dir, "DELETE FROM results WHERE id = '"+victim.ID()+"'")
	if v := check(VerifyOptions{Engine: onEngine(), Workers: 2}); len(v.Mismatches) > 0 || v.Done != len(cells)-1 {
		t.Errorf("an unfinished sweep: %+v", v)
	}
	edit(t, dir, "DELETE FROM results")
	if _, err := Verify(t.Context(), dir, VerifyOptions{Engine: onEngine()}); err == nil || !strings.Contains(err.Error(), "nothing to verify") {
		t.Errorf("a sweep without results: %v", err)
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
