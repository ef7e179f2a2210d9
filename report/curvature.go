package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"lockstep/analysis/curvature"
	"lockstep/probe"
)

//go:embed curvature.html.tmpl
var curvatureText string

var curvatureLayout = layoutOf("curvature", curvatureText)

// curvaturePage is what the template of estimations shows.
type curvaturePage struct {
	Name, Title string
	Facts       []fact
	Digest      string
	Pictures    *pictures
	Summary     table
	Eigenvalues *table
	Problems    []string // of matrices that have no result
	Conventions []string
	Compared    string
	Models      table
	Points      table
	Estimation  string
}

// WriteCurvature writes the page of an estimation on models of the card of that name: equal results give equal bytes. Nothing is written before
// all of it is there. Error: a picture that cannot be drawn, or w's.
func WriteCurvature(w io.Writer, card string, r *probe.Results) error {
	p, err := makeCurvaturePage(card, r)
	var b bytes.Buffer
	if err == nil {
		err = curvatureLayout.Execute(&b, p)
	}
	if err != nil {
		return fmt.Errorf("page of the %s: %w", r.Identity.Method, err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func makeCurvaturePage(card string, r *probe.Results) (p curvaturePage, err error) {
	id := r.Identity
	p = curvaturePage{Name: card, Digest: r.Digest, Conventions: r.Conventions, Compared: r.Compared}
	p.Title = fmt.Sprintf("%s of the %s", id.Method, curvature.Kind(id.Kind).Text())
	p.Title = strings.ToUpper(p.Title[:1]) + p.Title[1:]
	p.Facts = []fact{
		{"models", strconv.Itoa(len(r.Models))},
		{"parameters", strconv.Itoa(r.Models[0].D)},
		{"rows", strconv.Itoa(id.Rows)},
		{"law", fmt.Sprintf("version %d", id.Law)},
		{"seed", strconv.FormatUint(id.Seed, 10)},
	}
	if id.Method == probe.Trace {
		p.Facts = append(p.Facts, fact{"products of each model", fmt.Sprintf("%d by %s", id.Vectors*id.Rounds, id.Estimator)})
	} else {
		p.Facts = append(p.Facts, fact{"random vectors", strconv.Itoa(id.Vectors)}, fact{"Lanczos steps", strconv.Itoa(id.Steps)})
	}
	if id.Subspace > 0 {
		p.Facts = append(p.Facts, fact{"subspace", fmt.Sprintf("%d dimensions", id.Subspace)})
	}
	p.Conventions = append(p.Conventions[:len(p.Conventions):len(p.Conventions)], r.Meaning()...)
	if p.Pictures, err = picturesOf(r); err != nil {
		return p, err
	}
	p.Summary, p.Eigenvalues = curvatureTables(r)
	p.Problems, _ = r.Problems()
	p.Models = table{Columns: []column{{"model", false}, {"seed", true}, {"parameters", true}, {"identity", false}}}
	for m, x := range r.Models {
		p.Models.Rows = append(p.Models.Rows, []string{r.Who(m), strconv.FormatUint(x.Seed, 10), strconv.Itoa(x.D), x.ID})
	}
	p.Points = table{Columns: []column{{"at", true}, {"model", false}, {"steps done", true}, {"mean loss", true}, {"SHA-256 of the parameters", false}}}
	for _, s := range r.Points {
		for m := range r.Models {
			steps := none
			if s.Steps[m] >= 0 {
				steps = strconv.Itoa(s.Steps[m])
			}
			p.Points.Rows = append(p.Points.Rows, []string{s.At, r.Who(m), steps, lossOf(s, m), s.Hash[m]})
		}
	}
	p.Points.cut()
	b, err := json.MarshalIndent(id, "", "  ")
	p.Estimation = string(b)
	return p, err
}

// cut leaves out rows of which there are too many.
func (t *table) cut() {
	if n := len(t.Rows); n > maxCells {
		t.Rows, t.Note = t.Rows[:maxCells], fmt.Sprintf("The first %d of %d rows are shown; %s has all.", maxCells, n, probe.TableFile)
	}
}

// curvatureTables are a row for each model of each unit, and, of spectra, one for each eigenvalue.
func curvatureTables(r *probe.Results) (t table, all *table) {
	t.Columns = []column{{"at", true}, {"model", false}, {"block", false}, {"size", true}}
	more := func(names ...string) {
		for _, n := range names {
			t.Columns = append(t.Columns, column{n, true})
		}
	}
	switch r.Identity.Method {
	case probe.Spectrum:
		more("T", "largest", "error", "smallest", "error")
		all = &table{Columns: []column{{"at", true}, {"model", false}, {"block", false}, {"end", false}, {"rank", true}, {"eigenvalue", true}, {"error", true}}}
		if r.Identity.Eigenvectors != nil {
			all.Columns = append(all.Columns, column{"residual", true})
		}
	case probe.Density:
		more("T", "least value", "greatest value", "sigma")
		if r.View.C > 0 {
			more(fmt.Sprintf("effective dimension, c = %g", r.View.C), "lo 95 %", "hi 95 %")
		}
	default:
		more("trace", "standard error", "lo 95 %", "hi 95 %", "samples")
	}
	for _, u := range r.Units {
		for m, x := range u.Models {
			head := []string{u.At, r.Who(m), blockTitle(u.Block), strconv.Itoa(u.Size)}
			if x.Problem != "" {
				t.Rows = append(t.Rows, append(head, slices.Repeat([]string{none}, len(t.Columns)-len(head))...))
				continue
			}
			t.Rows = append(t.Rows, append(head, numbersOf(&u, &x)...))
			for _, end := range []struct {
				name   string
				values []probe.Eigenvalue
			}{{"top", x.Top}, {"bottom", x.Bottom}} {
				for i, v := range end.values {
					row := []string{u.At, r.Who(m), blockTitle(u.Block), end.name, strconv.Itoa(i + 1), seven(v.Value), fmt.Sprintf("%.1e", v.Error)}
					switch {
					case v.Residual != nil:
						row = append(row, fmt.Sprintf("%.1e", *v.Residual))
					case r.Identity.Eigenvectors != nil:
						row = append(row, none)
					}
					all.Rows = append(all.Rows, row)
				}
			}
		}
	}
	t.cut()
	if all != nil {
		all.cut()
	}
	return t, all
}

// numbersOf is what a unit gave of a model, in the columns of curvatureTables.
func numbersOf(u *probe.UnitResult, x *probe.ModelResult) (row []string) {
	switch {
	case x.Density != nil:
		d := x.Density
		row = []string{strconv.Itoa(u.T), seven(d.Least()), seven(d.Greatest()), fmt.Sprintf("%.3g", d.Sigma)}
		if e := x.Effective; e != nil {
			row = append(row, seven(e.Mean), maybe(e.Lo), maybe(e.Hi))
		}
		return row
	case x.Trace != nil:
		e := x.Trace
		return []string{seven(e.Mean), maybe(e.Error), maybe(e.Lo), maybe(e.Hi), strconv.Itoa(e.Samples)}
	}
	row = []string{strconv.Itoa(u.T)}
	for _, end := range [][]probe.Eigenvalue{x.Top, x.Bottom} {
		if len(end) == 0 {
			row = append(row, none, none)
			continue
		}
		row = append(row, seven(end[0].Value), fmt.Sprintf("%.1e", end[0].Error))
	}
	return row
}

func blockTitle(block string) string {
	if block == "" {
		return "all"
	}
	return block
}

func seven(x float64) string { return fmt.Sprintf("%.7g", x) }

func maybe(x *float64) string {
	if x == nil {
		return none
	}
	return fmt.Sprintf("%.5g", *x)
}

// lossOf is a model's mean loss at a point.
func lossOf(s probe.Snapshot, m int) string {
	if m < len(s.Loss) {
		return maybe(s.Loss[m])
	}
	return none
}

// svgOf is a chart for the page.
func svgOf(svg string, err error) (template.HTML, error) { return template.HTML(svg), err }
