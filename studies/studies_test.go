package studies

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/data/idxtest"
	"lockstep/sweep"
)

func TestEveryStudyHasCellsAndAnExpectation(t *testing.T) {
	cards, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(cards) < 2 {
		t.Errorf("%d studies", len(cards))
	}
	files := t.TempDir()
	if err := idxtest.Write(files, 20, 10, 28, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range cards {
		c.Data.Dir = files
		cells, err := c.Cells()
		if n, e := c.Size(); n != len(cells) || e != nil {
			t.Errorf("%s: a size of %d, %v; %d cells", c.Name, n, e, len(cells))
		}
		if err != nil || len(cells) == 0 || len(c.Expect) == 0 || c.About == "" {
			t.Errorf("%s: %d cells, %d expectations, about %q, %v", c.Name, len(cells), len(c.Expect), c.About, err)
		}
	}
	if _, err := Named("intrinsic-digit"); err == nil || !strings.Contains(err.Error(), `"intrinsic-digits"`) {
		t.Errorf("a wrong name gives %v; want the nearest right one", err)
	}
}

// digits makes results of the digits study in which a cell of dimension d of the given width scores score(width, d).
func digits(t *testing.T, score func(width string, d int) float64) (*sweep.Card, []sweep.Result) {
	t.Helper()
	card, err := Named("intrinsic-digits")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	var results []sweep.Result
	for _, c := range cells {
		width := ""
		for _, a := range c.Axes {
			if a.Name == "width" {
				width = a.Value
			}
		}
		r := sweep.Result{ID: c.ID(), Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, Params: c.Model.D(), D: c.Dim()}
		loss := 0.1
		r.Derived.Performance, r.Derived.TrainLoss = score(width, c.Dim()), &loss
		results = append(results, r)
	}
	return card, results
}

// step scores 0.5 below the given dimension and 0.95 from it on; the baseline, of thousands of dimensions, 1.
func step(at int) func(string, int) float64 {
	return func(_ string, d int) float64 {
		switch {
		case d > 1000:
			return 1
		case d >= at:
			return 0.95
		}
		return 0.5
	}
}

func TestJudgeIntrinsicDimension(t *testing.T) {
	for at, ok := range map[int]bool{10: false, 75: false, 100: true, 150: true, 200: true, 300: false, 900: false} {
		card, results := digits(t, step(at))
		findings, err := Judge(card, results, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) != 3 {
			t.Fatalf("%d findings; want one for each width", len(findings))
		}
		for _, f := range findings {
			if f.OK != ok || f.Measured.Reached != (at <= 300) || f.Measured.Reached && f.Measured.D != at || f.Measured.Baseline != 1 {
				t.Errorf("threshold reached at %d: %+v; want OK %v", at, f.Measured, ok)
			}
		}
		if text := Table(findings); strings.Contains(text, "NOT AS EXPECTED") == ok || !strings.Contains(text, "80 to 200") {
			t.Errorf("the table for %d:\n%s", at, text)
		}
	}
}

// A baseline that blew up is no yardstick, even where its score would do; and one of nothing is a finding, not an error.
func TestJudgeRefusesBrokenBaselines(t *testing.T) {
	for name, broken := range map[string]func(r *sweep.Result){
		"no finite loss": func(r *sweep.Result) { r.Derived.TrainLoss = nil },
		"diverged":       func(r *sweep.Result) { r.Declared.Diverged = true },
		"no score":       func(r *sweep.Result) { r.Derived.Performance = 0 },
	} {
		card, results := digits(t, step(125))
		for i := range results {
			if results[i].Arm == "baseline" && results[i].Params < 5000 {
				broken(&results[i])
			}
		}
		findings, err := Judge(card, results, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.OK != (f.Params > 5000) || (f.Problem == nil) != f.OK {
				t.Errorf("%s: %d parameters: OK %v, problem %v", name, f.Params, f.OK, f.Problem)
			}
		}
		if text := Table(findings); !strings.Contains(text, "NOT AS EXPECTED: ") {
			t.Errorf("%s: the table\n%s", name, text)
		}
	}
}

// Widths are judged apart, each against its own baseline.
func TestJudgeGroups(t *testing.T) {
	card, results := digits(t, func(width string, d int) float64 {
		if width == "64" {
			return step(125)(width, d) / 2
		}
		return step(300)(width, d)
	})
	findings, err := Judge(card, results, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.OK != (name(f.Where) == "width 64") {
			t.Errorf("%s: OK is %v", name(f.Where), f.OK)
		}
	}
}

func TestJudgePerformance(t *testing.T) {
	card, err := Named("intrinsic-toy")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for broken, want := range map[int]int{0: 0, 10: 1, 9: 1, 20: 1} { // the dimension whose cells fail; findings that do
		var results []sweep.Result
		for _, c := range cells {
			r := sweep.Result{Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, D: c.Dim()}
			if (c.Dim() >= 10) != (c.Dim() == broken) {
				r.Derived.Performance = 1
			}
			results = append(results, r)
		}
		findings, err := Judge(card, results, nil)
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for _, f := range findings {
			if !f.OK {
				bad++
			}
		}
		if bad != want || len(findings) != 11 {
			t.Errorf("with broken d = %d: %d of %d findings are not as expected; want %d of 11", broken, bad, len(findings), want)
		}
	}
	if _, err := Judge(card, nil, nil); err == nil {
		t.Error("a judgement without results: no error")
	}
}

func TestDraw(t *testing.T) {
	card, results := digits(t, step(125))
	findings, err := Judge(card, results, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	paths, err := Draw(card, findings, dir)
	if err != nil || len(paths) != 2 {
		t.Fatalf("%v, %v", paths, err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "accuracy.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{32, 64, 128} {
		if !strings.Contains(string(svg), fmt.Sprintf("width %d: 90 %%", width)) {
			t.Errorf("the picture does not tell width %d", width)
		}
	}
	if _, err := Draw(card, findings, filepath.Join(dir, "none")); err == nil {
		t.Error("a picture in a folder that is not there: no error")
	}
}
