package report

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"lockstep/analysis"
	"lockstep/analysis/curvature"
	"lockstep/probe"
)

// pictures are those of an estimation: a panel for each model and block.
type pictures struct {
	Title, Caption string
	Key            []keyEntry
	Small          bool // panels stand beside each other
	Panels         []panel
	Notes          []string
}

// story is what a panel shows: one matrix of one model, at each point.
type story struct {
	model int
	block string
	steps []float64 // of the points; none of given parameters
	names []string  // of the points
	gave  []*probe.ModelResult
	t     int // size of T
}

// first is the first point that has a result.
func (s *story) first() *probe.ModelResult {
	return s.gave[slices.IndexFunc(s.gave, func(x *probe.ModelResult) bool { return x.Problem == "" })]
}

// bottom is how many of the smallest eigenvalues are not among the largest: a small T has few.
func (s *story) bottom() int {
	x := s.first()
	return max(0, min(len(x.Bottom), s.t-len(x.Top)))
}

func stories(r *probe.Results) (all []*story) {
	index := map[string]*story{}
	for i := range r.Units {
		u := &r.Units[i]
		for m := range u.Models {
			key := fmt.Sprint(m, " ", u.Block)
			if r.Identity.Method == probe.Density { // widths differ by orders of magnitude along a training: each has axes of its own
				key += " " + u.At
			}
			s := index[key]
			if s == nil {
				s = &story{model: m, block: u.Block, t: u.T}
				index[key] = s
				all = append(all, s)
			}
			s.names, s.gave = append(s.names, u.At), append(s.gave, &u.Models[m])
			for _, p := range r.Points {
				if p.At == u.At && p.Steps[m] >= 0 {
					s.steps = append(s.steps, float64(p.Steps[m]))
				}
			}
		}
	}
	return slices.DeleteFunc(all, func(s *story) bool {
		return !slices.ContainsFunc(s.gave, func(x *probe.ModelResult) bool { return x.Problem == "" })
	})
}

// picturesOf draws what there is to see; nil: nothing, such as one trace.
func picturesOf(r *probe.Results) (*pictures, error) {
	all, p := stories(r), &pictures{}
	if len(all) == 0 { // no matrix has a result
		return nil, nil
	}
	several := len(all[0].gave) > 1 && len(all[0].steps) > 1
	draw := map[string]func(*probe.Results, *story) (analysis.Chart, error){probe.Spectrum: ritz, probe.Density: density, probe.Trace: samples}[r.Identity.Method]
	switch m := r.Identity.Method; {
	case m == probe.Density:
		p.Title, p.Caption = "Spectral density", "The share of eigenvalues per unit, on a log scale, smoothed by a normal density; bands are a standard error over the random vectors either way."
	case m == probe.Spectrum && several:
		draw = eigenvaluesAlong
		p.Title, p.Caption = "Eigenvalues along the training", "The largest eigenvalues that were asked for, and dashed the smallest; bands are their errors."
	case m == probe.Spectrum:
		p.Title, p.Caption = "Eigenvalues", "The eigenvalues that were asked for by their rank, the largest first; bands are their errors."
	case several:
		draw = tracesAlong
		p.Title, p.Caption = "Trace along the training", "Estimates, with their 95 % intervals."
	case r.Identity.Estimator == probe.Hutchinson && r.Identity.Rounds*r.Identity.Vectors > 1:
		p.Title, p.Caption = "Trace", "The mean of the first samples, against how many they are, and its 95 % interval."
	default:
		return nil, nil
	}
	shown := spread(len(all), maxPanels)
	p.Small = len(shown) > 1
	if len(shown) < len(all) {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of %d matrices are shown, at even distances; %s has all.", len(shown), len(all), probe.TableFile))
	}
	for _, i := range shown {
		s := all[i]
		c, err := draw(r, s)
		if err != nil {
			return nil, err
		}
		c.Small = p.Small
		title := r.Who(s.model)
		if s.block != "" {
			title += ", block " + s.block
		}
		if at := s.names[0]; len(r.Points) > 1 && len(s.names) == 1 && at != probe.Given {
			title += ", step " + at
		}
		svg, err := svgOf(c.SVG(p.Title + ": " + title))
		if err != nil {
			return nil, err
		}
		p.Panels = append(p.Panels, panel{Title: title, SVG: svg})
	}
	if zero := several && wide(all[0].steps) && all[0].steps[0] == 0; zero {
		p.Notes = append(p.Notes, "Steps are on a log scale; the points at the left edge are step 0.")
	}
	return p, p.makeKey(r, all[0], several)
}

// makeKey says what the colours are, where they are not told by an axis.
func (p *pictures) makeKey(r *probe.Results, s *story, several bool) error {
	add := func(series analysis.Series, label string) error {
		e, err := key(series, label)
		p.Key = append(p.Key, e)
		return err
	}
	if r.Identity.Method != probe.Spectrum {
		return nil
	}
	top, bottom := len(s.first().Top), s.bottom()
	if !several {
		if top > 0 && bottom > 0 {
			return errors.Join(add(endLook(0), "the largest"), add(endLook(1), "the smallest"))
		}
		return nil
	}
	for _, i := range spread(top, maxCurves) {
		if err := add(analysis.Series{Color: rankColor(i, top)}, "rank "+strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	if bottom > 0 {
		return add(analysis.Series{Color: analysis.Ink(), Dashed: true}, "the smallest")
	}
	return nil
}

// rankColor is dark for the largest eigenvalue.
func rankColor(i, n int) color.NRGBA { return analysis.Shade(n-1-i, n) }

// endLook is that of eigenvalues counted from above, 0, or from below, 1.
func endLook(k int) analysis.Series { return analysis.Series{Color: analysis.Hue(k), Glyph: k + 1} }

// wide tells that steps do not stand apart on a linear axis.
func wide(steps []float64) bool {
	least := math.Inf(1)
	for _, s := range steps {
		if s > 0 {
			least = min(least, s)
		}
	}
	return len(steps) > 2 && steps[len(steps)-1] > 8*least
}

// along is the axis of steps, and where they stand on it.
func along(steps []float64) (r analysis.Range, at []float64) {
	last := steps[len(steps)-1]
	if !wide(steps) {
		room := max(last-steps[0], 1) * margin
		return analysis.Range{Label: "step", Min: steps[0] - room, Max: max(last, steps[0]+1) + room, Values: steps}, steps
	}
	first := steps[0]
	values := steps
	if first == 0 { // a log axis has no place for it
		first, values = steps[1]/2, steps[1:]
	}
	for _, s := range steps {
		at = append(at, max(s, first))
	}
	room := math.Pow(last/first, margin)
	return analysis.Range{Label: "step (log scale)", Log: true, Min: first / room, Max: last * room, Values: values}, at
}

const margin = 0.02 // at the ends of an axis, as a share of it

// linear is an axis that holds all values, with some room.
func linear(label string, values ...[]float64) analysis.Range {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, list := range values {
		for _, v := range list {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if !(lo <= hi) {
		lo, hi = 0, 1
	}
	room := 0.04 * (hi - lo)
	if room == 0 {
		room = max(math.Abs(hi)/10, 1e-6)
	}
	return analysis.Range{Label: label, Min: lo - room, Max: hi + room}
}

// eigenvaluesAlong draws eigenvalues against the step.
func eigenvaluesAlong(r *probe.Results, s *story) (c analysis.Chart, err error) {
	var at []float64
	c.X, at = along(s.steps)
	var ys [][]float64
	line := func(of func(*probe.ModelResult) []probe.Eigenvalue, i int, look analysis.Series) {
		look.X = at
		for _, x := range s.gave {
			y, e := math.NaN(), 0.
			if all := of(x); i < len(all) {
				y, e = all[i].Value, all[i].Error
			}
			look.Y, look.Lo, look.Hi = append(look.Y, y), append(look.Lo, y-e), append(look.Hi, y+e)
		}
		ys = append(ys, look.Y)
		c.Series = append(c.Series, look)
	}
	n := len(s.first().Top)
	for i := n - 1; i >= 0; i-- {
		line(func(x *probe.ModelResult) []probe.Eigenvalue { return x.Top }, i, analysis.Series{Color: rankColor(i, n), Glyph: 1})
	}
	for i := range s.bottom() {
		line(func(x *probe.ModelResult) []probe.Eigenvalue { return x.Bottom }, i, analysis.Series{Color: analysis.Ink(), Dashed: true})
	}
	c.Y = linear("eigenvalue", ys...)
	return c, nil
}

// ritz draws the eigenvalues of one point by their rank.
func ritz(r *probe.Results, s *story) (c analysis.Chart, err error) {
	var ys [][]float64
	x := s.gave[0]
	for k, end := range [][]probe.Eigenvalue{x.Top, x.Bottom[:s.bottom()]} {
		look := endLook(k)
		for i, v := range end {
			look.X, look.Y = append(look.X, float64(i+1)), append(look.Y, v.Value)
			look.Lo, look.Hi = append(look.Lo, v.Value-v.Error), append(look.Hi, v.Value+v.Error)
		}
		ys = append(ys, look.Y)
		c.Series = append(c.Series, look)
	}
	c.X = analysis.Range{Label: "rank, from above and from below", Min: 0, Max: float64(max(len(x.Top), len(x.Bottom), 1) + 1)}
	c.Y = linear("eigenvalue", ys...)
	return c, nil
}

// density draws a density; where it lies below the picture there is no line.
func density(_ *probe.Results, s *story) (c analysis.Chart, err error) {
	d := s.gave[0].Density
	peak := slices.Max(d.Phi)
	c.X = linear("eigenvalue", d.At)
	c.Y = analysis.Range{Label: "density (log scale)", Log: true, Min: peak * depth, Max: peak * 2}
	for from := 0; from < len(d.Phi); {
		to := from
		for to < len(d.Phi) && d.Phi[to] > c.Y.Min {
			to++
		}
		if to > from {
			a, b := max(from-1, 0), min(to+1, len(d.Phi)) // to the edge
			look := analysis.Series{Color: analysis.Hue(0), X: d.At[a:b], Y: d.Phi[a:b]}
			for k := a; k < b && d.Error[k] != nil; k++ {
				look.Lo, look.Hi = append(look.Lo, d.Phi[k]-*d.Error[k]), append(look.Hi, d.Phi[k]+*d.Error[k])
			}
			c.Series = append(c.Series, look)
		}
		from = to + 1
	}
	return c, nil
}

// depth is how far below its peak a density is shown: one eigenvalue of a million, smoothed like the others, can be seen.
const depth = 1e-6

// tracesAlong draws traces against the step.
func tracesAlong(r *probe.Results, s *story) (c analysis.Chart, err error) {
	look := analysis.Series{Color: analysis.Hue(0), Glyph: 1}
	c.X, look.X = along(s.steps)
	for _, x := range s.gave {
		if x.Trace == nil {
			look.Y = append(look.Y, math.NaN())
			if s.first().Trace.Lo != nil {
				look.Lo, look.Hi = append(look.Lo, math.NaN()), append(look.Hi, math.NaN())
			}
			continue
		}
		look.Y = append(look.Y, x.Trace.Mean)
		if x.Trace.Lo != nil && x.Trace.Hi != nil { // of one sample there is no interval, at any point
			look.Lo, look.Hi = append(look.Lo, *x.Trace.Lo), append(look.Hi, *x.Trace.Hi)
		}
	}
	c.Series = []analysis.Series{look}
	c.Y = linear("trace", look.Y, look.Lo, look.Hi)
	return c, nil
}

// samples draws the mean of the first samples against their number.
func samples(r *probe.Results, s *story) (c analysis.Chart, err error) {
	all := s.gave[0].Samples()
	look := analysis.Series{Color: analysis.Hue(0)}
	for n := 2; n <= len(all); n++ {
		e := curvature.Samples(all[:n]).Estimate()
		lo, hi := e.Interval(0.95)
		look.X, look.Y, look.Lo, look.Hi = append(look.X, float64(n)), append(look.Y, e.Mean), append(look.Lo, lo), append(look.Hi, hi)
	}
	c.Series = []analysis.Series{look}
	c.X = analysis.Range{Label: "samples", Min: 1, Max: float64(len(all) + 1)}
	from := min(3, len(look.Y)-1) // an interval of two samples would make all others flat
	c.Y = linear("trace", look.Y, look.Lo[from:], look.Hi[from:])
	return c, nil
}
