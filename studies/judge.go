package studies

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"lockstep/analysis"
	"lockstep/sweep"
)

// Finding is what was measured where a card expects something: for d_int90 a group of cells, for performance a point of
// the grid.
type Finding struct {
	Expect   sweep.Expect
	Where    []sweep.Axis
	Params   int                // D
	Seeds    int                // over which means are taken
	Measured analysis.Intrinsic // d_int90
	Mean     float64            // performance, r90, commutator
	Spread   float64            // r90, commutator: standard deviation over the seeds; NaN of one
	Nulls    string             // r90, commutator: what has no direction, for the eye
	Problem  error              // why nothing could be measured, or not be trusted
	OK       bool               // within the expected limits
	several  bool               // it stands beside findings of other arms
	points   []analysis.Point
	baseline []float64
}

// Fraction is the share of the baseline's performance that d_int90 asks for.
const Fraction = 0.9

// Judge holds the results of a card's cells, and their paths where it has a path, against what the card expects. Error: results that are missing, or that do
// not make a measurement.
func Judge(card *sweep.Card, results []sweep.Result, paths []CellPath) (all []Finding, err error) {
	for _, e := range card.Expect {
		var found []Finding
		switch e.What {
		case "d_int90":
			found, err = intrinsic(e, results)
		case "performance":
			found, err = performance(e, results)
		default:
			found = ofPaths(e, results, paths)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s of arm %s: %w", card.Name, e.What, e.Arm, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: %s of arm %s: no cell is where it is expected", card.Name, e.What, e.Arm)
		}
		all = append(all, found...)
	}
	several := slices.ContainsFunc(all, func(f Finding) bool { return f.Expect.Arm != all[0].Expect.Arm })
	for i := range all {
		all[i].several = several
	}
	return all, nil
}

// Check tells before any training whether the cells of a card, once trained, can be held against what it expects.
func Check(card *sweep.Card, cells []sweep.Cell) error {
	for _, c := range cells {
		switch p := card.Path; {
		case p == nil:
		case p.Lanczos > c.Model.D():
			return fmt.Errorf("%s: path.lanczos is %d; the model of cell (%s) has %d parameters, and the process as many steps at most", card.Name, p.Lanczos, c.Name(), c.Model.D())
		case c.TestRows() == 0 && slices.ContainsFunc(card.Expect, func(e sweep.Expect) bool { return e.What == "delay" && e.Arm == c.Arm }):
			return fmt.Errorf("%s: a delay between training and test rows is expected of arm %s, whose data have no test rows", card.Name, c.Arm)
		}
	}
	loss := 0.0
	results := make([]sweep.Result, len(cells))
	for i, c := range cells {
		results[i] = sweep.Result{Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, Params: c.Model.D(), D: c.Dim(),
			Derived: sweep.Derived{TrainLoss: &loss, TestLoss: &loss, Performance: 1}}
	}
	findings, err := Judge(card, results, nil)
	for _, f := range findings {
		if f.Problem != nil && !f.Expect.OfPath() {
			return fmt.Errorf("%s: %s of arm %s: %w", card.Name, f.Expect.What, f.Expect.Arm, f.Problem)
		}
	}
	return err
}

// intrinsic measures d_int90 in every group of cells with equal values of the axes in e.By.
func intrinsic(e sweep.Expect, results []sweep.Result) (all []Finding, err error) {
	for _, group := range groups(results, e.Arm, e.By) {
		f := Finding{Expect: e, Where: group.where, Params: group.results[0].Params}
		byD := map[int][]sweep.Result{}
		for _, r := range group.results {
			byD[r.D] = append(byD[r.D], r)
		}
		for d, rs := range byD {
			f.points = append(f.points, analysis.Point{D: d, Scores: scores(rs)})
		}
		slices.SortFunc(f.points, func(a, b analysis.Point) int { return cmp.Compare(a.D, b.D) })
		for _, g := range groups(results, e.Baseline, e.By) {
			if slices.Equal(g.where, group.where) {
				f.baseline = scores(g.results)
			}
		}
		if f.Measured, f.Problem = analysis.IntrinsicDimension(f.points, f.baseline, Fraction, 0); f.Problem == nil {
			f.Problem = unfit(results, e, group.where)
		}
		f.Seeds = len(f.baseline)
		d := float64(f.Measured.D)
		f.OK = f.Problem == nil && f.Measured.Reached && e.Holds(d)
		all = append(all, f)
	}
	return all, nil
}

// unfit finds a baseline's cell that ended without a finite loss: what is measured against it means nothing.
func unfit(results []sweep.Result, e sweep.Expect, where []sweep.Axis) error {
	for _, g := range groups(results, e.Baseline, e.By) {
		if !slices.Equal(g.where, where) {
			continue
		}
		for _, r := range g.results {
			if r.Declared.Diverged || r.Derived.TrainLoss == nil {
				return fmt.Errorf("the baseline of seed %d has no finite loss", r.Seed)
			}
		}
	}
	return nil
}

// performance measures the mean performance at every point of the grid where the axes of e.Where lie in theirs.
func performance(e sweep.Expect, results []sweep.Result) (all []Finding, err error) {
	var axes []string
	for _, r := range results {
		if r.Arm == e.Arm {
			for _, a := range r.Axes {
				axes = append(axes, a.Name)
			}
			break
		}
	}
	for _, g := range groups(results, e.Arm, axes) {
		inside := true
		for _, i := range e.Where {
			for _, a := range g.where {
				if a.Name == i.Axis {
					v, err := strconv.ParseFloat(a.Value, 64)
					if err != nil {
						return nil, fmt.Errorf("axis %s: %w", a.Name, err)
					}
					inside = inside && i.Lo <= v && v <= i.Hi
				}
			}
		}
		if !inside {
			continue
		}
		f := Finding{Expect: e, Where: g.where, Params: g.results[0].Params, Seeds: len(g.results)}
		for _, s := range scores(g.results) {
			f.Mean += s / float64(len(g.results))
		}
		f.OK = e.Holds(f.Mean)
		all = append(all, f)
	}
	return all, nil
}

type group struct {
	where   []sweep.Axis
	results []sweep.Result
}

// groups collects the results of an arm by the values of the given axes, in order of appearance.
func groups(results []sweep.Result, arm string, by []string) (all []*group) {
	index := map[string]*group{}
	for _, r := range results {
		if r.Arm != arm {
			continue
		}
		var where []sweep.Axis
		for _, a := range r.Axes {
			if slices.Contains(by, a.Name) {
				where = append(where, a)
			}
		}
		key := name(where)
		if index[key] == nil {
			index[key] = &group{where: where}
			all = append(all, index[key])
		}
		index[key].results = append(index[key].results, r)
	}
	return all
}

// scores lists performances by seed.
func scores(results []sweep.Result) (s []float64) {
	for _, r := range slices.SortedFunc(slices.Values(results), func(a, b sweep.Result) int { return cmp.Compare(a.Seed, b.Seed) }) {
		s = append(s, r.Derived.Performance)
	}
	return s
}

func name(axes []sweep.Axis) string {
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = a.Name + " " + a.Value
	}
	return strings.Join(parts, ", ")
}

// Table prints what was measured beside what was expected.
func Table(findings []Finding) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	last := ""
	for _, f := range findings {
		if f.Expect.What != last {
			if last != "" {
				fmt.Fprintln(t)
			}
			last = f.Expect.What
			fmt.Fprintf(t, "%s\t\n", strings.Join(f.Columns(), "\t"))
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.Join(f.Row(), "\t"), f.Verdict())
	}
	t.Flush()
	return b.String()
}

// Columns names what Row tells.
func (f Finding) Columns() []string {
	if o, is := pathOutcomes[f.Expect.What]; is {
		return append([]string{"cells", "parameters", "seeds"}, o.columns()...)
	}
	if f.Expect.What == "d_int90" {
		return []string{"cells", "parameters", "seeds", "baseline", "threshold", "d_int90", "interpolated [bootstrap over seeds]", "expected"}
	}
	return []string{"cells", "parameters", "seeds", "mean performance", "expected"}
}

// Row is the finding for a table: one text for each of Columns.
func (f Finding) Row() []string {
	row := []string{f.cells(), strconv.Itoa(f.Params), strconv.Itoa(f.Seeds)}
	if o, is := pathOutcomes[f.Expect.What]; is {
		return append(row, o.row(f)...)
	}
	if f.Expect.What != "d_int90" {
		return append(row, fmt.Sprintf("%.4f", f.Mean), f.Expect.Span())
	}
	m := f.Measured
	d, between := "not reached", ""
	if m.Reached {
		d, between = strconv.Itoa(m.D), fmt.Sprintf("%.0f [%.0f, %.0f]", m.Interpolated, m.Lo, m.Hi)
	}
	if m.AtFirst {
		d, between = "<= "+d, ""
	}
	return append(row, fmt.Sprintf("%.4f", m.Baseline), fmt.Sprintf("%.4f", m.Threshold), d, between, f.Expect.Span())
}

// cells says which cells the finding is of: by its arm and its axes. The arm goes without saying where no finding beside it is of another one and its axes tell;
// "" is of a card without arms and axes.
func (f Finding) cells() string {
	where := name(f.Where)
	switch {
	case f.Expect.Arm == sweep.OnlyArm:
		return where
	case where == "":
		return f.Expect.Arm
	case f.several:
		return f.Expect.Arm + ", " + where
	}
	return where
}

// Verdict is "ok", or "NOT AS EXPECTED" with the problem if there is one.
func (f Finding) Verdict() string {
	verdict := "ok"
	if !f.OK {
		verdict = "NOT AS EXPECTED"
	}
	if f.Problem != nil {
		verdict += ": " + f.Problem.Error()
	}
	return verdict
}

// WriteEvent writes the finding as a line of JSON: event finding, what was expected of which cells, what was measured, ok. Limits without an end have no lo or hi.
func (f Finding) WriteEvent(w io.Writer) error {
	e := map[string]any{"event": "finding", "what": f.Expect.What, "arm": f.Expect.Arm, "where": sweep.Axes(f.Where), "params": f.Params, "seeds": f.Seeds, "ok": f.OK}
	if !math.IsInf(f.Expect.Lo, -1) {
		e["lo"] = f.Expect.Lo
	}
	if !math.IsInf(f.Expect.Hi, 1) {
		e["hi"] = f.Expect.Hi
	}
	switch m := f.Measured; {
	case f.Problem != nil:
		e["problem"] = f.Problem.Error()
	case f.Expect.OfPath():
		e["mean"], e["nulls"] = f.Mean, f.Nulls
		if !math.IsNaN(f.Spread) {
			e["sd"] = f.Spread
		}
	case f.Expect.What == "performance":
		e["mean"] = f.Mean
	default:
		e["baseline"], e["threshold"], e["reached"] = m.Baseline, m.Threshold, m.Reached
		if m.Reached {
			e["measured"], e["interpolated"], e["low"] = m.D, m.Interpolated, m.Lo
			if !math.IsInf(m.Hi, 1) {
				e["high"] = m.Hi
			}
		}
	}
	return json.NewEncoder(w).Encode(e)
}
