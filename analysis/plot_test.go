package analysis

import (
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	_ "image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func picture(t *testing.T) Picture {
	t.Helper()
	p := Picture{Title: "Accuracy <&> d", Score: "test accuracy", Fraction: 0.9}
	for k, label := range []string{"width 32", "width 64"} {
		c := Curve{Label: label, Baseline: []float64{0.95, 0.97}}
		for _, d := range []int{10, 30, 100, 300} {
			score := 1 - 0.7*math.Exp(-float64(d)/float64(40+20*k))
			c.Points = append(c.Points, Point{d, []float64{score - 0.02, score}})
		}
		var err error
		if c.Intrinsic, err = IntrinsicDimension(c.Points, c.Baseline, 0.9, 0); err != nil {
			t.Fatal(err)
		}
		p.Curves = append(p.Curves, c)
	}
	return p
}

// TestPNG: the file has the promised size, is opaque to its corners, and shows every curve in its colour.
func TestPNG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.png")
	if err := picture(t).Save(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Size(), (image.Point{1440, 900}); got != want {
		t.Errorf("%v pixels; want %v", got, want)
	}
	count := map[color.NRGBA]int{}
	for y := range 900 {
		for x := range 1440 {
			count[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)]++
		}
	}
	if img.At(0, 0) != img.At(1439, 899) || count[color.NRGBA{255, 255, 255, 255}] < 1440*900/2 {
		t.Error("the background is not white to its corners")
	}
	for _, hue := range palette[:2] {
		if count[hue] < 1000 { // a line of 4 pixels over a thousand columns, and markers
			t.Errorf("%d pixels of colour %v; want a curve of them", count[hue], hue)
		}
	}
	if count[palette[2]] > 0 {
		t.Errorf("%d pixels of a third colour", count[palette[2]])
	}
}

func TestSVG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.SVG")
	p := picture(t)
	p.Curves[1].Intrinsic = Intrinsic{}
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var texts strings.Builder
	d := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		if c, ok := tok.(xml.CharData); ok {
			texts.Write(c)
		}
	}
	for _, want := range []string{p.Title, p.Score, "full space", "90 % of it", "width 64: 90 % not reached",
		"width 32: " + strings.TrimPrefix(p.Curves[0].legend(0.9), "width 32: "), "300", "0.8"} {
		if !strings.Contains(texts.String(), want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	if !strings.Contains(string(b), "0L518.4,0L518.4,324L0,324") {
		t.Error("no background to the picture's corners: dark pages would show through")
	}
	if !strings.Contains(string(b), svgFonts) {
		t.Error("no fonts to fall back to")
	}
}

func TestLegend(t *testing.T) {
	base := []float64{1}
	for want, c := range map[string]Curve{
		"a":                            {Label: "a", Intrinsic: Intrinsic{Reached: true}},
		"a: 90 % not reached":          {Label: "a", Baseline: base},
		"a: 90 % at d \u2264 10":       {Label: "a", Baseline: base, Intrinsic: Intrinsic{Reached: true, AtFirst: true, D: 10}},
		"a: 90 % at d = 12 (10 to 15)": {Label: "a", Baseline: base, Intrinsic: Intrinsic{Reached: true, D: 20, Interpolated: 12.3, Lo: 10, Hi: 14.9}},
		"a: 90 % at d = 12 (from 10)":  {Label: "a", Baseline: base, Intrinsic: Intrinsic{Reached: true, D: 20, Interpolated: 12.3, Lo: 10, Hi: math.Inf(1)}},
	} {
		if got := c.legend(0.9); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// TestOddPictures: one point, scores beyond [0, 1], no baseline, more curves than colours.
func TestOddPictures(t *testing.T) {
	many := Picture{Score: "s", Fraction: 0.5}
	for i := range 9 {
		many.Curves = append(many.Curves, Curve{Label: "c", Points: []Point{{i + 1, []float64{float64(i) - 4}}, {i + 2, []float64{30}}}})
	}
	one := Picture{Curves: []Curve{{Points: []Point{{1, []float64{0.5}}}}}}
	for _, p := range []Picture{many, one} {
		if err := p.Save(filepath.Join(t.TempDir(), "p.svg")); err != nil {
			t.Error(err)
		}
	}
}

func TestPictureRefused(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		path  string
		spoil func(p *Picture)
		want  string
	}{
		{"p.pdf", func(*Picture) {}, `the ending ".pdf" names no format; it is one of .svg, .png`},
		{"none/p.png", func(*Picture) {}, "no such file or directory"},
		{"p.png", func(p *Picture) { p.Curves = nil }, "no curves"},
		{"p.png", func(p *Picture) { p.Curves[1].Points = nil }, `curve "width 64" has no points`},
		{"p.png", func(p *Picture) { p.Curves[0].Points[1].D = 0 }, "d = 0 with 2 scores"},
		{"p.png", func(p *Picture) { p.Curves[0].Points[1].Scores = nil }, "d = 30 with 0 scores"},
		{"p.png", func(p *Picture) { p.Curves[0].Points[1].Scores[1] = math.NaN() }, `curve "width 32", d = 30: score 1 is NaN`},
		{"p.png", func(p *Picture) { p.Curves[0].Baseline[0] = math.Inf(-1) }, "baseline: score 0 is -Inf"},
	} {
		p := picture(t)
		c.spoil(&p)
		if err := p.Save(filepath.Join(dir, c.path)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v; want an error with %q", err, c.want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a refused picture left %v", left)
	}
}
