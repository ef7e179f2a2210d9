package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/probe"
	"lockstep/sweep"
)

// The page of each method, at one point and at several: its pictures, and nothing beside it.
func TestCurvaturePages(t *testing.T) {
	card, err := sweep.ParseCard("card", []byte(`
name = "<digits> & more"
seeds = [1, 2]
steps = 30
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = 3}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
`))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, c := range []struct {
		method, at, block string
		vectors, rounds   int
		pictures          int
		title             string
	}{
		{probe.Spectrum, "0,1,20,end", "", 1, 0, 2, "Eigenvalues along the training"},
		{probe.Spectrum, "end", "", 1, 0, 2, "Eigenvalues"},
		{probe.Spectrum, "end", "each", 1, 0, 12, "Eigenvalues"},
		{probe.Density, "0,end", "", 3, 0, 4, "Spectral density"},
		{probe.Density, "end", "0.w", 1, 0, 2, "Spectral density"}, // one process: no band
		{probe.Trace, "0,1,20,end", "", 2, 3, 2, "Trace along the training"},
		{probe.Trace, "0,10", "", 1, 1, 2, "Trace along the training"}, // one sample: no interval
		{probe.Trace, "end", "", 2, 3, 2, "Trace"},
		{probe.Trace, "end", "", 1, 1, 0, "Numbers"},
	} {
		e := &probe.Estimation{Matrix: probe.Matrix{Cells: cells, Kind: "hessian", Rows: 50}, Method: c.method, Block: c.block, Steps: 8, Vectors: c.vectors, Rounds: c.rounds,
			Estimator: probe.Hutchinson, View: probe.View{Top: 3, Bottom: 2, Sigma: 0.02, C: 0.1, At: 100}}
		if e.Points, err = probe.ParsePoints(c.at, cells); err != nil {
			t.Fatal(err)
		}
		r, err := probe.Run(t.Context(), e, probe.How{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if err := WriteCurvature(&a, card.Name, r); err != nil {
			t.Fatal(err)
		}
		if err := WriteCurvature(&b, card.Name, r); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s at %s: the same results give another page, or %v", c.method, c.at, err)
		}
		text := a.String()
		if n := strings.Count(text, `role="img"`); n != c.pictures || !strings.Contains(text, "<h2>"+c.title+"</h2>") || !strings.Contains(text, r.Digest) {
			t.Errorf("%s at %s, block %q: %d pictures; want %d, titled %s", c.method, c.at, c.block, n, c.pictures, c.title)
		}
		for _, wrong := range []string{"NaN", "Inf", "<digits>", "://", "<script", "url(", "%!"} {
			if strings.Contains(text, wrong) {
				t.Errorf("%s at %s: the page has %q in it", c.method, c.at, wrong)
			}
		}
		x := xml.NewDecoder(strings.NewReader(strings.Replace(text, "<!DOCTYPE html>", "", 1)))
		for {
			if _, err := x.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s at %s: %v", c.method, c.at, err)
				break
			}
		}
	}
}

// Where a density lies below the picture there is no line, and no error where there was one process.
func TestDensityLines(t *testing.T) {
	d := &probe.DensityOf{At: []float64{0, 1, 2, 3, 4, 5, 6}, Phi: []float64{1, 1e-9, 1e-9, 1e-9, 2, 1, 1e-9}, Error: make([]*float64, 7)}
	c, err := density(nil, &story{gave: []*probe.ModelResult{{Density: d}}})
	if err != nil || len(c.Series) != 2 || len(c.Series[0].X) != 2 || len(c.Series[1].X) != 4 || c.Series[1].X[0] != 3 || c.Series[0].Lo != nil {
		t.Errorf("%+v, %v", c.Series, err)
	}
}

// Of a small T no eigenvalue is drawn twice.
func TestFewEigenvalues(t *testing.T) {
	x := &probe.ModelResult{Top: []probe.Eigenvalue{{Value: 3}, {Value: 2}, {Value: 1}}, Bottom: []probe.Eigenvalue{{Value: 0}, {Value: 1}}}
	for size, want := range map[int]int{3: 0, 4: 1, 5: 2, 64: 2} {
		s := &story{steps: []float64{0, 5}, gave: []*probe.ModelResult{x, x}, t: size}
		c, err := eigenvaluesAlong(nil, s)
		one, err2 := ritz(nil, s)
		if err != nil || err2 != nil || len(c.Series) != 3+want || len(one.Series[1].X) != want {
			t.Errorf("T of size %d: %d lines, and %d of the smallest; want %d", size, len(c.Series), len(one.Series[1].X), want)
		}
	}
}
