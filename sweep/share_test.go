package sweep

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/graph"
)

// counted is an engine that counts its packs and runs, and whose device may be lost.
type counted struct {
	graph.Engine
	packs, runs atomic.Int64
	lost        func() bool // asked before each run; nil: never
}

type countedPack struct {
	graph.Pack
	engine *counted
}

type countedExecutable struct {
	graph.Executable
	engine *counted
}

var errLost = errors.New("the device is lost")

func newCounted(t *testing.T) *counted {
	t.Helper()
	engine, err := cpu.New(cpu.Options{Threads: 1})
	must(t, err)
	return &counted{Engine: engine}
}

func (e *counted) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	e.packs.Add(1)
	p, err := e.Engine.NewPack(cells, groups)
	return &countedPack{p, e}, err
}

func (p *countedPack) Compile(prog *graph.Program) (graph.Executable, error) {
	x, err := p.Pack.Compile(prog)
	return &countedExecutable{x, p.engine}, err
}

func (x *countedExecutable) Run(ctx context.Context, steps int) error {
	x.engine.runs.Add(1)
	if x.engine.lost != nil && x.engine.lost() {
		return errLost
	}
	return x.Executable.Run(ctx, steps)
}

// alone is a watcher that notices calls that are not one at a time.
type alone struct {
	watcher
	inside, met atomic.Int64
}

func (a *alone) in() func() {
	if a.inside.Add(1) > 1 {
		a.met.Add(1)
	}
	time.Sleep(50 * time.Microsecond)
	return func() { a.inside.Add(-1) }
}
func (a *alone) Saved(n int)                      { defer a.in()(); a.watcher.Saved(n) }
func (a *alone) Advance(n int)                    { defer a.in()(); a.watcher.Advance(n) }
func (a *alone) Done(r Result) error              { defer a.in()(); return a.watcher.Done(r) }
func (a *alone) Skip(cells, steps int, b float64) { defer a.in()(); a.watcher.Skip(cells, steps, b) }

// Several engines share the packs out, and give the digest of one.
func TestEnginesShareThePacks(t *testing.T) {
	cells, card := smallCells(t), parse(t, small)
	for _, n := range []int{2, 3, 5} {
		o := Options{Checkpoint: time.Nanosecond}
		var all []*counted
		for range n {
			all = append(all, newCounted(t))
		}
		o.Engine = all[0]
		for _, e := range all[1:] {
			o.More = append(o.More, e)
		}
		told := &alone{}
		o.Progress = told
		dir := t.TempDir()
		must(t, RunTo(t.Context(), dir, card, cells, false, o))
		l, err := OpenLedger(dir)
		must(t, err)
		digest, err := l.FinalDigest()
		must(t, err)
		must(t, l.Close())
		if digest != smallDigest {
			t.Errorf("%d engines: digest %s; want %s", n, digest, smallDigest)
		}
		for i, e := range all {
			if e.packs.Load() == 0 {
				t.Errorf("engine %d of %d got no pack", i, n)
			}
		}
		if steps := told.steps + told.skippedSteps; len(told.results) != len(cells) || steps != stepsOf(cells) || told.saved == 0 {
			t.Errorf("%d engines: told of %d cells, %d steps, checkpoints of %d cells; want %d cells, %d steps, some checkpoints", n, len(told.results), steps, told.saved, len(cells), stepsOf(cells))
		}
		if told.met.Load() > 0 {
			t.Errorf("%d engines: %d calls of Progress met", n, told.met.Load())
		}
		if left, err := filepath.Glob(filepath.Join(dir, checkpointDir, "*")); err != nil || len(left) > 0 {
			t.Errorf("%d engines: left behind %v, %v", n, left, err)
		}
		if status, err := StatusOf(dir); err != nil || len(status.Runs) != 1 || !strings.HasSuffix(status.Runs[0].Engine, " x cpu") {
			t.Errorf("%d engines: the run is %+v, %v", n, status.Runs, err)
		}
	}
}

func stepsOf(cells []Cell) (n int) {
	for _, c := range cells {
		n += c.Steps
	}
	return n
}

// An engine that fails ends the sweep: the other one writes a checkpoint, and what has ended is kept for a run with --resume.
func TestEngineFailsBesideOthers(t *testing.T) {
	card := parse(t, endless)
	must(t, card.Set("axes.steps=[300, 400]"))
	cells, err := card.Cells()
	must(t, err)
	want, err := Run(t.Context(), cells, Options{Engine: newCounted(t)})
	must(t, err)
	digest, err := Digest(want)
	must(t, err)
	good, bad := newCounted(t), newCounted(t)
	bad.lost = func() bool {
		for good.runs.Load() < 20 {
			time.Sleep(time.Millisecond)
		}
		return bad.runs.Load() > 20
	}
	dir := t.TempDir()
	err = RunTo(t.Context(), dir, card, cells, false, Options{Engine: good, More: []graph.Engine{bad}, PackCells: 4})
	if !errors.Is(err, errLost) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "are kept") {
		t.Fatalf("%v; want the loss, and what is kept", err)
	}
	if n := good.packs.Load(); n > 2 {
		t.Errorf("the good engine went on to pack %d", n)
	}
	told := &watcher{}
	must(t, RunTo(t.Context(), dir, card, cells, true, Options{Engine: newCounted(t), Progress: told}))
	if told.skippedSteps == 0 {
		t.Error("nothing was kept of what the good engine did")
	}
	l, err := OpenLedger(dir)
	must(t, err)
	defer l.Close()
	if got, err := l.FinalDigest(); err != nil || got != digest {
		t.Errorf("digest %s, %v; want %s", got, err, digest)
	}
}

// There are as many packs as engines, where there are cells enough.
func TestSpread(t *testing.T) {
	pack := func(cells int) *packPlan { return &packPlan{cells: make([]Cell, cells), index: make([]int, cells)} }
	for _, c := range []struct {
		packs []int
		n     int
		want  []int
	}{
		{[]int{5, 2}, 2, []int{5, 2}},
		{[]int{5, 2}, 3, []int{2, 3, 2}},
		{[]int{5, 2}, 4, []int{2, 1, 2, 2}},
		{[]int{2, 1}, 9, []int{1, 1, 1}},
		{nil, 2, nil},
	} {
		var packs []*packPlan
		for _, n := range c.packs {
			packs = append(packs, pack(n))
		}
		var got []int
		for _, p := range spread(packs, c.n) {
			if len(p.cells) != len(p.index) {
				t.Errorf("%d cells with %d indices", len(p.cells), len(p.index))
			}
			got = append(got, len(p.cells))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v for %d engines: %v; want %v", c.packs, c.n, got, c.want)
		}
	}
}
