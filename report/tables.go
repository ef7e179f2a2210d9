package report

import (
	"fmt"
	"math"
	"strconv"

	"lockstep/sweep"
)

// shownAxes are the axes that have a column of their own: the dimension has one already.
func shownAxes(points []*point) (shown []string) {
	for _, a := range axesOf(points) {
		if !a.isD {
			shown = append(shown, a.name)
		}
	}
	return shown
}

// where is the arm, if there are several, and the values of the axes.
func where(arm string, axes sweep.Axes, shown []string, arms bool) (row []string) {
	if arms {
		row = append(row, arm)
	}
	p := point{axes: axes}
	for _, name := range shown {
		v, ok := p.value(name)
		if !ok {
			v = none
		}
		row = append(row, v)
	}
	return row
}

// none stands in a table where there is nothing.
const none = "\u2013"

// columnsOf are the columns of where, and further ones.
func columnsOf(points []*point, shown []string, further ...column) (columns []column, arms bool) {
	if arms = namesFor(points, "").arms; arms {
		columns = append(columns, column{Name: "arm"})
	}
	for _, name := range shown {
		columns = append(columns, column{name, true})
	}
	return append(columns, further...), arms
}

// pointTable has a row for each point.
func pointTable(points []*point) (t table) {
	shown := shownAxes(points)
	var arms bool
	t.Columns, arms = columnsOf(points, shown, column{"parameters", true}, column{"d", true}, column{"seeds", true}, column{"mean", true}, column{"worst", true},
		column{"best", true}, column{"diverged", true})
	for _, p := range points[:min(len(points), maxPoints)] {
		mean, least, greatest := p.scores()
		diverged := "0"
		if n := p.diverged(); n > 0 {
			diverged = fmt.Sprintf("%d of %d", n, len(p.results))
		}
		t.Rows = append(t.Rows, append(where(p.arm, p.axes, shown, arms), strconv.Itoa(p.results[0].Params), strconv.Itoa(p.results[0].D),
			strconv.Itoa(len(p.results)), score(mean), score(least), score(greatest), diverged))
		t.Spans = append(t.Spans, span{percent(least), percent(greatest) - percent(least), percent(mean)})
	}
	if n := len(points); n > maxPoints {
		t.Note = fmt.Sprintf("The first %d of %d points are shown; lockstep sweep export DIR writes every cell.", maxPoints, n)
	}
	return t
}

// cellTable has a row for each cell.
func cellTable(results []sweep.Result) (t table) {
	points := pointsOf(results)
	shown := shownAxes(points)
	tests := scoreName(results) == testAccuracy
	further := []column{{"seed", true}, {"d", true}, {"steps", true}, {"train loss", true}}
	if tests {
		further = append(further, column{"test loss", true})
	}
	further = append(further, column{"performance", true}, column{"identity", false}, column{"", false})
	var arms bool
	t.Columns, arms = columnsOf(points, shown, further...)
	for _, r := range results[:min(len(results), maxCells)] {
		d := r.Declared
		row := append(where(r.Arm, r.Axes, shown, arms), strconv.FormatUint(r.Seed, 10), strconv.Itoa(r.D), strconv.Itoa(d.Steps), loss(d.TrainLoss))
		if tests {
			row = append(row, loss(d.TestLoss))
		}
		note := ""
		if d.Diverged {
			note = fmt.Sprintf("diverged at step %d", d.Steps)
		} else if r.Derived.TrainLoss == nil {
			note = "loss not finite"
		}
		t.Rows = append(t.Rows, append(row, score(r.Derived.Performance), fmt.Sprintf("%.12s", r.ID), note))
	}
	if n := len(results); n > maxCells {
		t.Note = fmt.Sprintf("The first %d of %d cells are shown; lockstep sweep export DIR writes all.", maxCells, n)
	}
	return t
}

// percent is a share for the page, in tenths.
func percent(x float64) float64 { return math.Round(1000*min(max(x, 0), 1)) / 10 }

func score(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }

func loss(x sweep.Hex) string { return fmt.Sprintf("%.4g", float32(x)) }
