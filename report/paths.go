package report

import (
	"fmt"
	"html/template"
	"math"

	"lockstep/analysis"
	"lockstep/studies"
)

// paths is the section of what was measured at snapshots.
type paths struct {
	Caption string
	Key     []keyEntry // points of the card; none of one
	Panels  []*panel
}

// pathsOf draws, for each thing that was measured, its course along the training; nil without paths.
func pathsOf(all []studies.CellPath) (*paths, error) {
	if len(all) == 0 {
		return nil, nil
	}
	points := studies.Points(all)
	p := &paths{Caption: "What was measured at snapshots of the parameters, against the step: means over the seeds, and from the least to the most of them."}
	if all[0].Measured.Components > 0 {
		p.Caption += " " + studies.Nulls
	}
	for i, point := range points {
		if len(points) == 1 {
			break
		}
		entry, err := key(pointLook(i), point)
		if err != nil {
			return nil, err
		}
		p.Key = append(p.Key, entry)
	}
	for _, c := range studies.MomentColumns(all[0].Measured) {
		svg, err := momentChart(all, points, c)
		if err != nil {
			return nil, err
		}
		p.Panels = append(p.Panels, &panel{Title: c.Name, SVG: template.HTML(svg)})
	}
	return p, nil
}

func pointLook(i int) analysis.Series {
	return analysis.Series{Color: analysis.Hue(i), Glyph: i%analysis.Hues() + 1}
}

// momentChart draws one thing, a line for each point.
func momentChart(all []studies.CellPath, points []string, c studies.MomentColumn) (string, error) {
	chart := analysis.Chart{Small: true}
	var ys [][]float64
	least, last := math.Inf(1), 0.
	for i, point := range points {
		look := pointLook(i)
		course := studies.Along(studies.AtPoint(all, point), c.Of)
		for k, step := range course.Steps {
			look.X = append(look.X, float64(step))
			least, last = min(least, course.Lo[k]), max(last, float64(step))
		}
		look.Y, look.Lo, look.Hi = course.Mean, course.Lo, course.Hi
		ys = append(ys, look.Lo, look.Hi)
		chart.Series = append(chart.Series, look)
	}
	chart.X = analysis.Range{Label: "step", Min: -margin * last, Max: (1 + margin) * max(last, 1)}
	chart.Y = linear("", ys...)
	if c.Score {
		chart.Y = analysis.Range{Min: -margin, Max: 1 + margin, Score: true}
	} else if most := chart.Y.Max; least > 0 && most > 30*least {
		chart.Y = analysis.Range{Log: true, Min: least / 1.5, Max: most * 1.5}
	}
	return chart.SVG(fmt.Sprintf("%s against the step", c.Name))
}
