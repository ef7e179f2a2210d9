package analysis

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

// elements counts the elements of an inline picture by name, and gives its texts. It must be XML by itself.
func elements(t *testing.T, svg string) (count map[string]int, texts []string) {
	t.Helper()
	count = map[string]int{}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count, texts
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			count[e.Name.Local]++
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "id", "href", "src", "width", "height":
					t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				texts = append(texts, s)
			}
		}
	}
}

func losses() Chart {
	return Chart{
		X: Range{Label: "step <b>", Max: 100}, Y: Range{Label: "loss", Log: true, Min: 0.01, Max: 10},
		Series: []Series{
			{X: []float64{0, 50, 100}, Y: []float64{5, 0.5, 0.02}, Lo: []float64{4, 0.4, 0.02}, Hi: []float64{6, 0.6, 0.03}, Color: Hue(0), Glyph: 1},
			{X: []float64{0, 50, 100, 100}, Y: []float64{5, 1e30, 0, math.NaN()}, Color: Shade(0, 2), Ends: []float64{100}},
			{X: []float64{math.Inf(-1), math.Inf(1)}, Y: []float64{1, 1}, Color: Ink(), Dashed: true},
			{X: []float64{25}, Y: []float64{0.25}, Color: Hue(2)},
		},
	}
}

func TestChart(t *testing.T) {
	for _, small := range []bool{false, true} {
		c := losses()
		c.Small, c.Boxes = small, []Box{{X: [2]float64{10, 20}, Y: [2]float64{0.1, 1e9}}}
		svg, err := c.SVG(`what "it" shows <&>`)
		if err != nil {
			t.Fatal(err)
		}
		count, texts := elements(t, svg)
		for _, want := range []string{"step <b>", "loss", "0.01", "0.1", "1", "10", "0", "20", "100"} {
			if !slices.Contains(texts, want) {
				t.Errorf("the chart does not say %q; it says %q", want, texts)
			}
		}
		if slices.Contains(texts, "-0") || slices.Contains(texts, "\u22120") {
			t.Error("the chart says -0")
		}
		if count["svg"] != 1 || !strings.HasPrefix(svg, "<svg viewBox=") || !strings.Contains(svg, `aria-label="what &#34;it&#34; shows &lt;&amp;&gt;"`) {
			t.Errorf("%.200s", svg)
		}
		if n := strings.Count(svg, "font-family"); n != 1 {
			t.Errorf("the font is named %d times", n)
		}
		if n := strings.Count(svg, "stroke-dasharray"); n != 1 {
			t.Errorf("%d dashed lines", n)
		}
		if again, _ := c.SVG(`what "it" shows <&>`); again != svg {
			t.Error("drawn again, it differs")
		}
		if n := strings.Count(svg, "stroke-width:1.3"); n != 2 {
			t.Errorf("%d strokes of a cross; want 2", n)
		}
		if n := strings.Count(svg, "fill-opacity:0.07"); n != 1 {
			t.Errorf("%d boxes; want 1", n)
		}
		inside(t, svg, c.Small)
	}
}

// inside looks for places beyond the picture: series must be cut at the limits of the axes.
func inside(t *testing.T, svg string, small bool) {
	t.Helper()
	w, h := inlineWidth.Points(), inlineHeight.Points()
	if small {
		w, h = smallWidth.Points(), smallHeight.Points()
	}
	paths := regexp.MustCompile(`[ML]([-0-9.e+]+),([-0-9.e+]+)`).FindAllStringSubmatch(svg, -1)
	if len(paths) < 20 {
		t.Errorf("%d places", len(paths))
	}
	for _, m := range paths {
		var x, y float64
		fmt.Sscan(m[1]+" "+m[2], &x, &y)
		if !(x >= 0 && x <= w && y >= 0 && y <= h) {
			t.Fatalf("a line goes to %s, beyond %g x %g", m[0], w, h)
		}
	}
}

func TestChartRefused(t *testing.T) {
	for _, c := range []struct {
		spoil func(c *Chart)
		want  string
	}{
		{func(c *Chart) { c.Y.Min = 0 }, `axis "loss" has the value 0`},
		{func(c *Chart) { c.X.Max = math.Inf(1) }, `axis "step <b>" has the value +Inf`},
		{func(c *Chart) { c.X.Max = 0 }, `axis "step <b>" from 0 to 0`},
		{func(c *Chart) { c.Y.Values = []float64{1, -1} }, "has the value -1"},
		{func(c *Chart) { c.Series[0].Y = c.Series[0].Y[1:] }, "series 0: 3 x, 2 y, a band of 3 and 3"},
		{func(c *Chart) { c.Series[0].Hi = nil }, "a band of 3 and 0"},
	} {
		chart := losses()
		c.spoil(&chart)
		if _, err := chart.SVG(""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v; want an error with %q", err, c.want)
		}
	}
	if _, err := (Picture{}).SVG(""); err == nil {
		t.Error("a picture without curves: no error")
	}
}

func TestSwatch(t *testing.T) {
	for _, s := range []Series{{Color: Hue(1), Glyph: 3}, {Color: Ink(), Dashed: true}} {
		svg, err := s.Swatch()
		if err != nil {
			t.Fatal(err)
		}
		count, texts := elements(t, svg)
		if want := 1 + min(s.Glyph, 1); count["path"] != want || texts != nil || !strings.Contains(svg, `aria-hidden="true"`) || strings.Contains(svg, "dasharray") != s.Dashed {
			t.Errorf("%+v: %s", s, svg)
		}
	}
}

// The lightness of shades falls from first to last, so that they are in order in a grey print, too.
func TestShade(t *testing.T) {
	light := func(c color.NRGBA) float64 { return 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B) }
	for _, n := range []int{2, 3, 9, 12, 20} {
		for i := 1; i < n; i++ {
			if light(Shade(i, n)) >= light(Shade(i-1, n)) {
				t.Errorf("shade %d of %d is not darker than the one before", i, n)
			}
		}
		if Shade(0, n) != ramp[0] || Shade(n-1, n) != ramp[len(ramp)-1] {
			t.Errorf("%d shades do not use the whole ramp", n)
		}
	}
	Shade(0, 1)
}

func labels(ticks []plot.Tick) (s string) {
	for _, t := range ticks {
		s += t.Label + "|"
	}
	return s
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		got  []plot.Tick
		want string
	}{
		{rounds(0, 1199), "0|200|400|600|800|1000|"},
		{rounds(0, 1), "0.0|0.2|0.4|0.6|0.8|1.0|"},
		{rounds(0, 3), "0|1|2|3|"},
		{rounds(-0.5, 0.5), "-0.4|-0.2|0.0|0.2|0.4|"},
		{rounds(0.913, 0.987), "0.92|0.94|0.96|0.98|"},
		{decades(1e-3, 100), "0.001|0.01|0.1|1|10|100|"},
		{decades(1e-12, 1), "1e-12||1e-10||1e-8||1e-6||1e-4||0.01||1|"},
		{decades(0.3, 30), "0.5|1|2|5|10|20|"},
		{decades(2.1, 2.9), "2.2|2.4|2.6|2.8|"},
		{marked([]float64{10, 25, 50, 75, 100, 125, 150, 200, 300}, 8, 370, true), "10|25|50|75|100|125||200|300|"},
		{marked([]float64{3, 1, 3, 2}, 0, 4, false), "1|2|3|"},
		{fifths(0, 1), "0.0|0.2|0.4|0.6|0.8|1.0|"},
	} {
		if got := labels(c.got); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %s; want %s", got, c.want)
		}
	}
	if n := len(rounds(1, math.Nextafter(1, 2))); n > 12 { // and it ends
		t.Errorf("%d ticks between two neighbours", n)
	}
	for x, want := range map[float64]string{0: "0", 25: "25", 1e-3: "0.001", 1e-5: "1e-5", 2.5e-5: "2.5e-5", 1e30: "1e30", 123456: "123456", -0.5: "-0.5"} {
		if got := number(x); got != want {
			t.Errorf("%v is written %s; want %s", x, got, want)
		}
	}
}

// Where nothing scores high, the legend stands on top, and the names of the two lines do not stand on each other.
func TestLowPicture(t *testing.T) {
	p := picture(t)
	for i := range p.Curves {
		c := &p.Curves[i]
		for _, s := range append([][]float64{c.Baseline}, c.Points[0].Scores, c.Points[1].Scores, c.Points[2].Scores, c.Points[3].Scores) {
			for k := range s {
				s[k] /= 4
			}
		}
	}
	place := func(p Picture, text string) (y float64) {
		svg, err := p.SVG("")
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`<text x="[^"]*" y="([^"]*)"[^>]*>` + text).FindStringSubmatch(svg)
		if m == nil {
			t.Fatalf("no text %s", text)
		}
		fmt.Sscan(m[1], &y)
		return -y // from the bottom
	}
	if y := place(p, "width 32: "); y < inlineHeight.Points()/2 {
		t.Errorf("the legend is %v above the bottom", y)
	}
	if y := place(picture(t), "width 32: "); y > inlineHeight.Points()/2 {
		t.Errorf("of curves that rise: the legend is %v above the bottom", y)
	}
	if gap := place(p, "full space") - place(p, "90 % of it"); gap < 14 {
		t.Errorf("the names of the lines are %v apart", gap)
	}
}

// A score of none is marked 0, also where the axis begins a little below it.
func TestFifthsBeginAtZero(t *testing.T) {
	if ticks := fifths(-0.02, 1.02); len(ticks) != 6 || ticks[0].Label != "0.0" || ticks[5].Label != "1.0" {
		t.Errorf("%v", ticks)
	}
}
