package studies

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"lockstep/sweep"
)

// pathOutcome is what expectations of one kind measure of the paths.
type pathOutcome struct {
	of      string                                                                       // heads the column of what they are of, if there is one
	text    func(e sweep.Expect) string                                                  // what that is
	value   string                                                                       // heads the column of the value
	digits  int                                                                          // of it and its spread; of whole numbers, the spread has two
	null    string                                                                       // heads the column of the values without structure, if there is one
	measure func(e sweep.Expect, p CellPath) (value float64, nulls []float64, err error) // of a cell
	nulls   func(e sweep.Expect, means []float64) string                                 // the cells' means of nulls
}

// pathOutcomes are all, by their names in cards.
var pathOutcomes = map[string]pathOutcome{
	"r90": {
		of: "matrices", value: "mean r90 +- sd over seeds", digits: 2, null: "without direction",
		text: func(e sweep.Expect) string {
			text := strings.Join(e.Matrices, ", ")
			switch {
			case lessWalk(e):
				text += " less their walks"
			case len(e.Less) > 0:
				text += " less " + strings.Join(e.Less, ", ")
			}
			return text
		},
		measure: func(e sweep.Expect, p CellPath) (float64, []float64, error) {
			v, matched := p.meanR90(e.Matrices)
			less := 0.0
			switch {
			case lessWalk(e):
				v -= matched
			case len(e.Less) > 0:
				var other float64
				other, less = p.meanR90(e.Less)
				v -= other
			}
			return v, []float64{matched, less, p.Walk.Rank, p.Ball.Rank}, nil
		},
		nulls: func(e sweep.Expect, m []float64) string {
			if len(e.Less) > 0 && !lessWalk(e) { // of plain walks it is 0
				return fmt.Sprintf("step-matched random walks %.2f less %.2f", m[0], m[1])
			}
			return fmt.Sprintf("step-matched random walk %.2f; plain one %.2f, with momentum 0.9 a snapshot %.2f", m[0], m[2], m[3])
		},
	},
	"commutator": {
		value: "share in the matrices' components / in random ones", digits: 2, null: "shares",
		measure: func(_ sweep.Expect, p CellPath) (float64, []float64, error) {
			in, out := p.meanShares()
			return in / out, []float64{in, out}, nil
		},
		nulls: func(_ sweep.Expect, m []float64) string { return fmt.Sprintf("%.3f and %.3f", m[0], m[1]) },
	},
	"training_accuracy": {
		value: "mean training accuracy +- sd over seeds", digits: 4,
		measure: func(_ sweep.Expect, p CellPath) (float64, []float64, error) {
			return p.Moments[len(p.Moments)-1].TrainAccuracy(), nil, nil
		},
	},
	"loss_fall": {
		value: "mean fall of the training loss +- sd over seeds", digits: 4,
		measure: func(_ sweep.Expect, p CellPath) (float64, []float64, error) {
			fall := p.lossFall()
			if math.IsNaN(fall) || math.IsInf(fall, 0) {
				return fall, nil, errors.New("has no finite training loss at its first and last snapshots")
			}
			return fall, nil, nil
		},
	},
	"delay": {
		of: "accuracy", value: "mean steps from training to test rows +- sd over seeds",
		text: func(e sweep.Expect) string { return fmt.Sprint(e.Level) },
		measure: func(e sweep.Expect, p CellPath) (float64, []float64, error) {
			steps, comes := p.delay(e.Level)
			if !comes {
				return 0, nil, fmt.Errorf("does not come to %v on both training and test rows", e.Level)
			}
			return float64(steps), nil, nil
		},
	},
}

// columns names what row tells.
func (o pathOutcome) columns() (all []string) {
	if o.text != nil {
		all = append(all, o.of)
	}
	if all = append(all, o.value); o.nulls != nil {
		all = append(all, o.null)
	}
	return append(all, "expected")
}

// row is a finding for a table.
func (o pathOutcome) row(f Finding) (row []string) {
	if o.text != nil {
		row = append(row, o.text(f.Expect))
	}
	value := fmt.Sprintf("%.*f", o.digits, f.Mean)
	if !math.IsNaN(f.Spread) {
		value += fmt.Sprintf(" +- %.*f", max(2, o.digits), f.Spread)
	}
	if row = append(row, value); o.nulls != nil {
		row = append(row, f.Nulls)
	}
	return append(row, f.Expect.Span())
}

// ofPaths measures an outcome of the paths in every group of cells with equal values of the axes in e.By.
func ofPaths(e sweep.Expect, results []sweep.Result, paths []CellPath) (all []Finding) {
	outcome := pathOutcomes[e.What]
	for _, g := range groups(results, e.Arm, e.By) {
		f := Finding{Expect: e, Where: g.where, Params: g.results[0].Params}
		var seeds, nulls []float64
		for _, r := range g.results {
			at := slices.IndexFunc(paths, func(p CellPath) bool { return p.ID == r.ID })
			if at < 0 {
				f.Problem = errors.New("the paths are not measured: run the study with --out")
				continue
			}
			if r.Declared.Diverged {
				f.Problem = fmt.Errorf("seed %d diverged at step %d", r.Seed, r.Declared.Steps)
				continue
			}
			v, its, err := outcome.measure(e, paths[at])
			if err != nil {
				f.Problem = fmt.Errorf("seed %d %w", r.Seed, err)
				continue
			}
			if seeds = append(seeds, v); nulls == nil {
				nulls = make([]float64, len(its))
			}
			floats.Add(nulls, its)
		}
		f.Seeds = len(seeds)
		if f.Problem == nil {
			f.Mean, f.Spread = stat.MeanStdDev(seeds, nil)
			f.OK = e.Holds(f.Mean)
			if outcome.nulls != nil {
				floats.Scale(1/float64(len(seeds)), nulls)
				f.Nulls = outcome.nulls(e, nulls)
			}
		}
		all = append(all, f)
	}
	return all
}

// lessWalk tells whether an expectation is of r90 beside that of random walks.
func lessWalk(e sweep.Expect) bool { return slices.Equal(e.Less, []string{sweep.LessWalk}) }

// meanR90 is the mean over the layers and the given matrices, and that of their step-matched walks.
func (p CellPath) meanR90(matrices []string) (r90, matched float64) {
	var r, w []float64
	for _, m := range p.Matrices {
		if slices.Contains(matrices, m.Matrix) {
			r, w = append(r, float64(m.R90)), append(w, m.Matched.Rank)
		}
	}
	return stat.Mean(r, nil), stat.Mean(w, nil)
}

// meanShares are the means over the snapshots.
func (p CellPath) meanShares() (components, random float64) {
	for _, m := range p.Moments {
		components += float64(m.Share) / float64(len(p.Moments))
		random += float64(m.Random) / float64(len(p.Moments))
	}
	return components, random
}

// delay is the number of steps between the first snapshots with at least so much accuracy on training and on test rows, if it ever comes to that.
func (p CellPath) delay(level float64) (steps int, comes bool) {
	first := func(accuracy func(Moment) float64) (int, bool) {
		for _, m := range p.Moments {
			if accuracy(m) >= level {
				return m.Step, true
			}
		}
		return 0, false
	}
	train, trained := first(Moment.TrainAccuracy)
	test, tested := first(Moment.TestAccuracy)
	return test - train, trained && tested
}

// lossFall is by how much the training loss is less at the last snapshot than at the first; NaN where scores are not measured.
func (p CellPath) lossFall() float64 {
	first, last := p.Moments[0].Scores, p.Moments[len(p.Moments)-1].Scores
	if first == nil || last == nil {
		return math.NaN()
	}
	return float64(first.TrainLoss) - float64(last.TrainLoss)
}
