package sweep

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
)

// A run that ends after each result in turn goes on where it was, trains no step twice, and ends with the results of an
// undisturbed run, in the order of the card.
func TestStoppedRunGoesOn(t *testing.T) {
	t.Run("states read at once", stoppedRunGoesOn)
	defer func(n int64) { atOnce = n }(atOnce)
	atOnce = 0
	t.Run("states read cell by cell", stoppedRunGoesOn)
}

func stoppedRunGoesOn(t *testing.T) {
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
	for runs < 100 {
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

func TestNothingToGoOnWith(t *testing.T) {
	dir := t.TempDir()
	if err := runIn(t, t.Context(), dir, smallCells(t)[:2], true, &watcher{}); err == nil || !strings.Contains(err.Error(), "leave --resume out") {
		t.Errorf("--resume in an empty folder: %v", err)
	}
	must(t, runIn(t, t.Context(), dir, smallCells(t)[:2], false, &watcher{}))
}
