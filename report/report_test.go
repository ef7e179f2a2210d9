package report

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/op"
	"lockstep/sweep"
)

// small is a sweep of 16 cells with a finding, whose largest learning rate makes cells diverge.
const small = `
name = "small"
about = "Two widths, three dimensions."
seeds = [0, 1]
steps = 12
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = "$width"}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.1}
axes = {width = [3, 5]}
[[arms]]
name = "subspace"
map = {type = "ternary", d = "$d"}
axes = {d = [2, 10, 60]}
[[arms]]
name = "baseline"
map = {type = "identity"}
[expect]
what = "d_int90"
by = ["width"]
baseline = "baseline"
range = [1, 100]
`

// rates diverges at the largest learning rate.
const rates = `
name = "rates"
seeds = [0, 1]
steps = 9
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = 10}]}
rule = {type = "momentum", lr = "$lr"}
axes = {lr = [1e-3, 1e-1, 1e38]}
`

// ran runs a card, in memory.
func ran(t testing.TB, card string, settings ...string) Input {
	t.Helper()
	c, err := sweep.ParseCard("test.toml", []byte(card))
	for _, s := range settings {
		if err == nil {
			err = c.Set(s)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cells, err := c.Cells()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	results, err := sweep.Run(context.Background(), cells, sweep.Options{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := sweep.Digest(results)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2026, 11, 23, 23, 58, 0, 0, time.UTC)
	return Input{Card: c, Results: results, Status: sweep.Status{Record: sweep.Record{
		Name: c.Name, About: c.About, Card: card, Settings: settings, Law: op.Version, Plan: strings.Repeat("ab", 32), Digest: digest,
		Data:  []sweep.DataHash{{Name: "digits", SHA256: strings.Repeat("cd", 32)}},
		Cells: len(cells), Done: len(cells), Runs: []sweep.RunRecord{{Started: started, Last: started.Add(5 * time.Minute), Build: "commit 1", Engine: "cpu", Machine: "a machine", Cells: len(cells)}},
	}}}
}

// written is the report, which must be well formed and refer to nothing outside of it.
func written(t testing.TB, in Input) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.String())
	return b.String()
}

// wellFormed holds the page to more than HTML asks: every element is closed, in order, and every attribute quoted. What
// text could be taken for markup would break this.
func wellFormed(t testing.TB, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	ids, style := map[string]bool{}, false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			if s, ok := token.(xml.CharData); ok && style && regexp.MustCompile(`url|@import|//`).Match(s) {
				t.Error("the style refers to something")
			}
			continue
		}
		style = e.Name.Local == "style"
		switch e.Name.Local {
		case "script", "link", "img", "image", "iframe", "object", "embed", "base", "form", "a", "use":
			t.Errorf("the page has an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "src" || name == "href" || strings.HasPrefix(name, "on"), strings.Contains(a.Value, "url("), strings.Contains(a.Value, "//"):
				t.Errorf("element %s has %s=%q", e.Name.Local, name, a.Value)
			case name == "id" && ids[a.Value]:
				t.Errorf("two elements have the id %s", a.Value)
			case name == "id":
				ids[a.Value] = true
			}
		}
	}
}

// wants holds a page against texts that it must have, in this order.
func wants(t testing.TB, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		_, after, ok := strings.Cut(page, want)
		if !ok {
			t.Errorf("the page does not say %q (any more)", want)
			continue
		}
		page = after
	}
}

func TestReport(t *testing.T) {
	in := ran(t, small, "rule.lr=0.05")
	page := written(t, in)
	wants(t, page, "<title>small: lockstep report</title>", `<h1>small</h1>`, "Two widths, three dimensions.", "cells ended", "16 of 16",
		"23 November 2026, 23:58 to 24 November 2026, 00:03 UTC", `<span class="hash">`+in.Digest+"</span>",
		"<h2>Findings</h2>", "d_int90", "width 3", "1 to 100", "width 5",
		"<h2>Test accuracy against d</h2>", "<svg", "full space", "90 % of it",
		"<h2>Training</h2>", "Arm subspace, by d", "d 2", "d 10", "d 60", "arm baseline", "width 3", "<svg", "width 5", "<svg",
		"<h2>Points</h2>", "All cells, one by one", in.Results[15].ID[:12],
		"<h2>Provenance</h2>", "seeds = [0, 1]", "--set rule.lr=0.05", strings.Repeat("cd", 32), strings.Repeat("ab", 32), "commit 1",
		"lockstep sweep verify DIR", "lockstep sweep run small.toml --set rule.lr=0.05 --out NEW", "lockstep sweep digest NEW", in.Digest)
	if n := len(regexp.MustCompile(`class="verdict">(not )?as expected<`).FindAllString(page, -1)); n != 2 {
		t.Errorf("%d verdicts; want 2", n)
	}
	if strings.Contains(page, `class="warning"`) {
		t.Error("a whole sweep bears a warning")
	}
	if rows := strings.Count(page, "<tr><td>subspace</td>"); rows != 6+12 {
		t.Errorf("%d rows of points and cells of the subspaces; want 6 and 12", rows)
	}
	if again := written(t, in); again != page {
		t.Error("two reports of one sweep differ")
	}
	// The card stands there letter by letter, the first line feed of its <pre> being HTML's.
	if !strings.Contains(page, "<pre>\n"+strings.NewReplacer(`"`, "&#34;").Replace(small)+"</pre>") {
		t.Error("the card is not there verbatim")
	}
}

// TestLoad goes the whole way, over a ledger.
func TestLoad(t *testing.T) {
	in := ran(t, rates)
	cells, err := in.Card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	dir := t.TempDir()
	if err := sweep.RunTo(context.Background(), dir, in.Card, cells, false, sweep.Options{Engine: engine}); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, written(t, loaded), "<h1>rates</h1>", "6 of 6", in.Digest, "<h2>Training</h2>", "name = ", "cpu", "commit")
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder without a sweep: no error")
	}
}

func TestDiverged(t *testing.T) {
	in := ran(t, rates)
	page := written(t, in)
	wants(t, page, "<dt>diverged</dt><dd>2</dd>", "Test accuracy against lr", "lr (log scale)", "By lr", "lr 1e38", "Crosses at the upper edge",
		"Without a finite loss", "arm main, lr = 1e38: seeds 0, 1 at step 1", "2 of 2", "diverged at step 1")
	in = ran(t, rates, "axes.lr=[0.1]")
	in.Results[0].Derived.TrainLoss = nil // its last update was the one too far
	wants(t, written(t, in), "Without a finite loss", "arm main, lr = 0.1: seed 0 after the last step", "loss not finite")
}

// A reader must see at once that there is more to come, and take no judgement for final.
func TestPartial(t *testing.T) {
	whole := ran(t, small)
	in := whole
	in.Results, in.Digest, in.Running = whole.Results[:13], "", true // no baseline at the second width
	page := written(t, in)
	wants(t, page, `class="warning"`, "This sweep is still running: 13 of 16 cells have ended", "13 of 16", "none before all cells have ended",
		"open, for not all cells have ended", "open</span>", "width 3: ", "has 2 scores and the baseline 1")
	if strings.Contains(page, "as expected<") {
		t.Error("a part of the cells is judged")
	}
	if strings.Contains(page, whole.Digest) {
		t.Error("a part of the cells has the digest of all")
	}

	in.Results = whole.Results[:15] // all that width 3 asks for: still, it is a part of a sweep
	wants(t, written(t, in), "15 of 16", "All 2 are open", "width 5: ", "has 2 scores and the baseline 1")

	in.Running, in.Checkpoints = false, []sweep.CheckpointFile{{Cells: 1}, {Cells: 2}}
	wants(t, written(t, in), "This sweep was stopped before its end", "3 more are part of the way, in a checkpoint. It can be resumed.", "--out DIR --resume")

	in.Results = nil
	wants(t, written(t, in), "0 of 16", "This cannot be judged yet", "no cell is where it is expected", "d_int90 of arm subspace, against arm baseline, in 1 to 100", "No cell has ended yet")
}

// A mean over some of the seeds is open, too; over all of them it is as final as it will be.
func TestPartialPerformance(t *testing.T) {
	card := rates + "[expect]\nwhat = \"performance\"\nwhere = {lr = [0, 1]}\nrange = [0, 1]\n"
	in := ran(t, card)
	in.Results = in.Results[:3]
	wants(t, written(t, in), "Of 2 findings, 1 is as the card expects, 1 is open", "lr 1e-3", "as expected</span>", "0 to 1", "lr 1e-1", "open</span>",
		"Grey: what the card expects")
}

// What devices told stands in the report, where they told anything.
func TestDevices(t *testing.T) {
	in := ran(t, rates)
	if page := written(t, in); strings.Contains(page, "Devices</h3>") || strings.Contains(page, ">energy<") {
		t.Error("there are devices that told nothing")
	}
	joules := 1234.5
	in.Runs[0].Joules, in.Runs[0].Metered = &joules, in.Runs[0].Cells
	in.Runs[0].Devices = []sweep.DeviceRecord{{Device: "cuda:0, <card>", Readings: 7, MeanWatts: 431.4, MostWatts: 699.6, LeastClock: 1215, MostClock: 1980, Temperature: 61, Held: []string{"the power limit"}}}
	page := written(t, in)
	for _, want := range []string{"1.23 kJ, ", " J a cell", "cuda:0, &lt;card&gt;", ">431<", ">700<", ">1215<", ">1980<", ">61<", "the power limit"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}
