package report

import (
	"fmt"
	"math"
	"strings"

	"lockstep/studies"
	"lockstep/sweep"
)

// findings is what was measured beside what the card expects.
type findings struct {
	Summary string
	Missing string // why nothing can be judged yet
	Tables  []findingTable
	Note    string // which were left out
	all     []studies.Finding
}

// findingTable is of one kind of expectation.
type findingTable struct {
	Columns []column
	Rows    []findingRow
	Why     []string // what stood in the way of some
}

type findingRow struct {
	Cells   []string
	State   string // class of the page: ok, bad or open
	Verdict string
}

// findingsOf judges the results; nil if the card expects nothing. Before all cells have ended nothing is final.
func findingsOf(in Input) (*findings, error) {
	if in.Card == nil || len(in.Card.Expect) == 0 {
		return nil, nil
	}
	f := &findings{}
	partial := len(in.Results) < in.Cells
	var err error
	if f.all, err = studies.Judge(in.Card, in.Results, in.Paths); err != nil {
		f.Missing = fmt.Sprintf("This cannot be judged yet: %v.", err)
		if partial {
			f.Missing += fmt.Sprintf(" %d of %d cells have not ended.", in.Cells-len(in.Results), in.Cells)
		}
		for _, e := range in.Card.Expect {
			f.Missing += " " + expected(e)
		}
		return f, nil
	}
	ok, bad, open := 0, 0, 0
	last := ""
	for i, x := range f.all {
		row := rowOf(x, partial, len(in.Card.Seeds))
		switch row.State {
		case "ok":
			ok++
		case "bad":
			bad++
		default:
			open++
		}
		if i >= maxFindings {
			continue
		}
		if len(f.Tables) == 0 || x.Expect.What != last {
			t := findingTable{}
			for k, name := range x.Columns() {
				t.Columns = append(t.Columns, column{name, k > 0})
			}
			f.Tables, last = append(f.Tables, t), x.Expect.What
		}
		t := &f.Tables[len(f.Tables)-1]
		t.Rows = append(t.Rows, row)
		if x.Problem != nil {
			t.Why = append(t.Why, fmt.Sprintf("%s: %v", row.Cells[0], x.Problem))
		}
	}
	f.Summary = summary(ok, bad, open)
	if partial {
		f.Summary += " What has no result yet is not in the table."
	}
	if n := len(f.all); n > maxFindings {
		f.Note = fmt.Sprintf("The first %d of %d findings are shown; lockstep study run prints all.", maxFindings, n)
	}
	return f, nil
}

// rowOf is a finding for the page. Of a sweep that has not ended, d_int90 is always open, for any further cell can change
// it, and a mean is until it is over all seeds.
func rowOf(x studies.Finding, partial bool, seeds int) findingRow {
	row := findingRow{Cells: x.Row(), State: "bad", Verdict: "not as expected"}
	if row.Cells[0] == "" {
		row.Cells[0] = "all"
	}
	if x.Expect.What == "d_int90" && x.Measured.Baseline == 0 { // then there is no measurement
		for i := 3; i < len(row.Cells)-1; i++ {
			row.Cells[i] = none
		}
	}
	switch {
	case partial && (x.Expect.What == "d_int90" || x.Seeds < seeds):
		row.State, row.Verdict = "open", "open"
	case x.OK:
		row.State, row.Verdict = "ok", "as expected"
	}
	return row
}

func summary(ok, bad, open int) string {
	total := ok + bad + open
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{ok, "as the card expects"}, {bad, "not as the card expects"}, {open, "open, for not all cells have ended"}} {
		switch {
		case p.n == 1 && total == 1:
			return "It is " + p.text + "."
		case p.n == total:
			return fmt.Sprintf("All %d are %s.", total, p.text)
		case p.n > 0:
			parts = append(parts, fmt.Sprintf("%d %s %s", p.n, be(p.n), p.text))
		}
	}
	return fmt.Sprintf("Of %s, %s.", count(total, "finding"), strings.Join(parts, ", "))
}

// expected says what the card expects, in words.
func expected(e sweep.Expect) string {
	what := "the mean performance of arm " + e.Arm
	if e.OfPath() {
		what = fmt.Sprintf("%s of arm %s", e.What, e.Arm)
	}
	if e.What == "d_int90" {
		what = fmt.Sprintf("d_int90 of arm %s, against arm %s,", e.Arm, e.Baseline)
	}
	in := "in"
	if math.IsInf(e.Lo, -1) || math.IsInf(e.Hi, 1) {
		in = "of"
	}
	return fmt.Sprintf("The card expects %s %s %s.", what, in, e.Span())
}
