package analysis

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of Okabe and Ito 2008 (Color Universal Design), which people with any colour vision tell apart, a brown in
// place of their yellow, which white paper swallows; glyphs and direct labels say the same without colour.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0x26, 0x26, 0x26, 0xff}, // black
	{0x8a, 0x5a, 0x3c, 0xff}, // brown
}

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.RingGlyph{},
	draw.PlusGlyph{}, draw.CrossGlyph{}}

// Hues is how many series have a colour and a glyph of their own.
func Hues() int { return len(palette) }

// Hue is the colour of series i.
func Hue(i int) color.NRGBA { return palette[i%len(palette)] }

// ramp is the colour map plasma (Smith and van der Walt 2015, for matplotlib) from 0.8 down to 0 at equal distances: its
// light end cannot be read on white.
var ramp = []color.NRGBA{
	{0xfc, 0xa6, 0x36, 0xff}, {0xf2, 0x84, 0x4b, 0xff}, {0xe1, 0x64, 0x62, 0xff}, {0xcc, 0x47, 0x78, 0xff}, {0xb1, 0x2a, 0x90, 0xff},
	{0x8f, 0x0d, 0xa4, 0xff}, {0x6a, 0x00, 0xa8, 0xff}, {0x41, 0x04, 0x9d, 0xff}, {0x0d, 0x08, 0x87, 0xff},
}

// Shade is the colour of value i of n ordered ones: light for the first, dark for the last.
func Shade(i, n int) color.NRGBA {
	if n < 2 {
		return ramp[len(ramp)-1]
	}
	at := float64(i) / float64(n-1) * float64(len(ramp)-1)
	k := min(int(at), len(ramp)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(k))*(float64(b)-float64(a)))) }
	a, b := ramp[k], ramp[k+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

var (
	ink   = color.NRGBA{0x26, 0x26, 0x26, 0xff}
	muted = color.NRGBA{0x6b, 0x6b, 0x6b, 0xff}
	faint = color.NRGBA{0xe6, 0xe6, 0xe6, 0xff}
)

// Ink is the colour of text, and of series that stand beside the coloured ones.
func Ink() color.NRGBA { return ink }

// fade is the colour with the given opacity.
func fade(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(opacity * 255))
	return c
}

// typeSizes are the sizes of a picture's type, in points.
type typeSizes struct{ title, label, tick, legend vg.Length }

var (
	pictureType = typeSizes{13, 11, 9.5, 10}
	smallType   = typeSizes{11, 10, 9.5, 9.5}
)

// dress gives a plot its type, and its axes their colours.
func dress(chart *plot.Plot, size typeSizes) {
	chart.Title.Padding = 8
	letter(&chart.Title.TextStyle, size.title, ink)
	letter(&chart.Legend.TextStyle, size.legend, ink)
	chart.Legend.ThumbnailWidth, chart.Legend.Padding = 24, 3
	for _, a := range []*plot.Axis{&chart.X, &chart.Y} {
		a.Label.Padding, a.Padding = size.label/2, 0
		a.Color, a.Width, a.Tick.Color, a.Tick.Width, a.Tick.Length = muted, 0.6, muted, 0.6, 4
		letter(&a.Label.TextStyle, size.label, ink)
		letter(&a.Tick.Label, size.tick, muted)
	}
}

func letter(s *text.Style, size vg.Length, c color.Color) {
	s.Font.Variant, s.Font.Size, s.Color = "Sans", size, c
}

// lines is a grid of horizontal lines at the labelled ticks.
func lines() *plotter.Grid {
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width = faint, 0.6
	return grid
}
