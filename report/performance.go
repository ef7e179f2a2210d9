package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"lockstep/analysis"
	"lockstep/studies"
	"lockstep/sweep"
)

// scoreName says what performance is here.
func scoreName(results []sweep.Result) string {
	for _, r := range results {
		if r.Derived.TestAccuracy != nil {
			return testAccuracy
		}
	}
	return "exp(-training loss)"
}

const testAccuracy = "test accuracy"

// performance is the picture of the findings, or if there is none, a general one; nil if no axis is numeric.
func performance(in Input, f *findings, points []*point) (*figure, error) {
	if f != nil {
		if p, ok := studies.Picture(in.Card, f.all); ok {
			p.Title, p.Score = "", scoreName(in.Results)
			svg, err := p.SVG(fmt.Sprintf("%s against the dimension of the subspace; the numbers are in the table of points", p.Score))
			return &figure{
				Title: heading(p.Score) + " against d",
				SVG:   template.HTML(svg),
				Caption: fmt.Sprintf("Lines are means over the seeds, bands reach from the worst to the best. Horizontal lines are the baselines, full, and %.0f %% of them, dashed; "+
					"rings mark where a mean crosses.", 100*p.Fraction),
			}, err
		}
	}
	x := mainAxis(points, false)
	if x == nil {
		return nil, nil
	}
	return general(in, points, x)
}

// heading is what performance is called over a picture.
func heading(score string) string {
	if score == testAccuracy {
		return "Test accuracy"
	}
	return "Performance"
}

// general shows performance against an axis, a curve for each combination of the others. Points of an arm without the axis
// but with equal others are a level of their own, dashed.
func general(in Input, points []*point, x *axis) (*figure, error) {
	curves, levels, left := curvesOver(points, x)
	shown := spread(len(curves), analysis.Hues())
	fig := &figure{Caption: "Lines are means over the seeds, bands reach from the worst to the best."}
	score := scoreName(in.Results)
	chart := analysis.Chart{Y: analysis.Range{Label: score}}
	name := namesFor(slices.Concat(curves...), x.name)
	var xs, ys []float64
	dashed := false
	for i, k := range shown {
		s := analysis.Series{Color: analysis.Hue(i), Glyph: i + 1}
		for _, p := range curves[k] {
			v, _ := p.value(x.name)
			at, _ := number(v)
			mean, least, greatest := p.scores()
			s.X, s.Y, s.Lo, s.Hi = append(s.X, at), append(s.Y, mean), append(s.Lo, least), append(s.Hi, greatest)
			xs, ys = append(xs, at), append(ys, least, greatest)
		}
		chart.Series = append(chart.Series, s)
		if label := name.of(curves[k][0]); label != "" {
			entry, err := key(s, label)
			if err != nil {
				return nil, err
			}
			fig.Key = append(fig.Key, entry)
		}
		for _, p := range levels[k] {
			mean, _, _ := p.scores()
			chart.Series = append(chart.Series, analysis.Series{X: []float64{math.Inf(-1), math.Inf(1)}, Y: []float64{mean, mean}, Color: s.Color, Dashed: true})
			ys, dashed = append(ys, mean), true
		}
	}
	chart.X, chart.Y.Min, chart.Y.Max = over(x.name, xs), 0, 1
	if chart.Boxes = boxes(in, x, chart.X); chart.Boxes != nil {
		fig.Caption += " Grey: what the card expects."
	}
	for _, b := range chart.Boxes {
		ys = append(ys, b.Y[:]...)
	}
	if lo, hi := slices.Min(ys), slices.Max(ys); lo < 0 || hi > 1 || hi-lo < 0.25 && hi-lo > 1e-6 { // what is close together is drawn large
		margin := (hi - lo) / 10
		chart.Y.Min, chart.Y.Max = lo-margin, hi+margin
	} else {
		chart.Y.Score = true
	}
	fig.Title = heading(score) + " against " + x.name
	svg, err := chart.SVG(fig.Title + "; the numbers are in the table of points")
	if err != nil {
		return nil, err
	}
	fig.SVG = template.HTML(svg)
	if dashed {
		fig.Caption += fmt.Sprintf(" Dashed: the mean where the cells have no %s.", x.name)
	}
	var out []string
	for k, c := range curves {
		if !slices.Contains(shown, k) {
			out = append(out, name.of(c[0]))
		}
	}
	if len(out) > 0 {
		fig.Notes = append(fig.Notes, fmt.Sprintf("%d of %d curves are shown. Left out: %s.", len(shown), len(curves), listed(out)))
	}
	if len(left) > 0 {
		fig.Notes = append(fig.Notes, fmt.Sprintf("Not in the picture, for it has no %s: arm %s.", x.name, strings.Join(left, ", arm ")))
	}
	return fig, nil
}

// boxes is where the card expects the means of points: what hangs on another axis than x is not shown.
func boxes(in Input, x *axis, on analysis.Range) (all []analysis.Box) {
	if in.Card == nil {
		return nil
	}
	for _, e := range in.Card.Expect {
		b := analysis.Box{X: [2]float64{on.Min, on.Max}, Y: [2]float64{e.Lo, e.Hi}}
		other := e.What != "performance" || len(e.Where) > 1
		for _, w := range e.Where {
			other = other || w.Axis != x.name
			b.X = widened(w.Lo, w.Hi, on)
		}
		if !other {
			all = append(all, b)
		}
	}
	return all
}

// widened is lo to hi with a hundredth of the axis at each side, so that a box surrounds the points at its ends.
func widened(lo, hi float64, on analysis.Range) [2]float64 {
	if on.Log {
		part := math.Pow(on.Max/on.Min, 0.01)
		return [2]float64{lo / part, hi * part}
	}
	part := (on.Max - on.Min) / 100
	return [2]float64{lo - part, hi + part}
}

// curvesOver collects the points that have the axis into curves; levels[k] are the points without it that belong to curve
// k, and left the arms without it that belong to none.
func curvesOver(points []*point, x *axis) (curves [][]*point, levels [][]*point, left []string) {
	index := map[string]int{}
	for _, p := range points {
		if _, ok := p.value(x.name); !ok {
			continue
		}
		k := keyOf(p.arm, p.axes, x.name)
		if _, ok := index[k]; !ok {
			index[k] = len(curves)
			curves = append(curves, nil)
		}
		curves[index[k]] = append(curves[index[k]], p)
	}
	levels = make([][]*point, len(curves))
	for _, c := range curves {
		slices.SortStableFunc(c, func(a, b *point) int {
			v, _ := a.value(x.name)
			w, _ := b.value(x.name)
			m, _ := number(v)
			n, _ := number(w)
			return cmp.Compare(m, n)
		})
	}
	for _, p := range points {
		if _, ok := p.value(x.name); ok {
			continue
		}
		found := false
		for k, c := range curves {
			if keyOf("", c[0].axes, x.name) == keyOf("", p.axes, "") {
				levels[k], found = append(levels[k], p), true
			}
		}
		if !found && !slices.Contains(left, p.arm) {
			left = append(left, p.arm)
		}
	}
	return curves, levels, left
}

// over is the range of an axis of numbers: a log axis if they are above 0 and span more than a decade.
func over(name string, xs []float64) analysis.Range {
	lo, hi := slices.Min(xs), slices.Max(xs)
	r := analysis.Range{Label: name, Values: xs}
	switch {
	case lo == hi:
		half := max(1, math.Abs(lo)/2)
		r.Min, r.Max = lo-half, hi+half
	case lo > 0 && hi >= 10*lo:
		r.Label, r.Log = name+" (log scale)", true
		margin := math.Pow(hi/lo, 0.05)
		r.Min, r.Max = lo/margin, hi*margin
	default:
		r.Min, r.Max = lo-(hi-lo)/20, hi+(hi-lo)/20
	}
	return r
}
