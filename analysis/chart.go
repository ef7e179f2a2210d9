package analysis

import (
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart shows series over a number, without a legend: a page says beside it what its series are (see Series.Swatch).
type Chart struct {
	X, Y   Range
	Boxes  []Box // under the series
	Series []Series
	Small  bool // one of several beside each other
}

// Range is an axis of a chart.
type Range struct {
	Label    string
	Log      bool
	Min, Max float64   // Min < Max; above 0 if Log
	Values   []float64 // marked on the axis; none: round numbers
	Score    bool      // marked at every fifth
}

// Box is a part of a chart, such as where results are expected: from the first x and y to the second.
type Box struct{ X, Y [2]float64 }

// Series is one line of a chart. What lies beyond the chart's limits is drawn at its edge; a y that is NaN, nowhere.
type Series struct {
	X, Y   []float64
	Lo, Hi []float64 // a band; none: no band
	Color  color.NRGBA
	Glyph  int       // which mark the points bear, from 1; 0: none
	Dashed bool      // drawn over the others
	Ends   []float64 // x of crosses at the upper edge: where something left the numbers
}

// SVG is the chart as an element of an HTML page, which scales to the width of its place; alt says what it shows to those
// who do not see it. Error: a chart that cannot be drawn.
func (c Chart) SVG(alt string) (string, error) {
	chart, err := c.plot()
	if err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	if c.Small {
		return inline(chart, smallWidth, smallHeight, alt)
	}
	return inline(chart, inlineWidth, inlineHeight, alt)
}

// Swatch is a short piece of the series as an <svg> element, for a key.
func (s Series) Swatch() (string, error) {
	const w, h = 26, 10
	canvas := vgsvg.New(w, h)
	d := draw.New(canvas)
	d.StrokeLine2(s.line(1.8), 1, h/2, w-1, h/2)
	if s.Glyph > 0 {
		d.DrawGlyph(s.glyph(3), vg.Point{X: w / 2, Y: h / 2})
	}
	return element(canvas, "")
}

func (s Series) line(width vg.Length) draw.LineStyle {
	l := draw.LineStyle{Color: s.Color, Width: width}
	if s.Dashed {
		l.Dashes = []vg.Length{4, 2.5}
	}
	return l
}

func (s Series) glyph(radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.Color, Radius: radius, Shape: glyphs[(s.Glyph-1)%len(glyphs)]}
}

func (r Range) check() error {
	for _, x := range append([]float64{r.Min, r.Max}, r.Values...) {
		if math.IsNaN(x) || math.IsInf(x, 0) || r.Log && x <= 0 {
			return fmt.Errorf("axis %q has the value %v; it must be finite, and above 0 on a log axis", r.Label, x)
		}
	}
	if r.Min >= r.Max {
		return fmt.Errorf("axis %q from %v to %v; the first must be below the last", r.Label, r.Min, r.Max)
	}
	return nil
}

// put sets an axis of a plot.
func (r Range) put(a *plot.Axis) {
	a.Label.Text, a.Min, a.Max = r.Label, r.Min, r.Max
	if r.Log {
		a.Scale = plot.LogScale{}
	}
	switch {
	case r.Values != nil:
		a.Tick.Marker = plot.ConstantTicks(marked(r.Values, r.Min, r.Max, r.Log))
	case r.Score:
		a.Tick.Marker = plot.ConstantTicks(fifths(r.Min, r.Max))
	case r.Log:
		a.Tick.Marker = plot.ConstantTicks(decades(r.Min, r.Max))
	default:
		a.Tick.Marker = plot.ConstantTicks(rounds(r.Min, r.Max))
	}
}

// within moves x to the nearest place of the axis.
func (r Range) within(x float64) float64 { return min(max(x, r.Min), r.Max) }

func (c Chart) plot() (*plot.Plot, error) {
	if err := errors.Join(c.X.check(), c.Y.check()); err != nil {
		return nil, err
	}
	chart := plot.New()
	size := pictureType
	if c.Small {
		size = smallType
	}
	dress(chart, size)
	c.X.put(&chart.X)
	c.Y.put(&chart.Y)
	chart.Add(lines())
	for _, b := range c.Boxes {
		if err := b.add(c, chart); err != nil {
			return nil, err
		}
	}
	for _, over := range []bool{false, true} {
		for i, s := range c.Series {
			if s.Dashed != over {
				continue
			}
			if err := c.add(chart, s); err != nil {
				return nil, fmt.Errorf("series %d: %w", i, err)
			}
		}
	}
	return chart, nil
}

// add draws a series.
func (c Chart) add(chart *plot.Plot, s Series) error {
	if len(s.X) != len(s.Y) || len(s.Lo) != len(s.Hi) || s.Lo != nil && len(s.Lo) != len(s.X) {
		return fmt.Errorf("%d x, %d y, a band of %d and %d; they belong together", len(s.X), len(s.Y), len(s.Lo), len(s.Hi))
	}
	var means, under, above plotter.XYs
	for i, x := range s.X {
		if math.IsNaN(x) || math.IsNaN(s.Y[i]) {
			continue
		}
		x = c.X.within(x)
		means = append(means, plotter.XY{X: x, Y: c.Y.within(s.Y[i])})
		if s.Lo != nil {
			under = append(under, plotter.XY{X: x, Y: c.Y.within(s.Lo[i])})
			above = append(above, plotter.XY{X: x, Y: c.Y.within(s.Hi[i])})
		}
	}
	width, radius := vg.Length(1.6), vg.Length(2.6)
	if c.Small {
		width, radius = 1.1, 2
	}
	if len(under) > 1 {
		for i := range above {
			under = append(under, above[len(above)-1-i])
		}
		area, err := plotter.NewPolygon(under)
		if err != nil {
			return err
		}
		area.Color, area.LineStyle.Width = fade(s.Color, 0.18), 0
		chart.Add(area)
	}
	if len(means) > 1 {
		line, err := plotter.NewLine(means)
		if err != nil {
			return err
		}
		line.LineStyle = s.line(width)
		chart.Add(line)
	}
	if len(means) > 0 && (s.Glyph > 0 || len(means) == 1) { // a lone point would not be seen
		marks, err := plotter.NewScatter(means)
		if err != nil {
			return err
		}
		marks.GlyphStyle = draw.GlyphStyle{Color: s.Color, Radius: radius, Shape: draw.CircleGlyph{}}
		if s.Glyph > 0 {
			marks.GlyphStyle = s.glyph(radius)
		}
		chart.Add(marks)
	}
	return c.ends(chart, s, radius)
}

// ends draws the crosses.
func (c Chart) ends(chart *plot.Plot, s Series, radius vg.Length) error {
	var at plotter.XYs
	for _, x := range s.Ends {
		at = append(at, plotter.XY{X: c.X.within(x), Y: c.Y.Max})
	}
	if at == nil {
		return nil
	}
	crosses, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	crosses.GlyphStyle = draw.GlyphStyle{Color: s.Color, Radius: radius + 1.4, Shape: cross{}}
	chart.Add(crosses)
	return nil
}

// cross is a cross of lines that can be seen in a small picture.
type cross struct{}

func (cross) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	r, l := sty.Radius*math.Sqrt2/2, draw.LineStyle{Color: sty.Color, Width: 1.3}
	c.StrokeLine2(l, at.X-r, at.Y-r, at.X+r, at.Y+r)
	c.StrokeLine2(l, at.X-r, at.Y+r, at.X+r, at.Y-r)
}

// add draws a box under the series.
func (b Box) add(c Chart, chart *plot.Plot) error {
	x, y := [2]float64{c.X.within(b.X[0]), c.X.within(b.X[1])}, [2]float64{c.Y.within(b.Y[0]), c.Y.within(b.Y[1])}
	area, err := plotter.NewPolygon(plotter.XYs{{X: x[0], Y: y[0]}, {X: x[1], Y: y[0]}, {X: x[1], Y: y[1]}, {X: x[0], Y: y[1]}})
	if err != nil {
		return err
	}
	area.Color = fade(ink, 0.07)
	area.LineStyle = draw.LineStyle{Color: fade(ink, 0.5), Width: 0.6}
	chart.Add(area)
	return nil
}
