package analysis

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"lockstep/internal/files"
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

// The colours of Okabe and Ito 2008 (Color Universal Design), which people with any colour vision tell apart; glyphs and
// direct labels say the same without colour.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
}

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.RingGlyph{}}

var (
	ink   = color.NRGBA{0x26, 0x26, 0x26, 0xff}
	muted = color.NRGBA{0x6b, 0x6b, 0x6b, 0xff}
	faint = color.NRGBA{0xe6, 0xe6, 0xe6, 0xff}
)

const (
	pictureWidth  = 7.2 * vg.Inch
	pictureHeight = 4.5 * vg.Inch
	pictureDPI    = 200 // of a PNG
)

// An SVG names its font; a reader without it takes one of the same widths.
const svgFont, svgFonts = "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;"

// formats: how a file's ending is drawn; one line per entry.
var formats = []struct {
	ending string
	canvas func() vg.CanvasWriterTo
}{
	{".svg", func() vg.CanvasWriterTo { return vgsvg.New(pictureWidth, pictureHeight) }},
	{".png", func() vg.CanvasWriterTo {
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(pictureWidth, pictureHeight), vgimg.UseDPI(pictureDPI))}
	}},
}

// Save writes the picture to the file at path: SVG or PNG, by its ending. The file takes its name when it is whole.
func (p Picture) Save(path string) error {
	var endings []string
	for _, f := range formats {
		if strings.EqualFold(filepath.Ext(path), f.ending) {
			chart, err := p.chart()
			if err != nil {
				return fmt.Errorf("picture %s: %w", path, err)
			}
			canvas := f.canvas()
			whole := draw.New(canvas)
			whole.FillPolygon(color.White, []vg.Point{whole.Min, {X: whole.Max.X, Y: whole.Min.Y}, whole.Max, {X: whole.Min.X, Y: whole.Max.Y}})
			chart.Draw(draw.Crop(whole, 10, -14, 8, -8)) // points of white around it
			var b bytes.Buffer
			if _, err := canvas.WriteTo(&b); err != nil {
				return fmt.Errorf("picture %s: %w", path, err)
			}
			return files.WriteWhole(path, bytes.ReplaceAll(b.Bytes(), []byte(svgFont), []byte(svgFonts)))
		}
		endings = append(endings, f.ending)
	}
	return fmt.Errorf("picture %s: the ending %q names no format; it is one of %s", path, filepath.Ext(path), strings.Join(endings, ", "))
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
	style := func(s *text.Style, size vg.Length, c color.Color) {
		s.Font.Variant, s.Font.Size, s.Color = "Sans", size, c
	}
	chart.Title.Text = p.Title
	chart.Title.Padding = 8
	style(&chart.Title.TextStyle, 13, ink)
	style(&chart.Legend.TextStyle, 10, ink)
	chart.Legend.ThumbnailWidth, chart.Legend.Padding = 24, 3
	chart.Legend.XOffs, chart.Legend.YOffs = -8, 8 // at the lower right: scores rise with d

	chart.X.Label.Text, chart.Y.Label.Text = "subspace dimension d (log scale)", p.Score
	for _, a := range []*plot.Axis{&chart.X, &chart.Y} {
		a.Label.Padding, a.Padding = 6, 0
		a.Color, a.Width, a.Tick.Color, a.Tick.Width, a.Tick.Length = muted, 0.6, muted, 0.6, 4
		style(&a.Label.TextStyle, 11, ink)
		style(&a.Tick.Label, 9.5, muted)
	}
	chart.X.Scale = plot.LogScale{}
	chart.X.Min, chart.X.Max, chart.Y.Min, chart.Y.Max = p.limits()
	chart.X.Tick.Marker, chart.Y.Tick.Marker = plot.ConstantTicks(p.ticks()), plot.ConstantTicks(fifths(chart.Y.Min, chart.Y.Max))
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width = faint, 0.6
	chart.Add(grid)
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

// ticks marks every d of the grid, and labels those that have room.
func (p Picture) ticks() (ticks []plot.Tick) {
	var ds []int
	for _, c := range p.Curves {
		for _, pt := range c.Points {
			ds = append(ds, pt.D)
		}
	}
	slices.Sort(ds)
	ds = slices.Compact(ds)
	room := math.Pow(float64(ds[len(ds)-1])/float64(ds[0]), 0.05) // a label is about 5 % of the axis wide
	last := 0.0
	for _, d := range ds {
		t := plot.Tick{Value: float64(d)}
		if t.Value >= last*room {
			t.Label, last = strconv.Itoa(d), t.Value
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// fifths marks every 0.2; a range of more than two, with the default ticks.
func fifths(lo, hi float64) (ticks []plot.Tick) {
	if hi-lo > 2 {
		return plot.DefaultTicks{}.Ticks(lo, hi)
	}
	for i := math.Ceil(lo * 5); i <= hi*5; i++ {
		ticks = append(ticks, plot.Tick{Value: i / 5, Label: strconv.FormatFloat(i/5, 'f', 1, 64)})
	}
	return ticks
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
		l.TextStyle[i].Font.Variant, l.TextStyle[i].Font.Size, l.TextStyle[i].Color = "Sans", 9, muted
		l.TextStyle[i].YAlign = text.YTop
	}
	l.Offset = vg.Point{X: 8, Y: -3}
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
		chart.Legend.Add(label, line, marks)
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

// fade is the colour with the given opacity.
func fade(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(opacity * 255))
	return c
}
