package analysis

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is one line of a picture of scores against d: models of one size, say.
type Curve struct {
	Label     string    // "width 32"; "" keeps a lone curve out of the legend
	Points    []Point   // ascending d
	Baseline  []float64 // [seeds] scores of the full space; none: no baseline and no threshold
	Intrinsic Intrinsic // marked on the threshold, and told in the legend
}

// Picture shows scores against d: for each curve the mean over the seeds, a band from the least to the greatest, the
// baseline, the threshold, and where it is reached.
type Picture struct {
	Title    string
	Score    string  // what a score is, for the y axis: "test accuracy"
	Fraction float64 // of the baseline: the threshold
	Curves   []Curve
}

// check refuses what cannot be drawn.
func (p Picture) check() error {
	if len(p.Curves) == 0 {
		return fmt.Errorf("no curves")
	}
	for _, c := range p.Curves {
		if len(c.Points) == 0 {
			return fmt.Errorf("curve %q has no points", c.Label)
		}
		for _, pt := range c.Points {
			if pt.D < 1 || len(pt.Scores) == 0 {
				return fmt.Errorf("curve %q: d = %d with %d scores; d and the number of scores are at least 1", c.Label, pt.D, len(pt.Scores))
			}
			if err := checkScores(pt.Scores); err != nil {
				return fmt.Errorf("curve %q, d = %d: %w", c.Label, pt.D, err)
			}
		}
		if err := checkScores(c.Baseline); err != nil {
			return fmt.Errorf("curve %q, baseline: %w", c.Label, err)
		}
	}
	return nil
}

// chart lays the picture out.
func (p Picture) chart() (*plot.Plot, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	chart := plot.New()
	p.frame(chart)
	for i, c := range p.Curves {
		if err := p.rules(chart, c, palette[i%len(palette)]); err != nil {
			return nil, err
		}
	}
	for i, c := range p.Curves {
		if err := c.draw(chart, p.Fraction, palette[i%len(palette)], glyphs[i%len(glyphs)]); err != nil {
			return nil, err
		}
	}
	return chart, p.nameRules(chart)
}

// frame sets axes, ticks, grid and type.
func (p Picture) frame(chart *plot.Plot) {
	dress(chart, pictureType)
	chart.Title.Text = p.Title
	chart.Legend.XOffs, chart.Legend.YOffs = -8, 8 // at the lower right: scores rise with d
	chart.X.Label.Text, chart.Y.Label.Text = "subspace dimension d (log scale)", p.Score
	chart.X.Scale = plot.LogScale{}
	chart.X.Min, chart.X.Max, chart.Y.Min, chart.Y.Max = p.limits()
	if p.low(chart.Y.Min + 0.7*(chart.Y.Max-chart.Y.Min)) {
		chart.Legend.Top, chart.Legend.YOffs = true, 0
	}
	var ds []float64
	for _, c := range p.Curves {
		for _, pt := range c.Points {
			ds = append(ds, float64(pt.D))
		}
	}
	chart.X.Tick.Marker = plot.ConstantTicks(marked(ds, chart.X.Min, chart.X.Max, true))
	chart.Y.Tick.Marker = plot.ConstantTicks(fifths(chart.Y.Min, chart.Y.Max))
	chart.Add(lines())
}

// limits is the range of the axes: 0 and 1 belong to every picture of scores, and d gets a margin of 6 % of its decades.
func (p Picture) limits() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, ymax = math.Inf(1), 0, 1
	for _, c := range p.Curves {
		for _, pt := range c.Points {
			xmin, xmax = min(xmin, float64(pt.D)), max(xmax, float64(pt.D))
			ymin, ymax = min(ymin, slices.Min(pt.Scores)), max(ymax, slices.Max(pt.Scores))
		}
	}
	margin := math.Pow(max(xmax/xmin, 1.5), 0.06)
	return xmin / margin, xmax * margin, ymin, ymax
}

// rules draws a curve's baseline and threshold across the picture.
func (p Picture) rules(chart *plot.Plot, c Curve, hue color.NRGBA) error {
	if len(c.Baseline) == 0 {
		return nil
	}
	base := stat.Mean(c.Baseline, nil)
	for _, r := range []struct {
		y      float64
		dashes []vg.Length
	}{{base, nil}, {p.Fraction * base, []vg.Length{5, 3}}} {
		l, err := plotter.NewLine(plotter.XYs{{X: chart.X.Min, Y: r.y}, {X: chart.X.Max, Y: r.y}})
		if err != nil {
			return err
		}
		l.Color, l.Width, l.Dashes = fade(hue, 0.6), 0.8, r.dashes
		chart.Add(l)
	}
	return nil
}

// low tells that nothing lies above the given score.
func (p Picture) low(score float64) bool {
	for _, c := range p.Curves {
		for _, pt := range c.Points {
			if slices.Max(pt.Scores) > score {
				return false
			}
		}
	}
	return p.best() <= score
}

// best is the greatest mean score of a baseline; 0 when there is none.
func (p Picture) best() (top float64) {
	for _, c := range p.Curves {
		if len(c.Baseline) > 0 {
			top = max(top, stat.Mean(c.Baseline, nil))
		}
	}
	return top
}

// nameRules labels baselines and thresholds at the left, where curves are still low.
func (p Picture) nameRules(chart *plot.Plot) error {
	top := p.best()
	if top == 0 {
		return nil
	}
	l, err := plotter.NewLabels(plotter.XYLabels{
		XYs:    plotter.XYs{{X: chart.X.Min, Y: top}, {X: chart.X.Min, Y: p.Fraction * top}},
		Labels: []string{"full space", fmt.Sprintf("%.0f %% of it", 100*p.Fraction)},
	})
	if err != nil {
		return err
	}
	for i := range l.TextStyle {
		letter(&l.TextStyle[i], 9, muted)
		l.TextStyle[i].YAlign = text.YTop
	}
	l.Offset = vg.Point{X: 8, Y: -3}
	if (1-p.Fraction)*top < 0.06*(chart.Y.Max-chart.Y.Min) { // no room between the lines: one label above, one below
		l.TextStyle[0].YAlign = text.YBottom
		l.XYs[0].Y += 0.02 * (chart.Y.Max - chart.Y.Min)
	}
	chart.Add(l)
	return nil
}

// draw adds the band, the line of means, and the mark where the threshold is reached.
func (c Curve) draw(chart *plot.Plot, fraction float64, hue color.NRGBA, glyph draw.GlyphDrawer) error {
	n := len(c.Points)
	means, band := make(plotter.XYs, n), make(plotter.XYs, 2*n)
	for i, pt := range c.Points {
		d := float64(pt.D)
		means[i] = plotter.XY{X: d, Y: pt.Mean()}
		band[i] = plotter.XY{X: d, Y: slices.Min(pt.Scores)}
		band[2*n-1-i] = plotter.XY{X: d, Y: slices.Max(pt.Scores)}
	}
	area, err := plotter.NewPolygon(band)
	if err != nil {
		return err
	}
	area.Color, area.LineStyle.Width = fade(hue, 0.18), 0
	line, marks, err := plotter.NewLinePoints(means)
	if err != nil {
		return err
	}
	line.Color, line.Width = hue, 1.6
	marks.Color, marks.Shape, marks.Radius = hue, glyph, 2.6
	chart.Add(area, line, marks)
	if label := c.legend(fraction); label != "" {
		chart.Legend.Add(label+"  ", line, marks) // away from the line, also in a font that is a little wider
	}
	if !c.Intrinsic.Reached {
		return nil
	}
	at, err := plotter.NewScatter(plotter.XYs{{X: c.Intrinsic.Interpolated, Y: c.Intrinsic.Threshold}})
	if err != nil {
		return err
	}
	at.Color, at.Shape, at.Radius = hue, draw.RingGlyph{}, 4.5
	chart.Add(at)
	return nil
}

// legend is the curve's label with what was measured: "width 32: 90 % at d = 112 (108 to 121)".
func (c Curve) legend(fraction float64) string {
	r, share := c.Intrinsic, fmt.Sprintf("%.0f %%", 100*fraction)
	switch {
	case len(c.Baseline) == 0:
		return c.Label
	case !r.Reached:
		return fmt.Sprintf("%s: %s not reached", c.Label, share)
	case r.AtFirst:
		return fmt.Sprintf("%s: %s at d \u2264 %d", c.Label, share, r.D)
	case math.IsInf(r.Hi, 1):
		return fmt.Sprintf("%s: %s at d = %.0f (from %.0f)", c.Label, share, r.Interpolated, r.Lo)
	}
	return fmt.Sprintf("%s: %s at d = %.0f (%.0f to %.0f)", c.Label, share, r.Interpolated, r.Lo, r.Hi)
}
