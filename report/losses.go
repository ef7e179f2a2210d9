package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"lockstep/analysis"
	"lockstep/sweep"
)

// losses is the mean over the seeds of the losses that are kept, and the steps at which they were taken. A seed that
// diverged counts only where all did, as far as each went.
func (p *point) losses() (x, y []float64) {
	all := p.diverged() == len(p.results)
	kept := sweep.LossSteps(p.results[0].Steps)
	for i, step := range kept {
		sum, n := 0.0, 0
		for _, r := range p.results {
			if i < len(r.Declared.Losses) && (all || !r.Declared.Diverged) {
				sum, n = sum+float64(r.Declared.Losses[i]), n+1
			}
		}
		if n == 0 {
			break
		}
		x, y = append(x, float64(step)), append(y, sum/float64(n))
	}
	return x, y
}

// bounds is the range of losses of a family: of 12 decades at most, and up to a hundred times the greatest first loss, so
// that a cell on its way to infinity does not press the others flat.
func bounds(ys [][]float64) (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	first := 0.0
	for _, y := range ys {
		for i, v := range y {
			if v > 0 && !math.IsInf(v, 1) {
				lo, hi = min(lo, v), max(hi, v)
				if i == 0 {
					first = max(first, v)
				}
			}
		}
	}
	if hi == 0 {
		return 0.1, 1
	}
	if first > 0 {
		hi = min(hi, 100*first)
	}
	lo = max(min(lo, hi), hi*1e-12)
	return lo / 1.25, hi * 1.25
}

// draw draws the panels of a family, on equal axes, and its key.
func (f *family) draw(small bool) error {
	var series [][]analysis.Series
	var ys [][]float64
	last, crosses, beyond := 1.0, false, false
	for _, p := range f.Panels {
		var list []analysis.Series
		for _, c := range p.curves {
			s := f.style(c.shade)
			s.X, s.Y = c.losses()
			for _, r := range c.results {
				if r.Declared.Diverged {
					s.Ends, crosses = append(s.Ends, float64(r.Declared.Steps)), true
				}
			}
			last = max(last, float64(c.results[0].Steps-1))
			ys, list = append(ys, s.Y), append(list, s)
		}
		series = append(series, list)
	}
	chart := analysis.Chart{X: analysis.Range{Label: "step", Max: last}, Y: analysis.Range{Label: "loss", Log: true}, Small: small}
	chart.Y.Min, chart.Y.Max = bounds(ys)
	for i, p := range f.Panels {
		chart.Series = series[i]
		svg, err := chart.SVG(fmt.Sprintf("training loss against the step, %s %s", f.Title, p.Title))
		if err != nil {
			return err
		}
		p.SVG = template.HTML(svg)
	}
	for _, y := range ys {
		beyond = beyond || len(y) > 0 && (slices.Max(y) > chart.Y.Max || slices.Min(y) < chart.Y.Min)
	}
	if beyond {
		f.Note = "Lines along an edge lie beyond it."
	}
	if crosses {
		f.Note = strings.TrimSpace(f.Note + " Crosses at the upper edge: there a cell diverged.")
	}
	return f.makeKey()
}

// style is how curves of a shade are drawn.
func (f *family) style(shade int) analysis.Series {
	switch {
	case shade < 0:
		return analysis.Series{Color: analysis.Ink(), Dashed: true}
	case (f.of == nil || !f.of.numeric()) && len(f.values) <= analysis.Hues():
		return analysis.Series{Color: analysis.Hue(shade)}
	}
	return analysis.Series{Color: analysis.Shade(shade, len(f.values))}
}

// makeKey says what the curves are.
func (f *family) makeKey() error {
	if len(f.values) < 2 && f.over == "" {
		return nil
	}
	for i, v := range f.values {
		if f.of != nil {
			v = f.of.name + " " + v
		}
		entry, err := key(f.style(i), v)
		if err != nil {
			return err
		}
		f.Key = append(f.Key, entry)
	}
	if f.over == "" {
		return nil
	}
	entry, err := key(f.style(-1), "arm "+f.over)
	f.Key = append(f.Key, entry)
	return err
}
