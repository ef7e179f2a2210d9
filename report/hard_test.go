package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"lockstep/sweep"
)

// Results that are not those of the digest must not pass for them.
func TestDamaged(t *testing.T) {
	in := ran(t, rates)
	in.Results[1].Declared.TrainCorrect++
	wants(t, written(t, in), `class="warning"`, "These are not the results that the sweep ended with", in.Digest)
	in.Results = append(in.Results, in.Results[0])
	if err := Write(io.Discard, in); err == nil {
		t.Error("a cell twice: no error")
	}
}

// Whatever a card's author wrote is text.
func TestEscaped(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&`
	in := ran(t, rates)
	in.Name, in.About, in.Record.Card, in.Settings = evil, "see https://example.com/ "+evil, evil, []string{"about=" + evil}
	in.Runs[0].Machine, in.Runs[0].Build, in.Data[0].Name = evil, evil, evil
	for i := range in.Results {
		r := &in.Results[i]
		r.Arm = fmt.Sprintf("%s %d", evil, i%2)
		r.Axes = append(r.Axes[:len(r.Axes):len(r.Axes)], sweep.Axis{Name: evil, Value: fmt.Sprintf("%s %d", evil, i%3)})
	}
	page := written(t, in)
	for _, bad := range []string{"<script", "<img", evil} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	wants(t, page, "https://example.com/ &lt;script", "&lt;script&gt;alert(1)&lt;/script&gt;")
	wants(t, page, "lockstep sweep run CARD.toml --set &#39;about=&lt;script")

	for i := range in.Results { // and as the axis of the pictures
		in.Results[i].Axes = sweep.Axes{{Name: evil, Value: fmt.Sprint(i)}}
	}
	page = written(t, in)
	if strings.Contains(page, evil) || !strings.Contains(page, "<text") {
		t.Error("the name of an axis is markup")
	}
}

// many makes n results without running anything: dimensions by widths, two seeds each.
func many(t testing.TB, n int) Input {
	t.Helper()
	in := ran(t, rates, "axes.lr=[0.1]")
	like := in.Results[0]
	like.Declared.Losses = make([]sweep.Hex, 64)
	for i := range like.Declared.Losses {
		like.Declared.Losses[i] = sweep.Hex(math.Exp(-float64(i)/9) * (1 + 0.1*math.Sin(float64(i*i))))
	}
	like.Declared.Steps = 640
	in.Results, in.Cells = nil, n
	for i := range n {
		r := like
		r.ID = fmt.Sprintf("%064x", i)
		r.Seed, r.D = uint64(i%2), 1+i/2%50
		r.Axes = sweep.Axes{{Name: "width", Value: fmt.Sprint(i / 100)}, {Name: "d", Value: fmt.Sprint(r.D)}}
		r.Declared.Diverged = i%100 == 7
		in.Results = append(in.Results, r)
	}
	in.Digest = ""
	return in
}

func TestTenThousandCells(t *testing.T) {
	in := many(t, 10_000)
	page := written(t, in)
	if len(page) > 2<<20 {
		t.Errorf("the report has %d bytes; want two million at most", len(page))
	}
	wants(t, page, "10000 of 10000", "8 of 100 curves are shown. Left out: width 1", "and 80 more.",
		"12 of 50 values of d are shown", "24 of 100 panels are shown", "and 60 points more", "The first 1000 of 5000 points are shown", "The first 2000 of 10000 cells are shown")
	if n := strings.Count(page, `<figure>`); n != maxPanels {
		t.Errorf("%d panels", n)
	}
}

func BenchmarkTenThousandCells(b *testing.B) {
	in := many(b, 10_000)
	for b.Loop() {
		if err := Write(io.Discard, in); err != nil {
			b.Fatal(err)
		}
	}
}
