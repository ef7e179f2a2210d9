package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/graph"
)

// counted is an engine that counts its packs and runs, and whose device may fail.
type counted struct {
	graph.Engine
	packs, runs atomic.Int64
	lost        func() bool                    // asked before each run; nil: never
	compiles    func(cells, nth int) error     // asked before a pack's nth program, from 1, is compiled; nil: no error
	runsInto    func(cells int, r int64) error // asked before run r; nil: no error
}

type countedPack struct {
	graph.Pack
	engine   *counted
	cells    int
	compiled int
}

type countedExecutable struct {
	graph.Executable
	engine *counted
	cells  int
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
	return &countedPack{p, e, cells, 0}, err
}

func (p *countedPack) Compile(prog *graph.Program) (graph.Executable, error) {
	p.compiled++
	if p.engine.compiles != nil {
		if err := p.engine.compiles(p.cells, p.compiled); err != nil {
			return nil, err
		}
	}
	x, err := p.Pack.Compile(prog)
	return &countedExecutable{x, p.engine, p.cells}, err
}

func (x *countedExecutable) Run(ctx context.Context, steps int) error {
	r := x.engine.runs.Add(1)
	if x.engine.runsInto != nil {
		if err := x.engine.runsInto(x.cells, r); err != nil {
			return err
		}
	}
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
		if digest := digestIn(t, dir); digest != smallDigest {
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
	card, cells, digest := longCells(t)
	good, bad := newCounted(t), newCounted(t)
	bad.lost = func() bool {
		for good.runs.Load() < 6 {
			time.Sleep(time.Millisecond)
		}
		return bad.runs.Load() > 6
	}
	dir := t.TempDir()
	err := RunTo(t.Context(), dir, card, cells, false, Options{Engine: good, More: []graph.Engine{bad}, PackCells: 4})
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
	if got := digestIn(t, dir); got != digest {
		t.Errorf("digest %s; want %s", got, digest)
	}
}

// An error of the engine is told, and nothing is kept of a pack after it, also where the sweep is being stopped.
func TestErrorWhileStopping(t *testing.T) {
	cells := smallCells(t)[:2]
	engine := newCounted(t)
	ctx, stop := context.WithCancel(t.Context())
	fault := errors.New("a launch failed in the midst of a step")
	engine.runsInto = func(_ int, r int64) error {
		if r < 4 {
			return nil
		}
		stop()
		return fault
	}
	w := &watcher{}
	if err := runIn(t, ctx, t.TempDir(), cells, false, w, func(o *Options) { o.Engine = engine }); !errors.Is(err, fault) || w.saved > 0 {
		t.Errorf("%v after %d checkpoints", err, w.saved)
	}
}

// A sweep that is stopped between two packs says so, and what it hands over are the cells that have ended.
func TestStoppedBetweenPacks(t *testing.T) {
	cells := smallCells(t)
	for engines := 1; engines <= 2; engines++ {
		set := func(o *Options) {
			o.Engine, o.PackCells = newCounted(t), 1
			if engines == 2 {
				o.More = []graph.Engine{newCounted(t)}
			}
		}
		stopping := func() (context.Context, *watcher) {
			ctx, stop := context.WithCancel(t.Context())
			return ctx, &watcher{done: func(ended int) error {
				if ended == 2 {
					stop()
					time.Sleep(100 * time.Millisecond) // so that the queue knows before the pack has ended
				}
				return nil
			}}
		}
		ctx, w := stopping()
		o := Options{Progress: w}
		set(&o)
		results, err := Run(ctx, cells, o)
		if !errors.Is(err, context.Canceled) || len(results) < 2 || len(results) == len(cells) {
			t.Errorf("%d engines: %d results, %v", engines, len(results), err)
		}
		for _, r := range results {
			if r.ID == "" {
				t.Errorf("%d engines: a result of no cell", engines)
			}
		}
		ctx, w = stopping()
		dir := t.TempDir()
		if err := runIn(t, ctx, dir, cells, false, w, set); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume") {
			t.Errorf("%d engines: %v", engines, err)
		}
		must(t, runIn(t, t.Context(), dir, cells, true, &watcher{}, set))
		all, err := Run(t.Context(), cells, Options{Engine: newCounted(t)})
		must(t, err)
		if want, err := Digest(all); err != nil || digestOf(t, dir) != want {
			t.Errorf("%d engines: taken up again it is %s, %v; want %s", engines, digestOf(t, dir), err, want)
		}
	}
}

// A sweep looks at its cells when some time is over, and not at each of the losses that it keeps.
func TestRunsAreFew(t *testing.T) {
	card := parse(t, endless)
	must(t, card.Set("axes.steps=[300]"))
	cells, err := card.Cells()
	must(t, err)
	engine := newCounted(t)
	results, err := Run(t.Context(), cells[:2], Options{Engine: engine})
	must(t, err)
	if n := engine.runs.Load(); n > 40 || len(results[0].Declared.Losses) != keptLosses {
		t.Errorf("%d runs of steps for %d losses", n, len(results[0].Declared.Losses))
	}
}

// longCells are those of a sweep that takes a while, and its digest.
func longCells(t *testing.T) (card *Card, cells []Cell, digest string) {
	t.Helper()
	card = parse(t, endless)
	must(t, card.Set("axes.steps=[300, 400]"))
	cells, err := card.Cells()
	must(t, err)
	want, err := Run(t.Context(), cells, Options{Engine: newCounted(t)})
	must(t, err)
	digest, err = Digest(want)
	must(t, err)
	return card, cells, digest
}

// digestIn is the digest of the sweep in a folder.
func digestIn(t *testing.T, dir string) string {
	t.Helper()
	l, err := OpenLedger(dir)
	must(t, err)
	defer l.Close()
	digest, err := l.FinalDigest()
	must(t, err)
	return digest
}

// A pack for which memory does not suffice after all is cut in two, whenever that is: no step is trained twice, and the digest is the same.
func TestPackIsCutWhenMemoryIsExhausted(t *testing.T) {
	cells, card := smallCells(t), parse(t, small)
	for nth := 1; nth <= 4; nth++ { // the setup, the training, an evaluation and its summary
		e, told := newCounted(t), &watcher{}
		e.compiles = func(cells, n int) error {
			if cells > 2 && n == nth {
				return fmt.Errorf("program %d: %w", n, graph.ErrMemory)
			}
			return nil
		}
		dir := t.TempDir()
		must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: e, PackCells: 8, Progress: told}))
		if digest := digestIn(t, dir); digest != smallDigest {
			t.Errorf("program %d: digest %s; want %s", nth, digest, smallDigest)
		}
		if len(told.troubles) == 0 || !errors.Is(told.troubles[0], graph.ErrMemory) || !strings.Contains(told.troubles[0].Error(), "cut in two: program ") {
			t.Errorf("program %d: told of %v", nth, told.troubles)
		}
		if n := stepsOf(cells); told.steps+told.skippedSteps != n || told.steps > n || len(told.results) != len(cells) {
			t.Errorf("program %d: told of %d steps, %d that are skipped, %d cells; want %d in all, none twice, %d cells", nth, told.steps, told.skippedSteps, len(told.results), n, len(cells))
		}
	}
}

// A cell for which memory does not suffice ends the sweep. What has ended is kept.
func TestCellAloneExhaustsMemory(t *testing.T) {
	cells, card := smallCells(t), parse(t, small)
	e := newCounted(t)
	e.compiles = func(_, n int) error {
		if n == 3 && e.packs.Load() > 3 {
			return graph.ErrMemory
		}
		return nil
	}
	dir := t.TempDir()
	err := RunTo(t.Context(), dir, card, cells, false, Options{Engine: e, PackCells: 2})
	if !errors.Is(err, graph.ErrMemory) || !strings.Contains(err.Error(), "alone") || !strings.Contains(err.Error(), "are kept") {
		t.Fatalf("%v; want a cell alone, and what is kept", err)
	}
	must(t, RunTo(t.Context(), dir, card, cells, true, Options{Engine: newCounted(t)}))
	if digest := digestIn(t, dir); digest != smallDigest {
		t.Errorf("digest %s; want %s", digest, smallDigest)
	}
}

// What a lost engine had in hand goes to another one, which takes it up from its checkpoint. The last engine that is lost ends the sweep, and so
// does the second one that is lost with the same cells: they may be at fault.
func TestLostEngineLeavesItsPacks(t *testing.T) {
	card, cells, digest := longCells(t)
	after := func(e *counted, runs int64) {
		e.runsInto = func(_ int, r int64) error {
			if r > runs {
				return fmt.Errorf("run %d: %w", r, graph.ErrLost)
			}
			return nil
		}
	}
	good, bad, told := newCounted(t), newCounted(t), &watcher{}
	after(bad, 5)
	dir := t.TempDir()
	must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: good, More: []graph.Engine{bad}, PackCells: 4, Checkpoint: time.Nanosecond, Progress: told}))
	if got := digestIn(t, dir); got != digest {
		t.Errorf("digest %s; want %s", got, digest)
	}
	if len(told.troubles) != 1 || !errors.Is(told.troubles[0], graph.ErrLost) || !strings.Contains(told.troubles[0].Error(), "left to the others: run 6") {
		t.Errorf("told of %v", told.troubles)
	}
	if n := stepsOf(cells); told.steps+told.skippedSteps != n || len(told.results) != len(cells) {
		t.Errorf("told of %d steps and %d that are skipped; want %d", told.steps, told.skippedSteps, n)
	}

	// Both engines are lost, each with cells of its own.
	one, two := newCounted(t), newCounted(t)
	after(one, 5)
	after(two, 9)
	dir = t.TempDir()
	err := RunTo(t.Context(), dir, card, cells, false, Options{Engine: one, More: []graph.Engine{two}, PackCells: 4, Checkpoint: time.Nanosecond})
	if !errors.Is(err, graph.ErrLost) || !strings.Contains(err.Error(), "are kept") || strings.Contains(err.Error(), "the same cells") {
		t.Errorf("%v; want the loss, and what is kept", err)
	}
	must(t, RunTo(t.Context(), dir, card, cells, true, Options{Engine: newCounted(t)}))
	if got := digestIn(t, dir); got != digest {
		t.Errorf("after all were lost: digest %s; want %s", got, digest)
	}

	// The second engine is lost with what the first one had in hand; the third one is there, and waits until then.
	one, two, three := newCounted(t), newCounted(t), newCounted(t)
	after(one, 5)
	var gone atomic.Bool
	two.runsInto = func(int, int64) error {
		if two.packs.Load() > 1 {
			gone.Store(true)
			return graph.ErrLost
		}
		return nil
	}
	three.runsInto = func(int, int64) error {
		for !gone.Load() {
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	err = RunTo(t.Context(), t.TempDir(), card, cells, false, Options{Engine: one, More: []graph.Engine{two, three}, PackCells: 4})
	if !errors.Is(err, graph.ErrLost) || !strings.Contains(err.Error(), "before that the same cells") {
		t.Errorf("%v; want the loss of two engines with the same cells", err)
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
