package studies

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"testing"

	"lockstep/sweep"
)

// Two arms that stand beside each other at the same values of the same axes.
const twoArms = `
name = "arms"
seeds = [0]
steps = 10
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = "$width"}, {type = "tanh"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
axes = {width = [3, 4]}
[[arms]]
name = "first"
map = {type = "ternary", d = "$d"}
axes = {d = [5, 10]}
[[arms]]
name = "second"
map = {type = "gaussian", d = "$d"}
axes = {d = [5, 10]}
[[arms]]
name = "all"
map = {type = "identity"}
`

// A finding says of which arm it is, wherever findings of another one stand beside it, also where axes tell its cells apart; and so does its curve.
func TestFindingsTellTheirArm(t *testing.T) {
	expect := func(what, arm, more string) string {
		return "[[expect]]\nwhat = \"" + what + "\"\narm = \"" + arm + "\"\nat-least = 0\n" + more
	}
	by := "by = [\"width\"]\nbaseline = \"all\"\n"
	for _, c := range []struct {
		expect string
		cells  []string
		curves []string
	}{
		{expect("d_int90", "first", by) + expect("d_int90", "second", by),
			[]string{"first, width 3", "first, width 4", "second, width 3", "second, width 4"}, []string{"first, width 3", "first, width 4", "second, width 3", "second, width 4"}},
		{expect("d_int90", "second", by), []string{"width 3", "width 4"}, []string{"width 3", "width 4"}}, // there is no other one
		{expect("performance", "all", "") + expect("performance", "first", "where = {d = [10, 10]}\n"),
			[]string{"all, width 3", "all, width 4", "first, width 3, d 10", "first, width 4, d 10"}, nil},
	} {
		card, err := sweep.ParseCard("arms.toml", []byte(twoArms+c.expect))
		if err != nil {
			t.Fatal(err)
		}
		cells, err := card.Cells()
		if err != nil {
			t.Fatal(err)
		}
		loss := 0.1
		var results []sweep.Result
		for _, c := range cells {
			results = append(results, sweep.Result{ID: c.ID(), Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, Params: c.Model.D(), D: c.Dim(), Derived: sweep.Derived{TrainLoss: &loss, Performance: 0.5}})
		}
		findings, err := Judge(card, results, nil)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, f := range findings {
			told = append(told, f.Row()[0])
		}
		if slices.Sort(told); !slices.Equal(told, c.cells) {
			t.Errorf("%s\nrows are of %q; want %q", c.expect, told, c.cells)
		}
		p, _ := Picture(card, findings)
		var curves []string
		for _, x := range p.Curves {
			curves = append(curves, x.Label)
		}
		if slices.Sort(curves); !slices.Equal(curves, c.curves) {
			t.Errorf("%s\ncurves are of %q; want %q", c.expect, curves, c.curves)
		}
	}
	f := Finding{Expect: sweep.Expect{What: "performance", Arm: sweep.OnlyArm}, several: true}
	if f.cells() != "" {
		t.Errorf("of a card without arms and axes: %q", f.cells())
	}
}

// Limits without an end are told in words, and are no numbers in JSON.
func TestOneSidedFindings(t *testing.T) {
	for _, c := range []struct {
		lo, hi   float64
		mean     float64
		ok       bool
		span     string
		lack     string
		limit    string
		expected float64
	}{
		{1, math.Inf(1), 5000, true, "at least 1", "hi", "lo", 1},
		{1, math.Inf(1), 0.9, false, "at least 1", "hi", "lo", 1},
		{math.Inf(-1), 2, -5000, true, "at most 2", "lo", "hi", 2},
		{math.Inf(-1), 2, 2.1, false, "at most 2", "lo", "hi", 2},
	} {
		e := sweep.Expect{What: "commutator", Lo: c.lo, Hi: c.hi}
		f := ofPaths(e, []sweep.Result{{ID: "a"}}, []CellPath{{ID: "a", Moments: []Moment{{Share: Number(c.mean), Random: 1}}}})[0]
		if row := f.Row(); f.OK != c.ok || row[len(row)-1] != c.span {
			t.Errorf("%v to %v: %v of %v, told as %v", c.lo, c.hi, f.OK, c.mean, row)
		}
		var b bytes.Buffer
		var event map[string]any
		if err := f.WriteEvent(&b); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal(b.Bytes(), &event); err != nil || event[c.lack] != nil || event[c.limit] != c.expected {
			t.Errorf("%v to %v is the event %s, %v", c.lo, c.hi, &b, err)
		}
	}
}

// No outcome of a study of cells in arms is one that cells which learn nothing, anywhere, would have; what the control of grokking-curvature has is.
func TestGrokkingNeedsTraining(t *testing.T) {
	card, err := Named("grokking-curvature")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	const top = "on the top eigenspace"
	type end struct {
		loss            float64 // at the last snapshot, of 4.746 at the first
		train, test     int     // of 100 rows that are right
		trained, tested int     // steps at which they come to be
	}
	judge := func(ends map[string]end) (bad []string) {
		var results []sweep.Result
		var paths []CellPath
		for _, c := range cells {
			e := ends[c.Arm]
			results = append(results, sweep.Result{ID: c.ID(), Arm: c.Arm, Seed: c.Seed, Derived: sweep.Derived{Performance: float64(e.test) / 100}})
			p := CellPath{ID: c.ID(), Point: c.Arm}
			for step := 0; step <= c.Steps; step += card.Snapshots {
				s := &sweep.Scores{TrainLoss: sweep.Hex(4.746), TrainRows: 100, TestRows: 100, TrainCorrect: 1, TestCorrect: 1}
				if step > 0 {
					s.TrainLoss = sweep.Hex(e.loss)
				}
				if step >= e.trained {
					s.TrainCorrect = e.train
				}
				if step >= e.tested {
					s.TestCorrect = e.test
				}
				p.Moments = append(p.Moments, Moment{Step: step, Scores: s})
			}
			paths = append(paths, p)
		}
		findings, err := Judge(card, results, paths)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if err := f.WriteEvent(io.Discard); err != nil {
				t.Error(err)
			}
			if !f.OK {
				bad = append(bad, f.Expect.What+" "+f.Expect.Arm)
			}
		}
		return bad
	}
	// As measured, seeds 0 and 1.
	good := map[string]end{"whole": {0.04, 100, 99, 500, 3000}, top: {4.663, 1, 1, 0, 0}, "off the top eigenspace": {0.058, 100, 1, 500, 0}}
	if bad := judge(good); len(bad) > 0 {
		t.Errorf("as it was measured, not as expected: %q", bad)
	}
	with := func(e end) map[string]end { return map[string]end{"whole": e, top: e, "off the top eigenspace": e} }
	for name, e := range map[string]end{"rest": {4.746, 1, 1, 0, 0}, "get worse": {4.9, 1, 1, 0, 0}, "have no loss": {math.NaN(), 0, 0, 0, 0}} {
		bad := judge(with(e))
		for _, want := range []string{"performance whole", "delay whole", "loss_fall " + top, "training_accuracy off the top eigenspace"} {
			if !slices.Contains(bad, want) {
				t.Errorf("cells that %s are as expected by %s; only %q fail", name, want, bad)
			}
		}
		alone := map[string]end{"whole": good["whole"], top: e, "off the top eigenspace": good["off the top eigenspace"]}
		if bad := judge(alone); !slices.Equal(bad, []string{"loss_fall " + top}) {
			t.Errorf("if those on the top eigenspace %s: %q", name, bad)
		}
	}
	// A control whose steps are not confined learns.
	if bad := judge(with(good["whole"])); !slices.Equal(bad, []string{"training_accuracy " + top, "loss_fall " + top}) {
		t.Errorf("of steps that are not confined: %q", bad)
	}
}

// Differences, ratios and counts that have no end on one side have none in the cards.
func TestOneSidedCards(t *testing.T) {
	for study, want := range map[string][]string{
		"execution-manifold": {"0.98 to 1", "3 to 6", "at most -0.5", "at most 0", "at least 1"},
		"grokking-curvature": {"0.98 to 1", "at least 500", "at most 0.1", "0.04 to 0.17", "0.98 to 1"},
	} {
		card, err := Named(study)
		if err != nil {
			t.Fatal(err)
		}
		var spans []string
		for _, e := range card.Expect {
			spans = append(spans, e.Span())
		}
		if !slices.Equal(spans, want) {
			t.Errorf("%s expects %q; want %q", study, spans, want)
		}
	}
}
