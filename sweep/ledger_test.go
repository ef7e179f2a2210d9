package sweep

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/internal/files"
)

// watcher counts what a sweep does, and ends it when told.
type watcher struct {
	steps, skippedSteps, skipped, saved int
	troubles                            []error
	results                             []Result
	done                                func(ended int) error
	advanced                            func(steps int)
	restored                            func(steps int)
}

func (w *watcher) Saved(int)         { w.saved++ }
func (w *watcher) Trouble(err error) { w.troubles = append(w.troubles, err) }
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
	if w.restored != nil && cells == 0 {
		w.restored(steps)
	}
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

// Checkpoints come as often as asked, and change nothing.
func TestCheckpointsChangeNothing(t *testing.T) {
	cells := smallCells(t)[:4]
	calm, _ := undisturbed(t, cells)
	dir, w := t.TempDir(), &watcher{}
	if err := runIn(t, t.Context(), dir, cells, false, w, func(o *Options) { o.Checkpoint = 1 }); err != nil {
		t.Fatal(err)
	}
	if w.saved < 4 || digestOf(t, dir) != digestOf(t, calm) {
		t.Errorf("%d checkpoints, digest %s; want one a run, and %s", w.saved, digestOf(t, dir), digestOf(t, calm))
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

// A folder's name is a name, not a pattern: neither its checkpoints nor another folder's are lost by it.
func TestFolderNamesAreNoPatterns(t *testing.T) {
	cells := smallCells(t)
	parent := t.TempDir()
	stopped := func(name string) (dir string) {
		dir = filepath.Join(parent, name)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := runIn(t, ctx, dir, cells, false, &watcher{advanced: func(int) { cancel() }}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return dir
	}
	sibling := stopped("run1")
	for _, name := range []string{"run[1]", "g[a-", "a*", `b\c`} {
		dir := stopped(name)
		if s, err := StatusOf(dir); err != nil || len(s.Checkpoints) != 1 {
			t.Errorf("%s: %+v, %v", name, s.Checkpoints, err)
		}
		w := &watcher{}
		if err := runIn(t, t.Context(), dir, cells, true, w); err != nil || w.skippedSteps == 0 {
			t.Errorf("%s: %v, %d steps from the checkpoint", name, err, w.skippedSteps)
		}
	}
	if s, err := StatusOf(sibling); err != nil || len(s.Checkpoints) != 1 {
		t.Errorf("the sibling's checkpoints: %+v, %v", s.Checkpoints, err)
	}
}

// A process that looks at the ledger for a while holds a run up, but does not end it.
func TestSlowReader(t *testing.T) {
	cells := smallCells(t)[:4]
	dir := t.TempDir()
	released := make(chan struct{})
	var once sync.Once
	w := &watcher{done: func(int) error {
		once.Do(func() {
			db, err := sql.Open("sqlite", filepath.Join(dir, LedgerFile))
			must(t, err)
			db.SetMaxOpenConns(1)
			_, err = db.Exec("BEGIN; SELECT count(*) FROM cells")
			must(t, err)
			go func() {
				time.Sleep(1500 * time.Millisecond)
				db.Close()
				close(released)
			}()
		})
		return nil
	}}
	must(t, runIn(t, t.Context(), dir, cells, false, w))
	<-released
	// A reader of ours that takes its time between results does not even do that.
	l, err := OpenLedger(dir)
	must(t, err)
	defer l.Close()
	for _, err := range l.Results() {
		must(t, err)
		edit(t, dir, "UPDATE sweep SET about = about || '!'")
	}
}

// A ledger with something wrong in it is refused before anything is trained.
func TestDamageIsFoundBeforeTraining(t *testing.T) {
	cells := smallCells(t)
	for name, statement := range map[string]string{
		"a result that cannot be read": "UPDATE results SET declared = '{}' WHERE rowid = 1",
		"a lost cell":                  "DELETE FROM cells WHERE id NOT IN (SELECT id FROM results) AND place = (SELECT max(place) FROM cells)",
		"a result of no cell":          "PRAGMA foreign_keys = OFF; INSERT INTO results SELECT 'zzz', run, ended, declared, train_loss, test_loss, test_accuracy, performance FROM results LIMIT 1",
	} {
		dir, stop := t.TempDir(), errors.New("stop")
		if err := runIn(t, t.Context(), dir, cells, false, &watcher{done: func(n int) error { return stop }}); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		edit(t, dir, statement)
		w := &watcher{}
		if err := runIn(t, t.Context(), dir, cells, true, w); err == nil || !strings.Contains(err.Error(), "damaged") || w.steps > 0 {
			t.Errorf("%s: %v, after %d steps", name, err, w.steps)
		}
	}
}

// Rows of cells that have ended are no checkpoint any more, and are removed with their files.
func TestCheckpointsOfEndedCells(t *testing.T) {
	cells := smallCells(t)
	dir, stop := t.TempDir(), errors.New("stop")
	ended := 0
	w := &watcher{done: func(int) error {
		if ended++; ended%2 == 0 { // a pack has handed over half of its cells
			return stop
		}
		return nil
	}}
	if err := runIn(t, t.Context(), dir, cells, false, w, func(o *Options) { o.PackCells = 4 }); !errors.Is(err, stop) || !strings.Contains(err.Error(), "checkpoint of 2 more") {
		t.Fatal(err)
	}
	if s, err := StatusOf(dir); err != nil || len(s.Checkpoints) != 1 || s.Checkpoints[0].Cells != 2 {
		t.Errorf("%+v, %v", s.Checkpoints, err)
	}
	// The next run takes the two over into another pack, whose checkpoint replaces the old one.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w = &watcher{advanced: func(int) { cancel() }}
	if err := runIn(t, ctx, dir, cells, true, w, func(o *Options) { o.PackCells = 3 }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s, err := StatusOf(dir); err != nil || len(s.Checkpoints) > 2 || len(s.Checkpoints) == 0 {
		t.Errorf("%+v, %v", s.Checkpoints, err)
	}
}

// Results are on the disk when a transaction ends, by the settings that SQLite's documentation names for that.
func TestLedgerIsDurable(t *testing.T) {
	cells := smallCells(t)[:1]
	l, err := claim(t.TempDir(), parse(t, small), cells, false)
	must(t, err)
	defer l.Close()
	var synchronous int
	var journal string
	must(t, l.db.QueryRow("PRAGMA synchronous").Scan(&synchronous))
	must(t, l.db.QueryRow("PRAGMA journal_mode").Scan(&journal))
	if synchronous != 2 || journal != "delete" {
		t.Errorf("synchronous = %d, journal_mode = %s; want 2 (FULL) and delete", synchronous, journal)
	}
}

// A checkpoint is due 30 seconds after the last one, or later if the last one took long, or when the user says.
func TestCheckpointIsDue(t *testing.T) {
	for _, c := range []struct {
		every, ago, took time.Duration
		want             bool
	}{
		{0, 29 * time.Second, 0, false},
		{0, 31 * time.Second, 0, true},
		{0, 31 * time.Second, time.Second, false},
		{0, 101 * time.Second, time.Second, true},
		{time.Second, 2 * time.Second, time.Second, true},
		{time.Minute, 31 * time.Second, 0, false},
	} {
		j := &job{worker: &worker{runner: &runner{ledger: &Ledger{}, Options: Options{Checkpoint: c.every}}}}
		j.last, j.took = time.Now().Add(-c.ago), c.took
		if got := j.due(); got != c.want {
			t.Errorf("every %s, %s after the last one, which took %s: due is %t", c.every, c.ago, c.took, got)
		}
	}
	if (&job{worker: &worker{runner: &runner{}}}).due() {
		t.Error("due without a ledger")
	}
}

// A diverged cell stands in the ledger with its first bad step and the losses before it, and nothing else changes.
func TestDivergedCellInTheLedger(t *testing.T) {
	card := parse(t, strings.Replace(small, "lr = [0.1, 0.01]", "lr = [0.1, 1e38]", 1))
	cells, err := card.Cells()
	must(t, err)
	dir := t.TempDir()
	engine, err := cpu.New(cpu.Options{})
	must(t, err)
	must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: engine}))
	l, err := OpenLedger(dir)
	must(t, err)
	defer l.Close()
	r, err := l.Record()
	if err != nil || r.Diverged != 2 || r.Done != len(cells) {
		t.Errorf("%d of %d cells diverged, %v", r.Diverged, r.Done, err)
	}
	for x, err := range l.Results() {
		must(t, err)
		bad := x.Axes.value("lr", "") == "1e38"
		if d := x.Declared; d.Diverged != bad || bad && (d.Steps < 1 || d.Steps >= 7) || len(d.Losses) != d.Steps {
			t.Errorf("cell (%s): diverged %t at step %d, %d losses", x.Name(), d.Diverged, d.Steps, len(d.Losses))
		}
	}
}
