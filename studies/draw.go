package studies

import (
	"path/filepath"

	"lockstep/analysis"
	"lockstep/sweep"
)

// Picture is performance against d, for the findings of d_int90; ok is false if there is none that was measured.
func Picture(card *sweep.Card, findings []Finding) (p analysis.Picture, ok bool) {
	p = analysis.Picture{Title: card.Name + ": test accuracy in random subspaces", Score: "test accuracy", Fraction: Fraction}
	for _, f := range findings {
		if f.Expect.What == "d_int90" && f.Problem == nil {
			label := name(f.Where)
			if f.several { // of another arm there may be a curve for the same axes
				label = f.cells()
			}
			p.Curves = append(p.Curves, analysis.Curve{Label: label, Points: f.points, Baseline: f.baseline, Intrinsic: f.Measured})
		}
	}
	return p, len(p.Curves) > 0
}

// Draw writes a picture of the findings into dir, as SVG and as PNG. It returns their paths; none if there is nothing to
// draw.
func Draw(card *sweep.Card, findings []Finding, dir string) (paths []string, err error) {
	p, ok := Picture(card, findings)
	if !ok {
		return nil, nil
	}
	for _, ending := range []string{".svg", ".png"} {
		path := filepath.Join(dir, "accuracy"+ending)
		if err := p.Save(path); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
