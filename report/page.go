package report

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"lockstep/analysis"
	"lockstep/sweep"
)

// How much of a sweep a page holds: what ten thousand cells give must still open at once.
const (
	maxFindings = 200
	maxPanels   = 24 // of training curves
	maxCurves   = 12 // in each
	maxPoints   = 1000
	maxCells    = 2000
	maxDiverged = 40  // points in the list of those
	maxNames    = 12  // in a sentence about what was left out
	openRows    = 100 // a longer table is folded
)

// page is what the template shows.
type page struct {
	Name, About string
	Warnings    []string // on top
	Facts       []fact
	Digest      string // "" before all cells have ended
	Findings    *findings
	Performance *figure
	Training    *training
	Paths       *paths
	Points      table
	Cells       table
	Provenance  provenance
}

type fact struct{ Label, Value string }

// figure is a picture with what belongs to it.
type figure struct {
	Title   string
	SVG     template.HTML
	Key     []keyEntry
	Caption string
	Notes   []string // what it leaves out
}

// keyEntry says what a line is.
type keyEntry struct {
	Swatch template.HTML
	Label  string
}

// key makes the entry of a series.
func key(s analysis.Series, label string) (keyEntry, error) {
	swatch, err := s.Swatch()
	return keyEntry{template.HTML(swatch), label}, err
}

// table is a table; Num tells which columns are numbers.
type table struct {
	Columns []column
	Rows    [][]string
	Spans   []span // one for each row, to be drawn; or none
	Note    string // which rows were left out
}

// span is where performance lies between 0 and 1, in percent.
type span struct{ From, Width, Mean float64 }

type column struct {
	Name string
	Num  bool
}

// Long tells that the table is to be folded.
func (t table) Long() bool { return len(t.Rows) > openRows }

func makePage(in Input) (p page, err error) {
	p = page{Name: in.Name, About: in.About}
	if err := p.head(in); err != nil {
		return p, err
	}
	all := pointsOf(in.Results)
	if p.Findings, err = findingsOf(in); err != nil {
		return p, err
	}
	if p.Performance, err = performance(in, p.Findings, all); err != nil {
		return p, err
	}
	if p.Training, err = trainingOf(in, all); err != nil {
		return p, err
	}
	if p.Paths, err = pathsOf(in.Paths); err != nil {
		return p, err
	}
	p.Points, p.Cells = pointTable(all), cellTable(in.Results)
	p.Provenance = provenanceOf(in, p.Digest)
	return p, nil
}

// head says how far the sweep is, and what its results are together. It counts the results that there are: a run at work
// may have added some since the record was read.
func (p *page) head(in Input) error {
	ended, diverged := len(in.Results), 0
	for _, r := range in.Results {
		if r.Declared.Diverged {
			diverged++
		}
	}
	p.Facts = []fact{
		{"cells ended", fmt.Sprintf("%d of %d", ended, in.Cells)},
		{"diverged", fmt.Sprint(diverged)},
		{"law", fmt.Sprintf("version %d", in.Law)},
	}
	if when := period(in.Runs); when != "" {
		p.Facts = append(p.Facts, fact{"when", when})
	}
	if ended < in.Cells {
		p.Warnings = append(p.Warnings, unfinished(in, ended))
		return nil
	}
	digest, err := sweep.Digest(in.Results)
	if err != nil {
		return err
	}
	if p.Digest = digest; in.Digest != "" && in.Digest != digest {
		p.Warnings = append(p.Warnings, fmt.Sprintf("These are not the results that the sweep ended with: their digest is %s, and was %s. "+
			"The file was changed or is damaged; lockstep sweep verify DIR names the cells.", digest, in.Digest))
	}
	return nil
}

// unfinished says what the reader of a part must know.
func unfinished(in Input, ended int) string {
	var b strings.Builder
	if in.Running {
		b.WriteString("This sweep is still running: ")
	} else {
		b.WriteString("This sweep was stopped before its end: ")
	}
	fmt.Fprintf(&b, "%d of %d cells have ended, and all that follows is of these alone.", ended, in.Cells)
	cells := 0
	for _, c := range in.Checkpoints {
		cells += c.Cells
	}
	if cells > 0 {
		fmt.Fprintf(&b, " %d more %s part of the way, in a checkpoint.", cells, be(cells))
	}
	if !in.Running {
		b.WriteString(" It can be resumed.")
	}
	return b.String()
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// period is from the start of the first run to the last result.
func period(runs []sweep.RunRecord) string {
	var first, last time.Time
	for _, r := range runs {
		if first.IsZero() || r.Started.Before(first) {
			first = r.Started
		}
		if r.Last.After(last) {
			last = r.Last
		}
	}
	const day, clock = "2 January 2006", "15:04"
	first, last = first.UTC(), last.UTC()
	switch {
	case first.IsZero():
		return ""
	case last.IsZero():
		return first.Format(day+", "+clock) + " UTC"
	case first.Format(day) != last.Format(day):
		return first.Format(day+", "+clock) + " to " + last.Format(day+", "+clock) + " UTC"
	case first.Format(clock) != last.Format(clock):
		return first.Format(day+", "+clock) + " to " + last.Format(clock) + " UTC"
	}
	return first.Format(day+", "+clock) + " UTC"
}

// spread chooses at most limit of n things, at even distances, the first and the last among them.
func spread(n, limit int) []int {
	if n < limit {
		limit = n
	}
	chosen := make([]int, limit)
	for i := range chosen {
		if i > 0 {
			chosen[i] = i * (n - 1) / (limit - 1)
		}
	}
	return chosen
}

// listed joins names, as many as a reader bears.
func listed(names []string) string {
	if len(names) > maxNames {
		return strings.Join(names[:maxNames], "; ") + fmt.Sprintf("; and %d more", len(names)-maxNames)
	}
	return strings.Join(names, "; ")
}
