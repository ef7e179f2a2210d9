package analysis

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"lockstep/internal/files"
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

// Sizes of the pictures that stand in a page. The page scales them; these say how large type is beside the rest.
const (
	inlineWidth, inlineHeight = 480 * vg.Length(1), 310 * vg.Length(1)
	smallWidth, smallHeight   = 264 * vg.Length(1), 190 * vg.Length(1)
)

// SVG is the picture as an element of an HTML page: see Chart.SVG.
func (p Picture) SVG(alt string) (string, error) {
	chart, err := p.chart()
	if err != nil {
		return "", fmt.Errorf("picture: %w", err)
	}
	return inline(chart, inlineWidth, inlineHeight, alt)
}

// inline draws a plot as an <svg> element.
func inline(chart *plot.Plot, width, height vg.Length, alt string) (string, error) {
	canvas := vgsvg.New(width, height)
	chart.Draw(draw.Crop(draw.New(canvas), 4, -10, 4, -8)) // room for half a label at the right and at the top
	return element(canvas, alt)
}

// element makes what vgsvg writes, a document with a size on paper, an element without one: it takes the width of its place
// in the page. It names its font once, has no ids, and refers to nothing. Readers of the page who do not see it get alt; if
// that is empty, it is decoration.
func element(canvas *vgsvg.Canvas, alt string) (string, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	_, body, _ := strings.Cut(b.String(), "<svg")
	_, body, _ = strings.Cut(body, ">")
	body = strings.ReplaceAll(body, svgFont+"font-variant:normal;font-weight:normal;font-style:normal;", "")
	w, h := canvas.Size()
	role := `aria-hidden="true"`
	if alt != "" {
		role = fmt.Sprintf(`role="img" aria-label="%s"`, html.EscapeString(alt))
	}
	return fmt.Sprintf(`<svg viewBox="0 0 %g %g" style="%s" %s>%s`, w.Points(), h.Points(), strings.TrimSuffix(svgFonts, ";"), role, body), nil
}
