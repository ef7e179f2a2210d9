package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

func engine(t *testing.T, variants ...string) graph.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{Threads: 2, Variants: variants})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func named(t *testing.T, name string) *Case {
	t.Helper()
	for _, c := range Cases() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no case is called %s", name)
	return nil
}

func options(t *testing.T, e graph.Engine) *Options {
	return &Options{Engine: e, Time: 5 * time.Millisecond, Memory: 1 << 33, Check: engine(t, cpu.Law), CheckName: "law", CheckWork: 1 << 20}
}

// peak is made up: figures that depend on it are the same on each machine.
var peak = graph.Peak{FMA: 1e11, Copy: 1e10, Cache: 1 << 16}

// Every case has a name of its own and a unit that counts something, and its program runs every op of every set in each step.
func TestEveryCaseIsInTheStep(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		seen[c.Name] = true
		if c.train != nil || c.sweep != nil || c.hvp != nil {
			continue
		}
		w, err := c.work()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if u, ok := units[c.Unit]; !ok || u.count(c, w) <= 0 {
			t.Errorf("%s: %+v has nothing that %q counts", c.Name, w, c.Unit)
		}
		steps := map[int]int{}
		for _, sets := range []int{1, 3} {
			p, err := c.program(sets, false)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			if _, err := engine(t).Plan([]*graph.Program{p}, c.Cells, c.groups()); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			tape := graph.Lower(p, func(op.Op, []op.Type) bool { return true })
			for _, n := range tape.Once {
				if _, fill := n.Op.(op.Fill); !fill {
					t.Errorf("%s: %s runs once", c.Name, op.Describe(n.Op))
				}
			}
			for _, o := range tape.P.Out {
				if words := tape.P.Types[o.V].Words(); words != 0 {
					t.Errorf("%s: an output shows %d words, whose copy would be timed", c.Name, words)
				}
			}
			steps[sets] = len(tape.Step)
		}
		if steps[1] == 0 || steps[3] != 3*steps[1] {
			t.Errorf("%s: %d nodes a step with one set, %d with three", c.Name, steps[1], steps[3])
		}
	}
}

// Work that was counted by hand.
func TestWork(t *testing.T) {
	for name, want := range map[string]Work{
		"matmul/128x64x32/cells=64":        {MACs: 64 * 128 * 64 * 32, Bytes: 64 * 4 * (128*64 + 64*32 + 128*32), Words: 64 * 128 * 32},
		"matmul/64x128x10/TA/cells=1":      {MACs: 64 * 128 * 10, Bytes: 4 * (128*64 + 128*10 + 64*10), Words: 64 * 10},
		"matmuljvp/128x64x64/cells=1":      {MACs: 2 * 128 * 64 * 64, Bytes: 4 * (2*128*64 + 2*64*64 + 128*64), Words: 128 * 64},
		"ternarymm/d125-D8970/cells=64":    {Codes: 64 * 125 * 8970, Bytes: 4 * (64*(125+1+8970) + 125*564), Words: 64 * 8970},
		"ternarymmtail/D8970-d125/cells=1": {Codes: 125 * 8970, Bytes: 4 * (8970 + 1 + 125 + 125*564), Words: 125},
		"gather/1437x64/cells=1":           {Bytes: 4 * (2*128*64 + 128), Words: 128 * 64},
		"gather/1437x64/cells=64":          {Bytes: 4 * (1437*64 + 64*(128*64+128)), Words: 64 * 128 * 64},
		"adam/125/cells=1":                 {Bytes: 4 * (4*125 + 8 + 3*125), Words: 3 * 125},
		"normal/8970/cells=64":             {Bytes: 64 * 4 * (3 + 8970), Words: 64 * 8970},
	} {
		if got, err := named(t, name).work(); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	// Forward 64-64-64-10; backward: weights of all layers, inputs of all but the first; P z and its gradient.
	c := named(t, "train/digits-w64-d100/cells=64")
	cells, err := c.train.cells(c.Cells)
	if err != nil {
		t.Fatal(err)
	}
	p, _, _, err := sweep.TrainingPrograms(cells)
	if err != nil {
		t.Fatal(err)
	}
	w := c.train.work(p, c.Cells)
	forward, D := int64(128*(64*64+64*64+64*10)), int64(8970)
	if want := 64 * (2*forward + 128*(64*64+64*10)); w.MACs != want || w.Codes != 64*2*100*D || c.train.Params() != int(D) {
		t.Errorf("%+v; want %d multiply-adds and %d codes", w, want, 64*2*100*D)
	}
}

func TestFloor(t *testing.T) {
	w := Work{MACs: 1e11, Bytes: 3e10}
	for _, c := range []struct {
		w      Work
		cached bool
		want   float64
		bound  string
	}{{w, false, 3, "memory"}, {w, true, 1, "fma"}, {Work{Bytes: 1e10}, true, 0, ""}, {Work{Codes: 1, Bytes: 1e10}, false, 1, "memory"}} {
		if got, bound := c.w.Floor(peak, c.cached); got != c.want || bound != c.bound {
			t.Errorf("%+v, cached %v: %v s by %q; want %v by %q", c.w, c.cached, got, bound, c.want, c.bound)
		}
	}
	if got, bound := w.Floor(graph.Peak{}, false); got != 0 || bound != "" {
		t.Errorf("without peaks: %v s by %q", got, bound)
	}
}

// A small case of each kind is measured, and its results are checked.
func TestMeasure(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"matmul/128x64x32/cells=1", "xent/128x10/cells=64", "gather/1437x64/cells=1", "batch/128of1437/cells=1", "basis/125x8970/cells=1"} {
		c := named(t, name)
		r, err := Measure(context.Background(), c, options(t, e), peak)
		if err != nil || r.Skipped != "" {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if r.NS <= 0 || r.Q1 > r.NS || r.NS > r.Q3 || r.Bursts < 3 || r.Sets < 1 || r.Rate <= 0 || len(r.Kernels) == 0 || r.Planned <= 0 {
			t.Errorf("%+v", r)
		}
		if want := r.Bytes <= 1<<20 && r.MACs <= 1<<19; want && r.Checked != "law" {
			t.Errorf("%s was not checked", name)
		}
	}
	o := options(t, e)
	o.CheckWork = 1 << 25
	r, err := Measure(context.Background(), named(t, "train/digits-w64-d100/cells=1"), o, peak)
	if err != nil || r.Checked != "law" || r.Roofline <= 0 || r.Bound != "fma" {
		t.Errorf("%+v, %v", r, err)
	}
}

// wrong is an engine whose results are not those of the law: it changes a bit of a byte that is read.
type wrong struct {
	graph.Engine
	at int
}

type wrongPack struct {
	graph.Pack
	at int
}

func (w wrong) NewPack(cells int, g graph.Groups) (graph.Pack, error) {
	p, err := w.Engine.NewPack(cells, g)
	return wrongPack{p, w.at}, err
}

func (p wrongPack) Read(name string, cell int, dst []byte) error {
	err := p.Pack.Read(name, cell, dst)
	if len(dst) > p.at {
		dst[p.at] ^= 1
	}
	return err
}

func TestWrongBitsAreNotMeasured(t *testing.T) {
	for _, name := range []string{"relu/128x128/cells=1", "train/digits-w64-d100/cells=1"} {
		o := options(t, wrong{engine(t), 4})
		o.CheckWork = 1 << 25
		if _, err := Measure(context.Background(), named(t, name), o, peak); err == nil || !strings.Contains(err.Error(), "a kernel is wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSkips(t *testing.T) {
	small := options(t, engine(t))
	small.Memory = 1000
	for _, name := range []string{"relu/128x128/cells=64", "train/digits-w64-d100/cells=1"} {
		if r, err := Measure(context.Background(), named(t, name), small, peak); err != nil || !strings.Contains(r.Skipped, "it needs") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := Measure(context.Background(), named(t, "matmul/4096x4096x4096/cells=1"), options(t, engine(t)), peak); err != nil || !strings.Contains(r.Skipped, "at least 0.687 s") {
		t.Errorf("%+v, %v", r, err)
	}
	// Memory for fewer sets than were wished for.
	c := named(t, "relu/128x128/cells=1")
	w := &workload{sets: mostSets}
	tight := options(t, engine(t))
	tight.Memory = 8 * 4 * 128 * 128
	if _, err := c.fitting(tight, w); err != nil || w.sets >= mostSets || w.sets < 1 || w.bytes > tight.Memory {
		t.Errorf("%d sets in %d bytes, %v", w.sets, w.bytes, err)
	}
}

func TestSelect(t *testing.T) {
	all := Cases()
	names := func(patterns []string, quick bool) (n []string) {
		some, err := Select(all, patterns, quick)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some {
			n = append(n, c.Name)
		}
		return n
	}
	if got := names(nil, false); len(got) != len(all) {
		t.Errorf("no pattern picks %d of %d", len(got), len(all))
	}
	if got := names([]string{"^relu", "batch/.*=64"}, false); !slices.Equal(got, []string{"relu/128x128/cells=1", "relu/128x128/cells=64", "relu/128x128/cells=1024", "batch/128of1437/cells=64"}) {
		t.Errorf("%q", got)
	}
	families := map[string]int{}
	for _, n := range names(nil, true) {
		f, _, _ := strings.Cut(n, "/")
		families[f]++
	}
	for _, c := range all {
		if families[c.Family()] != 1 {
			t.Errorf("quick picks %d cases of %s", families[c.Family()], c.Family())
		}
	}
	for pattern, want := range map[string]string{"matmull": `nearest is "matmul"`, "matmul/128x64x33": `nearest is "matmul/128x64x32"`, "(": "regular expression"} {
		if _, err := Select(all, []string{pattern}, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", pattern, err, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	x := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 3, 0.75: 5, 1: 8} {
		if got := Quantile(x, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %v is %v; want %v", q, got, want)
		}
	}
}

// The length of a burst follows the budget, and so does their number; times are those of one execution.
func TestBursts(t *testing.T) {
	for _, c := range []struct {
		step          time.Duration // how long a step takes
		steps, bursts int
	}{{100 * time.Microsecond, 47, 21}, {time.Second, 1, 3}, {30 * time.Millisecond, 1, leastBursts}, {14 * time.Millisecond, 1, 8}} {
		clock, runs := time.Time{}, 0
		w := &workload{sets: 4, run: func(_ context.Context, n int) error {
			clock = clock.Add(time.Duration(n) * c.step)
			runs++
			return nil
		}}
		steps, took, err := bursts(context.Background(), w, 100*time.Millisecond, func() time.Time { return clock })
		if err != nil || steps < c.steps*2/3 || steps > c.steps || len(took) != c.bursts || runs < len(took)+2 {
			t.Errorf("steps of %v: %d bursts of %d steps, %v; want %d of %d", c.step, len(took), steps, err, c.bursts, c.steps)
		}
		for _, ns := range w.each(took, steps) {
			if want := float64(c.step.Nanoseconds()) / 4; ns != want {
				t.Errorf("an execution takes %v ns; want %v", ns, want)
			}
		}
	}
}

func TestLines(t *testing.T) {
	m := Machine{Engine: "cpu", Device: "a device", Threads: 4, Checked: "law", Peak: peak, Clocks: Clocks{"sm": "2 GHz", "memory": "3 GHz"}}.Describe()
	var out bytes.Buffer
	if err := m.WriteHeader(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ngoarch: ", "\ndevice: a device\n", "\ndriver: unknown\n", "\n# clocks: memory 3 GHz, sm 2 GHz\n", "\nlaw: 1\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the header lacks %q:\n%s", want, out.String())
		}
	}
	if got, want := strings.Join(strings.Fields(out.String()[strings.Index(out.String(), "Benchmark"):]), " "), "BenchmarkPeak/fma/cpu-4 1 100 GMAC/s BenchmarkPeak/copy/cpu-4 1 10 GB/s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out.Reset()
	r := Result{Case: "sum/all/cells=1", NS: 1500, Q1: 1400, Q3: 1600, Bursts: 5, Steps: 2, Sets: 3, Rate: 2.5, Unit: "GB/s", Roofline: 0.25, Bound: "memory", Checked: "law, 8 rows", Share: 0.125}
	if err := m.WriteLine(&out, r); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(strings.Fields(out.String()), " "), "BenchmarkSum/all/cells=1/cpu-4 30 1500.0 ns/op 2.5 GB/s 25.00 %roofline-memory 1400.0 q1-ns 1600.0 q3-ns 0.125 checked"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out.Reset()
	if err := m.WriteLine(&out, Result{Case: "sum/all/cells=1", Skipped: "too large"}); err != nil || out.String() != "--- SKIP: BenchmarkSum/all/cells=1/cpu-4: too large\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := m.WriteLine(&out, Result{Case: "sum/all/cells=1", Failed: "wrong"}); err != nil || out.String() != "--- FAIL: BenchmarkSum/all/cells=1/cpu-4: wrong\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := m.WriteJSON(&out, r); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Result
		Machine Machine
	}
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Case != r.Case || back.Rate != r.Rate || back.Machine.Peak != peak || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%+v, %v", back, err)
	}
}

// The whole sweep is one that a user would run: its cells train, and give results.
func TestSweepCase(t *testing.T) {
	c := sweepCases()[0]
	cells, err := c.sweep.cells()
	if err != nil || len(cells) != c.Cells {
		t.Fatalf("%d cells, %v; its name says %d", len(cells), err, c.Cells)
	}
	small := *c.sweep
	small.Steps = 2
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := (&Case{Name: c.Name, Cells: c.Cells, Unit: c.Unit, sweep: &small}).openSweep(context.Background(), &Options{Engine: e, Memory: 1 << 32, Time: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(context.Background(), 1); err != nil {
		t.Error(err)
	}
	if len(w.kernels) == 0 || w.bytes == 0 {
		t.Errorf("%d kernels, %d bytes", len(w.kernels), w.bytes)
	}
	if _, err := c.openSweep(context.Background(), &Options{Engine: e, Memory: 1 << 32, Time: 1}); err == nil || !strings.Contains(err.Error(), "one cell alone") {
		t.Errorf("in a nanosecond: %v; want a reason to skip it", err)
	}
	if _, err := c.openSweep(context.Background(), &Options{Engine: e, Memory: 1000}); err == nil || !strings.Contains(err.Error(), "MB") {
		t.Errorf("in 1 kB: %v; want a reason to skip it", err)
	}
}

// The table gives shares of the peaks, leaves out what was not measured, and has no line that benchstat would read.
func TestTable(t *testing.T) {
	m := Machine{Peak: graph.Peak{FMA: 100e9, Copy: 40e9}}
	var b strings.Builder
	err := m.WriteTable(&b, []Result{
		{Case: "matmul/x", NS: 1e6, Work: Work{MACs: 25e6, Bytes: 1e6}, Rate: 25, Unit: "GMAC/s", Cached: true, Checked: "law, 8 rows"},
		{Case: "add/x", NS: 1e6, Work: Work{Bytes: 30e6}, Rate: 30, Unit: "GB/s"},
		{Case: "gone/x", Skipped: "no"},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "25 %") || !strings.Contains(lines[1], "as law, 8 rows") || !strings.Contains(lines[2], "75 %") || !strings.Contains(lines[2], "not compared") {
		t.Errorf("got\n%s", b.String())
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "# ") {
			t.Errorf("%q is no comment", l)
		}
	}
}
