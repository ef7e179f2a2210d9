package sweep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/internal/files"
)

// stopper counts what a sweep does, and ends it after some packs.
type stopper struct {
	packs, steps, skipped int
	stop                  func(packs int) error
}

func (s *stopper) Advance(n int) { s.steps += n }
func (s *stopper) Done([]Result) error {
	s.packs++
	if s.stop != nil {
		return s.stop(s.packs)
	}
	return nil
}
func (s *stopper) Skip(r []Result) error {
	s.skipped += len(r)
	return nil
}

func runTo(t *testing.T, dir string, cells []Cell, s *stopper) ([]Result, error) {
	t.Helper()
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return RunTo(context.Background(), dir, cells, Options{Engine: engine, PackCells: 2, Progress: s})
}

func digestOf(t *testing.T, dir string) string {
	t.Helper()
	results, err := LoadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Digest(results)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A run that stops after each pack in turn, once in the middle of a line, goes on where it was, and ends with the results
// of an undisturbed run, in the order of the card.
func TestStoppedRunGoesOn(t *testing.T) {
	cells := smallCells(t)
	whole, broken := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "broken")
	once := &stopper{}
	if _, err := runTo(t, whole, cells, once); err != nil {
		t.Fatal(err)
	}
	stop, steps, runs := errors.New("stop"), 0, 0
	for ; ; runs++ {
		s := &stopper{stop: func(int) error { return stop }}
		if runs == 1 {
			s.stop = func(int) error { // a line that is cut off counts for nothing
				f, err := os.OpenFile(filepath.Join(broken, partFile), os.O_WRONLY|os.O_APPEND, 0)
				if err == nil {
					_, err = f.WriteString(`{"id":"0123`)
				}
				return errors.Join(err, stop)
			}
		}
		_, err := runTo(t, broken, cells, s)
		steps += s.steps
		if s.skipped != 0 && s.skipped >= len(cells) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if !errors.Is(err, stop) {
			t.Fatalf("run %d: %v", runs, err)
		}
		if _, err := LoadResults(broken); err == nil {
			t.Fatal("an unfinished sweep has results")
		}
	}
	if steps != once.steps || runs != once.packs {
		t.Errorf("%d runs trained %d steps; one trains %d in %d packs", runs, steps, once.steps, once.packs)
	}
	if digestOf(t, broken) != digestOf(t, whole) {
		t.Error("the digest of the stopped run is another one")
	}
	a, _ := os.ReadFile(filepath.Join(whole, ResultsFile))
	b, _ := os.ReadFile(filepath.Join(broken, ResultsFile))
	if string(a) != string(b) {
		t.Error("the files differ")
	}
	results, err := LoadResults(whole)
	if err != nil || !slices.EqualFunc(results, cells, func(r Result, c Cell) bool { return r.ID == c.ID() }) {
		t.Errorf("the results are not in the order of the cells: %v", err)
	}
}

func TestFolderHoldsOneSweep(t *testing.T) {
	cells := smallCells(t)[:2]
	dir := t.TempDir()
	if _, err := runTo(t, dir, cells, &stopper{}); err != nil {
		t.Fatal(err)
	}
	before := digestOf(t, dir)
	if _, err := runTo(t, dir, smallCells(t)[:3], &stopper{}); err == nil || !strings.Contains(err.Error(), "another folder") {
		t.Errorf("another sweep in the folder: %v", err)
	}
	lock, err := files.NewLock(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runTo(t, dir, cells, &stopper{}); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second run in the folder: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if digestOf(t, dir) != before {
		t.Error("refused runs changed the results")
	}
	if _, err := runTo(t, dir, cells, &stopper{}); err != nil || digestOf(t, dir) != before {
		t.Errorf("the same sweep once more: %v", err)
	}
}

func TestDamagedFolders(t *testing.T) {
	cells := smallCells(t)[:2]
	for name, damage := range map[string]func(dir string) error{
		"no results":       func(dir string) error { return os.WriteFile(filepath.Join(dir, ResultsFile), nil, 0o666) },
		"no file":          func(dir string) error { return os.Remove(filepath.Join(dir, ResultsFile)) },
		"no manifest":      func(dir string) error { return os.Remove(filepath.Join(dir, manifestFile)) },
		"damaged manifest": func(dir string) error { return os.WriteFile(filepath.Join(dir, manifestFile), []byte("{"), 0o666) },
		"an edited number": func(dir string) error {
			path := filepath.Join(dir, ResultsFile)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(b), `"steps":7`, `"steps":6`, 1)), 0o666)
		},
		"an edited label": func(dir string) error {
			path := filepath.Join(dir, ResultsFile)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(b), `"arm":"ternary"`, `"arm":"ternarx"`, 1)), 0o666)
		},
		"an empty manifest": func(dir string) error { return os.WriteFile(filepath.Join(dir, manifestFile), []byte("{}"), 0o666) },
		"half the results": func(dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, ResultsFile))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, ResultsFile), b[:strings.IndexByte(string(b), '\n')+1], 0o666)
		},
	} {
		dir := t.TempDir()
		if _, err := runTo(t, dir, cells, &stopper{}); err != nil {
			t.Fatal(err)
		}
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadResults(dir); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// Unfinished results are adopted only if they are whole results of cells of the sweep, each once.
func TestStrangeUnfinishedResults(t *testing.T) {
	cells := smallCells(t)[:2]
	whole := t.TempDir()
	if _, err := runTo(t, whole, cells, &stopper{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(whole, ResultsFile))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.SplitAfter(string(b), "\n")[0]
	for name, part := range map[string]string{
		"an empty object":   "{}\n",
		"missing fields":    `{"id":"` + cells[0].ID() + `","law":1}` + "\n",
		"a cell twice":      line + line,
		"another law":       strings.Replace(line, `"law":1`, `"law":7`, 1),
		"too many right":    regexp.MustCompile(`"test_correct":\d+`).ReplaceAllString(line, `"test_correct":9999`),
		"too many steps":    strings.Replace(line, `"steps":7`, `"steps":70`, 1),
		"other derived":     regexp.MustCompile(`"performance":[0-9.e-]+`).ReplaceAllString(line, `"performance":0.5`),
		"another dimension": strings.Replace(line, `"d":`, `"d":1`, 1),
		"zeros":             strings.Repeat("\x00", 100) + "\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, partFile), []byte(part), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := runTo(t, dir, cells, &stopper{}); err == nil || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A result keeps its bits, not its labels.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, partFile), []byte(line), 0o666); err != nil {
		t.Fatal(err)
	}
	for i := range cells {
		cells[i].Arm = "renamed"
	}
	s := &stopper{}
	results, err := runTo(t, dir, cells, s)
	if err != nil || s.skipped != 1 || results[0].Arm != "renamed" || digestOf(t, dir) != digestOf(t, whole) {
		t.Errorf("adopted %d results, %v", s.skipped, err)
	}
}

// A run that gives other results than the folder holds says so and leaves them.
func TestDisagreementIsAnError(t *testing.T) {
	cells := smallCells(t)[:2]
	dir := t.TempDir()
	if _, err := runTo(t, dir, cells, &stopper{}); err != nil {
		t.Fatal(err)
	}
	m, err := readManifest(filepath.Join(dir, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	before := m.Digest
	m.Digest = strings.Repeat("0", 64)
	if err := writeManifest(dir, m); err != nil {
		t.Fatal(err)
	}
	if _, err := runTo(t, dir, cells, &stopper{}); err == nil || !strings.Contains(err.Error(), before) || !strings.Contains(err.Error(), m.Digest) {
		t.Errorf("results that disagree with the folder's: %v", err)
	}
}

// A folder that loses its lock or its unfinished results while a run is at work publishes nothing wrong.
func TestFolderTamperedWith(t *testing.T) {
	cells := smallCells(t)[:4]
	dir := t.TempDir()
	_, err := runTo(t, dir, cells, &stopper{stop: func(int) error { return os.Remove(filepath.Join(dir, lockFile)) }})
	if err == nil {
		t.Error("a run whose lock was removed published its results")
	}
	if _, err := LoadResults(dir); err == nil {
		t.Error("there are results")
	}
}
