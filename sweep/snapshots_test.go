package sweep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/cpu"
)

// Snapshots have the bits of the cell, in any packs, and after stops; they change no result.
func TestSnapshots(t *testing.T) {
	cells := smallCells(t)
	engine := func(threads int) *cpu.Engine {
		e, err := cpu.New(cpu.Options{Threads: threads})
		must(t, err)
		t.Cleanup(func() { e.Close() })
		return e
	}
	type key struct {
		id   string
		step int
	}
	var mu sync.Mutex
	want := map[key][]float32{}
	alone := &Snapshots{2, func(c Cell, step int, theta []float32) error {
		mu.Lock()
		defer mu.Unlock()
		want[key{c.ID(), step}] = theta
		return nil
	}}
	plain, err := Run(t.Context(), cells, Options{Engine: engine(1)})
	must(t, err)
	results, err := Run(t.Context(), cells, Options{Engine: engine(1), PackCells: 1, Snapshots: alone})
	must(t, err)
	a, err := Digest(plain)
	must(t, err)
	if b, err := Digest(results); err != nil || a != b {
		t.Errorf("with snapshots the digest is another one, error %v", err)
	}
	n := 0
	for _, c := range cells {
		for step := 0; step <= c.Steps; step += 2 {
			n++
			if theta := want[key{c.ID(), step}]; len(theta) != c.Model.D() || step > 0 && slices.Equal(theta, want[key{c.ID(), 0}]) {
				t.Errorf("cell (%s), step %d: %d numbers, or those of step 0", c.Name(), step, len(theta))
			}
		}
	}
	if len(want) != n {
		t.Errorf("%d snapshots; want %d", len(want), n)
	}

	// Stopped after each of the first results, with a checkpoint after every run of steps.
	dir, stop := filepath.Join(t.TempDir(), "stopped"), errors.New("stop")
	card, err := ParseCard("small.toml", []byte(small))
	must(t, err)
	o := Options{Engine: engine(2), PackCells: 3, Checkpoint: time.Nanosecond, Snapshots: SnapshotFiles(dir, 2)}
	for run := range 4 {
		o.Progress = &watcher{done: func(int) error { return stop }}
		if err := RunTo(t.Context(), dir, card, cells, run > 0, o); !errors.Is(err, stop) {
			t.Fatalf("run %d: %v", run, err)
		}
	}
	o.Progress = &watcher{}
	must(t, RunTo(context.Background(), dir, card, cells, true, o))
	for _, c := range cells {
		steps, thetas, err := ReadSnapshots(dir, c, 2)
		must(t, err)
		for i, step := range steps {
			if step != 2*i || !slices.Equal(thetas[i], want[key{c.ID(), step}]) {
				t.Errorf("cell (%s): snapshot %d is of step %d, or has other numbers", c.Name(), i, step)
			}
		}
		if len(steps) != c.Steps/2+1 {
			t.Errorf("cell (%s): %d snapshots", c.Name(), len(steps))
		}
	}

	if steps, _, err := ReadSnapshots(dir, cells[0], 4); err != nil || len(steps) != cells[0].Steps/4+1 || steps[1] != 4 {
		t.Errorf("every other snapshot: %v, %v", steps, err)
	}
	if _, _, err := ReadSnapshots(dir, cells[0], 3); err == nil || !strings.Contains(err.Error(), "no snapshot of step 3, but one of step ") {
		t.Errorf("snapshots that were not taken: %v", err)
	}
	// What is no snapshot is said to be none.
	folder := snapshotFolder(dir, cells[0])
	must(t, os.WriteFile(filepath.Join(folder, "2.npy"), []byte("\x93NUMPY"), 0o644))
	if _, _, err := ReadSnapshots(dir, cells[0], 2); err == nil || !strings.Contains(err.Error(), "2.npy") {
		t.Errorf("a damaged snapshot: error %v", err)
	}
	must(t, os.RemoveAll(folder))
	if _, _, err := ReadSnapshots(dir, cells[0], 2); err == nil || !strings.Contains(err.Error(), "holds no snapshots of cell") {
		t.Errorf("no snapshots: error %v", err)
	}
	// An error of whoever keeps them ends the sweep.
	o = Options{Engine: engine(1), Snapshots: &Snapshots{2, func(Cell, int, []float32) error { return stop }}}
	if _, err := Run(t.Context(), cells, o); !errors.Is(err, stop) || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("a snapshot that cannot be kept: error %v", err)
	}
}
