package sweep

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/internal/files"
)

// watcher counts what a sweep does, and ends it when told.
type watcher struct {
	steps, skippedSteps, skipped, saved int
	results                             []Result
	done                                func(ended int) error
	advanced                            func(steps int)
}

func (w *watcher) Saved(int) { w.saved++ }
func (w *watcher) Advance(n int) {
	w.steps += n
	if w.advanced != nil {
		w.advanced(w.steps)
	}
}
func (w *watcher) Done(r Result) error {
	w.results = append(w.results, r)
	if w.done != nil {
		return w.done(len(w.results))
	}
	return nil
}
func (w *watcher) Skip(cells, steps int, best float64) {
	w.skipped += cells
	w.skippedSteps += steps
}

func parse(t *testing.T, text string) *Card {
	t.Helper()
	card, err := ParseCard("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// runIn runs cells of the small card into dir in packs of two.
func runIn(t *testing.T, ctx context.Context, dir string, cells []Cell, resume bool, w *watcher, change ...func(*Options)) error {
	t.Helper()
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Engine: engine, PackCells: 2, Progress: w}
	for _, f := range change {
		f(&o)
	}
	return RunTo(ctx, dir, parse(t, small), cells, resume, o)
}

func digestOf(t *testing.T, dir string) string {
	t.Helper()
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := l.FinalDigest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// undisturbed runs all cells undisturbed.
func undisturbed(t *testing.T, cells []Cell) (dir string, w *watcher) {
	t.Helper()
	dir, w = filepath.Join(t.TempDir(), "whole"), &watcher{}
	if err := runIn(t, t.Context(), dir, cells, false, w); err != nil {
		t.Fatal(err)
	}
	return dir, w
}

// A run that ends after each result in turn goes on where it was, trains no step twice, and ends with the results of an
// undisturbed run, in the order of the card.
func TestStoppedRunGoesOn(t *testing.T) {
	cells := smallCells(t)
	calm, once := undisturbed(t, cells)
	dir, stop := filepath.Join(t.TempDir(), "stopped"), errors.New("stop")
	steps, ended := 0, 0
	for runs := 0; ended < len(cells); runs++ {
		w := &watcher{done: func(int) error { return stop }}
		err := runIn(t, t.Context(), dir, cells, runs > 0, w)
		if !errors.Is(err, stop) || !strings.Contains(err.Error(), "--resume") {
			t.Fatalf("run %d: %v", runs, err)
		}
		if w.skipped != ended || len(w.results) != 1 {
			t.Fatalf("run %d skipped %d cells and ended %d; %d had ended", runs, w.skipped, len(w.results), ended)
		}
		steps, ended = steps+w.steps, ended+1
	}
	if err := runIn(t, t.Context(), dir, cells, true, &watcher{}); err != nil {
		t.Fatal(err)
	}
	if steps != once.steps {
		t.Errorf("%d steps were trained; an undisturbed run trains %d", steps, once.steps)
	}
	if digestOf(t, dir) != digestOf(t, calm) {
		t.Error("the digest is another one")
	}
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	results, err := l.All()
	if err != nil || !slices.EqualFunc(results, cells, func(r Result, c Cell) bool { return r.ID == c.ID() && r.Arm == c.Arm && slices.Equal(r.Axes, c.Axes) }) {
		t.Errorf("the results are not in the order of the cells: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, checkpointDir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A run that is interrupted in the middle of a pack, again and again, and goes on in other packs each time, trains no step
// twice and gives the digest of an undisturbed one.
func TestInterruptedPackGoesOn(t *testing.T) {
	cells := smallCells(t)
	calm, once := undisturbed(t, cells)
	dir := filepath.Join(t.TempDir(), "interrupted")
	steps, runs := 0, 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		w := &watcher{advanced: func(steps int) {
			if steps > 5 {
				cancel()
			}
		}}
		err := runIn(t, ctx, dir, cells, runs > 0, w, func(o *Options) { o.PackCells = 1 + runs%5 })
		cancel()
		steps += w.steps
		runs++
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || w.saved != 1 || !strings.Contains(err.Error(), "checkpoint of") {
			t.Fatalf("run %d: %v, %d checkpoints", runs, err, w.saved)
		}
	}
	if runs < 8 || steps != once.steps {
		t.Errorf("%d runs trained %d steps; an undisturbed run trains %d", runs, steps, once.steps)
	}
	if digestOf(t, dir) != digestOf(t, calm) {
		t.Error("the digest is another one")
	}
}

// Checkpoints come as often as asked, and change nothing.
func TestCheckpointsChangeNothing(t *testing.T) {
	cells := smallCells(t)[:4]
	calm, _ := undisturbed(t, cells)
	dir, w := t.TempDir(), &watcher{}
	if err := runIn(t, t.Context(), dir, cells, false, w, func(o *Options) { o.Checkpoint = 1 }); err != nil {
		t.Fatal(err)
	}
	if w.saved < 7 || digestOf(t, dir) != digestOf(t, calm) {
		t.Errorf("%d checkpoints, digest %s; want one a step, and %s", w.saved, digestOf(t, dir), digestOf(t, calm))
	}
}

// A folder holds one sweep, and one run at a time works on it.
func TestFolderHoldsOneSweep(t *testing.T) {
	cells := smallCells(t)[:2]
	dir, _ := undisturbed(t, cells)
	before := digestOf(t, dir)
	refused := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error that speaks of %q", what, err, want)
		}
		if digestOf(t, dir) != before {
			t.Errorf("%s: a refused run changed the results", what)
		}
	}
	refused("the same sweep without --resume", "--resume goes on", runIn(t, t.Context(), dir, cells, false, &watcher{}))
	refused("another sweep without --resume", "another sweep", runIn(t, t.Context(), dir, smallCells(t)[:3], false, &watcher{}))
	refused("another sweep with --resume", "another sweep", runIn(t, t.Context(), dir, smallCells(t)[:3], true, &watcher{}))
	lock, err := files.NewLock(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	refused("a second run", "another run", runIn(t, t.Context(), dir, cells, true, &watcher{}))
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{}
	if err := runIn(t, t.Context(), dir, cells, true, w); err != nil || w.steps != 0 || w.skipped != 2 {
		t.Errorf("the finished sweep once more: %v, %d steps", err, w.steps)
	}
}

// What changed since a sweep was begun is told line by line.
func TestResumeTellsWhatChanged(t *testing.T) {
	run := func(dir, text string, resume bool, settings ...string) error {
		card := parse(t, text)
		for _, s := range settings {
			if err := card.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		cells, err := card.Cells()
		if err != nil {
			t.Fatal(err)
		}
		engine, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return RunTo(t.Context(), dir, card, cells[:2], resume, Options{Engine: engine})
	}
	dir := t.TempDir()
	if err := run(dir, small, false, "steps=3"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, to string
		settings       []string
		want           string
	}{
		{"nothing", "", "", []string{"steps=3"}, ""},
		{"the name", `name = "small"`, `name = "renamed"`, []string{"steps=3"}, ""},
		{"the steps", "", "", nil, "card  steps: 3 -> 7"},
		{"a rate", "lr = 0.1}\n[[arms]]", "lr = 0.2}\n[[arms]]", []string{"steps=3"}, "card  rule.lr: 0.1 -> 0.2"},
		{"an axis", "d = [1, 3, 6, 8]", "d = [2, 3, 6, 8]", []string{"steps=3"}, "card  arms.ternary.axes.d: [1, 3, 6, 8] -> [2, 3, 6, 8]"},
		{"the data", "", "", []string{"steps=3", "data.name=toy", "model.layers=[{type='group-sum', groups=10, size=1}]", "batch=1"}, "card  data.name: digits -> toy"},
		{"an arm's name", `name = "ternary"`, `name = "ternery"`, []string{"steps=3"}, ""},
	} {
		text := small
		if c.from != "" {
			if text = strings.Replace(small, c.from, c.to, 1); text == small {
				t.Fatalf("the card has no %q", c.from)
			}
		}
		err := run(dir, text, true, c.settings...)
		var mismatch *MismatchError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s changed: %v", c.name, err)
		case c.want != "" && (!errors.As(err, &mismatch) || !slices.Contains(mismatch.Differences, c.want)):
			t.Errorf("%s changed: %v; want %q", c.name, err, c.want)
		}
	}
	edit(t, dir, "UPDATE sweep SET law = 0")
	if err := run(dir, small, true, "steps=3"); err == nil || !strings.Contains(err.Error(), "law   version: 0 -> 1") {
		t.Errorf("another law: %v", err)
	}
	edit(t, dir, "UPDATE sweep SET law = 1, plan = 'x'; UPDATE data SET sha256 = '0123456789abcdef0123'")
	if err := run(dir, small, true, "steps=3"); err == nil || !strings.Contains(err.Error(), "data  digits: 0123456789abcdef.. -> ") {
		t.Errorf("other data: %v", err)
	}
}

// edit changes a ledger by hand.
func edit(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 && !strings.HasPrefix(statement, "PRAGMA") {
		t.Fatalf("%s: changed nothing: %v", statement, err)
	}
}

// Damaged ledgers are errors that name the file, for every verb, and are left as they are.
func TestDamagedLedgers(t *testing.T) {
	cells := smallCells(t)[:2]
	path := func(dir string) string { return filepath.Join(dir, LedgerFile) }
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"text": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(path(dir), []byte(strings.Repeat("no ledger\n", 99)), 0o666))
		}, "no ledger, or damaged"},
		"half":                {func(t *testing.T, dir string) { must(t, os.Truncate(path(dir), 20000)) }, "damaged"},
		"a directory":         {func(t *testing.T, dir string) { must(t, os.Remove(path(dir))); must(t, os.Mkdir(path(dir), 0o777)) }, "is no file"},
		"another format":      {func(t *testing.T, dir string) { edit(t, dir, "PRAGMA user_version = 9") }, "format 9"},
		"another program's":   {func(t *testing.T, dir string) { edit(t, dir, "PRAGMA application_id = 9") }, "another program"},
		"a result that is no": {func(t *testing.T, dir string) { edit(t, dir, "UPDATE results SET declared = '{}'") }, "damaged"},
		"an edited number": {func(t *testing.T, dir string) {
			edit(t, dir, "UPDATE results SET declared = json_set(declared, '$.steps', 6) WHERE rowid = 1")
		}, "changed since"},
		"a lost result": {func(t *testing.T, dir string) { edit(t, dir, "DELETE FROM results WHERE rowid = 1") }, "changed since"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := undisturbed(t, cells)
			c.damage(t, dir)
			before, _ := os.ReadFile(path(dir))
			l, err := OpenLedger(dir)
			if err == nil {
				_, err = l.FinalDigest()
				l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("digest: %v; want %q", err, c.want)
			}
			if after, _ := os.ReadFile(path(dir)); string(after) != string(before) {
				t.Error("looking at it changed it")
			}
		})
	}
	dir := t.TempDir()
	if _, err := OpenLedger(dir); err == nil || !strings.Contains(err.Error(), "holds no sweep") {
		t.Errorf("an empty folder: %v", err)
	}
	// A process that was killed before its first transaction leaves an empty file: there is no sweep yet.
	must(t, os.WriteFile(path(dir), nil, 0o666))
	if _, err := OpenLedger(dir); err == nil || !strings.Contains(err.Error(), "holds no sweep") {
		t.Errorf("an empty file: %v", err)
	}
	must(t, runIn(t, t.Context(), dir, cells, false, &watcher{}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Damaged checkpoints are errors that name the file and say what to do; without the file its cells are trained anew.
func TestDamagedCheckpoints(t *testing.T) {
	cells := smallCells(t)
	calm, _ := undisturbed(t, cells)
	interrupt := func(t *testing.T) (dir, path string) {
		dir = t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := runIn(t, ctx, dir, cells, false, &watcher{advanced: func(int) { cancel() }}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		paths, _ := filepath.Glob(filepath.Join(dir, checkpointDir, "*"+checkpointEnding))
		if len(paths) != 1 {
			t.Fatalf("checkpoints %v", paths)
		}
		return dir, paths[0]
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":         func(b []byte) []byte { return nil },
		"cut off":       func(b []byte) []byte { return b[:len(b)-3] },
		"a changed bit": func(b []byte) []byte { b[len(b)-5] ^= 4; return b },
		"another format": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), checkpointFormat, "lockstep/checkpoint/9", 1))
		},
	} {
		dir, path := interrupt(t)
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, damage(b), 0o666))
		if err := runIn(t, t.Context(), dir, cells, true, &watcher{}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: %v", name, err)
		}
		must(t, os.Remove(path))
		must(t, runIn(t, t.Context(), dir, cells, true, &watcher{}))
		if digestOf(t, dir) != digestOf(t, calm) {
			t.Errorf("%s: the digest is another one", name)
		}
	}
}

// A folder whose lock is removed while a run is at work takes no more results: another run may have it.
func TestLockRemoved(t *testing.T) {
	dir := t.TempDir()
	w := &watcher{done: func(int) error { return os.Remove(filepath.Join(dir, lockFile)) }}
	err := runIn(t, t.Context(), dir, smallCells(t)[:4], false, w)
	if err == nil || !strings.Contains(err.Error(), "removed or replaced") || len(w.results) != 1 {
		t.Errorf("%d results, %v", len(w.results), err)
	}
}

func TestStatus(t *testing.T) {
	cells := smallCells(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &watcher{}
	w.advanced = func(int) {
		if len(w.results) == 2 {
			if s, err := StatusOf(dir); err != nil || !s.Running || s.Done != 2 {
				t.Errorf("at work: %+v, %v", s, err)
			}
			cancel()
		}
	}
	if err := runIn(t, ctx, dir, cells, false, w); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s, err := StatusOf(dir)
	if err != nil || s.Running || s.Done != 2 || s.Cells != len(cells) || len(s.Checkpoints) != 1 || s.Checkpoints[0].Cells != 2 || s.Digest != "" {
		t.Errorf("stopped: %+v, %v", s, err)
	}
	if r := s.Runs; len(r) != 1 || r[0].Cells != 2 || time.Since(r[0].Started) > time.Hour || r[0].Last.Before(r[0].Started) || r[0].Engine != "cpu" {
		t.Errorf("runs: %+v", r)
	}
	must(t, runIn(t, t.Context(), dir, cells, true, &watcher{}))
	if s, err = StatusOf(dir); err != nil || s.Running || s.Done != len(cells) || len(s.Runs) != 2 || s.Digest == "" || s.Best <= 0 {
		t.Errorf("finished: %+v, %v", s, err)
	}
}
