package sweep

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/graph"
)

// metered is an engine whose device uses 3 J between two questions, from a first reading on; after `deaf` questions it tells nothing more.
type metered struct {
	*counted
	asked, deaf int
}

func (m *metered) Sense() (graph.Reading, error) {
	m.asked++
	if m.deaf > 0 && m.asked > m.deaf {
		return graph.Reading{}, errors.New("it does not tell")
	}
	return graph.Reading{Device: "a card", Joules: 1000 + 3*float64(m.asked), Watts: 200 + 10*float64(m.asked%2), Clock: 1500, Temperature: 50, Held: []string{"heat"}}, nil
}

// ledgerIn reads the results and the record of a folder.
func ledgerIn(t *testing.T, dir string) ([]Result, Record) {
	t.Helper()
	l, err := OpenLedger(dir)
	must(t, err)
	defer l.Close()
	results, err := l.All()
	must(t, err)
	r, err := l.Record()
	must(t, err)
	return results, r
}

// What a device uses is shared out among the cells, all of it, whether a run is stopped or not, and is no part of the digest.
func TestEnergyOfCells(t *testing.T) {
	cells := smallCells(t)[:5]
	calm, _ := undisturbed(t, cells)
	whole := t.TempDir()
	m := &metered{counted: newCounted(t)}
	must(t, runIn(t, t.Context(), whole, cells, false, &watcher{}, func(o *Options) { o.Engine = m }))
	results, record := ledgerIn(t, whole)
	sum := 0.0
	for _, r := range results {
		if r.Joules == nil || *r.Joules <= 0 {
			t.Fatalf("cell (%s) took %v J", r.Name(), r.Joules)
		}
		sum += *r.Joules
	}
	packs := int(m.packs.Load()) // of what is used before a pack is at work nobody is told
	if want := 3 * float64(m.asked-packs); math.Abs(sum-want) > 1e-9*want {
		t.Errorf("cells took %v J together; the device used %v", sum, want)
	}
	run := record.Runs[0]
	if run.Metered != len(cells) || run.Joules == nil || math.Abs(*run.Joules-sum) > 1e-9*sum || !strings.HasSuffix(run.Energy(), " J a cell") {
		t.Errorf("the run took %v J for %d cells: %q", run.Joules, run.Metered, run.Energy())
	}
	if len(run.Devices) != 1 || run.Devices[0].String() != "a card: 210 W on average, 210 W at most, SM clock 1500 to 1500 MHz, held by heat, 50 C at most (1 readings)" {
		t.Errorf("the devices told %v", run.Devices)
	}
	if a, b := digestOf(t, calm), digestOf(t, whole); a != b {
		t.Errorf("digest %s with a meter; want %s", b, a)
	}
	l, err := OpenLedger(whole)
	must(t, err)
	defer l.Close()
	var csv bytes.Buffer
	must(t, l.Export("csv", &csv))
	if head, _, _ := strings.Cut(csv.String(), "\n"); !strings.HasSuffix(head, ",joules") || strings.Contains(csv.String(), ",\n") {
		t.Errorf("exported without energy:\n%s", csv.String())
	}
}

// The energy that a stopped run used stands in its checkpoints.
func TestEnergyOfStoppedRuns(t *testing.T) {
	cells := smallCells(t)[:2]
	dir := t.TempDir()
	m := &metered{counted: newCounted(t)}
	ctx, stop := context.WithCancel(t.Context())
	w := &watcher{advanced: func(steps int) {
		if steps >= 4 {
			stop()
		}
	}}
	set := func(o *Options) { o.Engine = m }
	if err := runIn(t, ctx, dir, cells, false, w, set); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, runIn(t, t.Context(), dir, cells, true, &watcher{}, set))
	results, record := ledgerIn(t, dir)
	sum := 0.0
	for _, r := range results {
		sum += *r.Joules
	}
	if want := 3 * float64(m.asked-2); math.Abs(sum-want) > 1e-6*want || len(record.Runs) != 2 { // the checkpoint has float32
		t.Errorf("cells took %v J together in %d runs; the device used %v", sum, len(record.Runs), want)
	}
}

// A device that ceases to tell leaves the cells without a figure, and nothing else changes.
func TestEnergyIsNotGuessed(t *testing.T) {
	cells := smallCells(t)[:4]
	dir := t.TempDir()
	m := &metered{counted: newCounted(t), deaf: 10}
	must(t, runIn(t, t.Context(), dir, cells, false, &watcher{}, func(o *Options) { o.Engine = m }))
	results, record := ledgerIn(t, dir)
	known := 0
	for _, r := range results {
		if r.Joules != nil {
			known++
		}
	}
	if known == 0 || known == len(cells) || record.Runs[0].Metered != known || !strings.Contains(record.Runs[0].Energy(), "it is known") {
		t.Errorf("the energy of %d of %d cells is known: %q", known, len(cells), record.Runs[0].Energy())
	}
}

// A ledger of a build without these tables can be read, and gets them when a run goes on with it.
func TestLedgerWithoutDevices(t *testing.T) {
	cells := smallCells(t)[:4]
	dir := t.TempDir()
	w := &watcher{done: func(ended int) error { return errors.New("enough") }}
	if err := runIn(t, t.Context(), dir, cells, false, w); err == nil {
		t.Fatal("it was not stopped")
	}
	l, err := openLedger(dir, "mode=rw")
	must(t, err)
	_, err = l.db.Exec("DROP TABLE energy; DROP TABLE readings")
	must(t, errors.Join(err, l.Close()))
	if results, record := ledgerIn(t, dir); len(results) != 1 || len(record.Runs) != 1 {
		t.Errorf("%d results of %d runs", len(results), len(record.Runs))
	}
	m := &metered{counted: newCounted(t)}
	must(t, runIn(t, t.Context(), dir, cells, true, &watcher{}, func(o *Options) { o.Engine = m }))
	if _, record := ledgerIn(t, dir); len(record.Runs) != 2 || record.Runs[1].Metered != 2 { // one had begun without a meter
		t.Errorf("%+v", record.Runs)
	}
	calm, _ := undisturbed(t, cells)
	if a, b := digestOf(t, calm), digestOf(t, filepath.Clean(dir)); a != b {
		t.Errorf("digest %s; want %s", b, a)
	}
}

// What is used in a run in which no cell does a step is shared out, too.
func TestEnergyOfDivergedCells(t *testing.T) {
	card := parse(t, small)
	must(t, card.Set("rule.lr=1e30"))
	cells, err := card.Cells()
	must(t, err)
	cells = cells[:2]
	dir := t.TempDir()
	m := &metered{counted: newCounted(t)}
	must(t, RunTo(t.Context(), dir, card, cells, false, Options{Engine: m, PackCells: 2, Progress: &watcher{}}))
	results, _ := ledgerIn(t, dir)
	sum := 0.0
	for _, r := range results {
		if !r.Declared.Diverged {
			t.Fatal("a cell has not diverged: the test shows nothing")
		}
		sum += *r.Joules
	}
	if want := 3 * float64(m.asked-1); math.Abs(sum-want) > 1e-9*want {
		t.Errorf("cells took %v J together; the device used %v", sum, want)
	}
}

// A ledger that cannot take what a device says is no reason to end a sweep.
func TestReadingsAreNotNeeded(t *testing.T) {
	cells := smallCells(t)[:4]
	dir := t.TempDir()
	if err := runIn(t, t.Context(), dir, cells, false, &watcher{done: func(int) error { return errors.New("enough") }}); err == nil {
		t.Fatal("it was not stopped")
	}
	l, err := openLedger(dir, "mode=rw")
	must(t, err)
	_, err = l.db.Exec("CREATE TRIGGER no BEFORE INSERT ON readings BEGIN SELECT RAISE(ABORT, 'no room'); END")
	must(t, errors.Join(err, l.Close()))
	w := &watcher{}
	must(t, runIn(t, t.Context(), dir, cells, true, w, func(o *Options) { o.Engine = &metered{counted: newCounted(t)} }))
	if len(w.troubles) != 1 || !strings.Contains(w.troubles[0].Error(), "no room") {
		t.Errorf("told of %v", w.troubles)
	}
}
