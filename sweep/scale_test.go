package sweep

import (
	"cmp"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/cpu"
)

// many is a card of 10,000 cells.
const many = `
name = "many"
seeds = {range = [0, 9]}
steps = 16
batch = 4
data = {name = "digits"}
model = {layers = [{type = "linear", out = 4}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = "$lr"}
map = {type = "ternary", d = "$d"}
axes = {lr = {log-range = [0.001, 1, 100]}, d = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]}
`

// Planning ten thousand cells traces the programs of a recipe once, not once a cell.
func TestPlanningTracesOnce(t *testing.T) {
	card := parse(t, many)
	start := time.Now()
	cells, err := card.Cells()
	must(t, err)
	keys := keyring{}
	for _, c := range cells {
		r, err := recipeOf(c)
		must(t, err)
		key, err := keys.of(r, c.set)
		must(t, err)
		if c.Seed == 0 && c.Dim() == 1 {
			if direct, err := r.key(c.set); err != nil || direct != key {
				t.Fatalf("cell (%s): key %s from the ring; %s, %v", c.Name(), key, direct, err)
			}
		}
	}
	packs, err := planPacks(cells, 64)
	must(t, err)
	l, err := claim(t.TempDir(), card, cells, false)
	must(t, err)
	must(t, l.Close())
	t.Logf("%d cells in %d packs, entered into a ledger: %s", len(cells), len(packs), time.Since(start).Round(time.Millisecond))
	if len(cells) != 10000 || len(packs) != 157 || len(keys) != 1 {
		t.Errorf("%d cells in %d packs, %d recipes; want 10000, 157 and 1", len(cells), len(packs), len(keys))
	}
	// Whatever shapes a program gives another key.
	all := smallCells(t)
	for _, c := range all {
		r, err := recipeOf(c)
		must(t, err)
		_, err = keys.of(r, c.set)
		must(t, err)
	}
	if len(keys) != 6 {
		t.Errorf("%d recipes; the small card has five more", len(keys))
	}
}

// The memory that a sweep holds on to does not grow with the cells that have ended. LOCKSTEP_CELLS=10000 runs them all.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes seconds (-short)")
	}
	n, _ := strconv.Atoi(os.Getenv("LOCKSTEP_CELLS"))
	n = cmp.Or(n, 1000)
	card := parse(t, many)
	cells, err := card.Cells()
	must(t, err)
	cells = cells[:n]
	engine, err := cpu.New(cpu.Options{})
	must(t, err)
	held := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var early, late, atLast int64
	ended := 0
	var freed atomic.Int64
	w := &progressFunc{func(r Result) error {
		runtime.AddCleanup(&r.Declared.Losses[0], func(int) { freed.Add(1) }, 0)
		switch ended++; ended {
		case n / 5:
			early = held()
		case n - 1:
			late = held()
			for range 50 { // cleanups run some time after the collection
				time.Sleep(10 * time.Millisecond)
			}
			atLast = freed.Load()
		}
		return nil
	}}
	start := time.Now()
	must(t, RunTo(t.Context(), t.TempDir(), card, cells, false, Options{Engine: engine, Progress: w}))
	took := time.Since(start)
	each := float64(late-early) / (0.8 * float64(n))
	t.Logf("%d cells in %s; %.1f MB after a fifth of them, %.1f MB at the end: %.0f bytes a cell", n, took.Round(time.Millisecond), float64(early)/1e6, float64(late)/1e6, each)
	if each > 100 { // a result alone takes a kilobyte
		t.Errorf("the sweep holds on to %.0f bytes of every cell that has ended", each)
	}
	// The plan shrinks while the sweep runs, and might hide it: so the results themselves are watched.
	if atLast < int64(n)*8/10 {
		t.Errorf("%d of %d results had been let go before the last cell ended", atLast, n)
	}
}

// progressFunc is a Progress of which only Done matters.
type progressFunc struct{ done func(Result) error }

func (*progressFunc) Skip(int, int, float64) {}
func (*progressFunc) Advance(int)            {}
func (*progressFunc) Saved(int)              {}
func (*progressFunc) Trouble(error)          {}
func (p *progressFunc) Done(r Result) error  { return p.done(r) }

// BenchmarkPlanning plans ten thousand cells and enters them into a ledger; more than 5 s is a failure.
func BenchmarkPlanning(b *testing.B) {
	card, err := ParseCard("many.toml", []byte(many))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		start := time.Now()
		cells, err := card.Cells()
		if err == nil {
			_, err = planPacks(cells, 64)
		}
		if err != nil {
			b.Fatal(err)
		}
		l, err := claim(b.TempDir(), card, cells, false)
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
		if took := time.Since(start); took > 5*time.Second {
			b.Errorf("10,000 cells took %s to plan; want less than 5 s", took)
		}
	}
}

// BenchmarkOverhead is what a cell costs beside its training and evaluation: planning, binding, the ledger, checkpoints every
// 30 s. Its share of cells that take one second is reported, too; more than 2 % is a failure.
func BenchmarkOverhead(b *testing.B) {
	card, err := ParseCard("many.toml", []byte(many))
	if err != nil {
		b.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	for b.Loop() {
		start := time.Now()
		cells, err := card.Cells()
		if err != nil {
			b.Fatal(err)
		}
		cells = cells[:1280]
		if err := RunTo(b.Context(), b.TempDir(), card, cells, false, Options{Engine: engine}); err != nil {
			b.Fatal(err)
		}
		each := time.Since(start).Seconds() / float64(len(cells))
		share := 100 * each * float64(runtime.GOMAXPROCS(0)) // so many cells end each second
		b.ReportMetric(1e3*each, "ms/cell")
		b.ReportMetric(share, "%of1s-cells")
		if share > 2 {
			b.Errorf("%.2f %% of cells of one second; want less than 2 %%", share)
		}
	}
}
