package studies

import (
	"path/filepath"

	"lockstep/analysis"
	"lockstep/sweep"
)

// Draw writes a picture of the findings into dir, as SVG and as PNG: performance against d. It returns their paths; none if
// there is nothing to draw.
func Draw(card *sweep.Card, findings []Finding, dir string) (paths []string, err error) {
	p := analysis.Picture{Title: card.Name + ": test accuracy in random subspaces", Score: "test accuracy", Fraction: Fraction}
	for _, f := range findings {
		if f.Expect.What == "d_int90" && f.Problem == nil {
			p.Curves = append(p.Curves, analysis.Curve{Label: name(f.Where), Points: f.points, Baseline: f.baseline, Intrinsic: f.Measured})
		}
	}
	if len(p.Curves) == 0 {
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
