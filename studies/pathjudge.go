package studies

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"lockstep/sweep"
)

// ofPaths measures an outcome of the paths in every group of cells with equal values of the axes in e.By.
func ofPaths(e sweep.Expect, results []sweep.Result, paths []CellPath) (all []Finding) {
	for _, g := range groups(results, e.Arm, e.By) {
		f := Finding{Expect: e, Where: g.where, Params: g.results[0].Params}
		var seeds, walks, balls, shares, random, matched, less []float64
		for _, r := range g.results {
			at := slices.IndexFunc(paths, func(p CellPath) bool { return p.ID == r.ID })
			if at < 0 {
				f.Problem = errors.New("the paths are not measured: run the study with --out")
				continue
			}
			p := paths[at]
			if r.Declared.Diverged {
				f.Problem = fmt.Errorf("seed %d diverged at step %d", r.Seed, r.Declared.Steps)
				continue
			}
			if e.What == "training_accuracy" {
				seeds = append(seeds, p.Moments[len(p.Moments)-1].TrainAccuracy())
				continue
			}
			if e.What == "loss_fall" {
				fall := p.lossFall()
				if math.IsNaN(fall) || math.IsInf(fall, 0) {
					f.Problem = fmt.Errorf("seed %d has no finite training loss at its first and last snapshots", r.Seed)
				}
				seeds = append(seeds, fall)
				continue
			}
			if e.What == "delay" {
				if steps, comes := p.delay(e.Level); comes {
					seeds = append(seeds, float64(steps))
				} else {
					f.Problem = fmt.Errorf("seed %d does not come to %v on both training and test rows", r.Seed, e.Level)
				}
				continue
			}
			walks, balls = append(walks, p.Walk.Rank), append(balls, p.Ball.Rank)
			if e.What == "r90" {
				v, null := p.meanR90(e.Matrices)
				matched = append(matched, null)
				switch {
				case lessWalk(e):
					v -= null
				case len(e.Less) > 0:
					other, null := p.meanR90(e.Less)
					v, less = v-other, append(less, null)
				}
				seeds = append(seeds, v)
				continue
			}
			in, out := p.meanShares()
			shares, random = append(shares, in), append(random, out)
			seeds = append(seeds, in/out)
		}
		f.Seeds = len(seeds)
		if f.Problem == nil {
			f.Mean, f.Spread = stat.MeanStdDev(seeds, nil)
			f.OK = e.Holds(f.Mean)
			switch {
			case len(less) > 0: // of plain walks it is 0
				f.Nulls = fmt.Sprintf("step-matched random walks %.2f less %.2f", stat.Mean(matched, nil), stat.Mean(less, nil))
			case e.What == "r90":
				f.Nulls = fmt.Sprintf("step-matched random walk %.2f; plain one %.2f, with momentum 0.9 a snapshot %.2f", stat.Mean(matched, nil), stat.Mean(walks, nil), stat.Mean(balls, nil))
			case e.What == "commutator":
				f.Nulls = fmt.Sprintf("%.3f and %.3f", stat.Mean(shares, nil), stat.Mean(random, nil))
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

func (f Finding) pathRow() (row []string) {
	spread := ""
	if !math.IsNaN(f.Spread) {
		spread = fmt.Sprintf(" +- %.2f", f.Spread)
	}
	e := f.Expect
	if e.What == "r90" {
		matrices := strings.Join(e.Matrices, ", ")
		switch {
		case lessWalk(e):
			matrices += " less their walks"
		case len(e.Less) > 0:
			matrices += " less " + strings.Join(e.Less, ", ")
		}
		row = []string{matrices}
	}
	if e.What == "training_accuracy" || e.What == "loss_fall" {
		if spread != "" {
			spread = fmt.Sprintf(" +- %.4f", f.Spread)
		}
		return append(row, fmt.Sprintf("%.4f%s", f.Mean, spread), e.Span())
	}
	if e.What == "delay" {
		return append(row, fmt.Sprintf("%v", e.Level), fmt.Sprintf("%.0f%s", f.Mean, spread), e.Span())
	}
	return append(row, fmt.Sprintf("%.2f%s", f.Mean, spread), f.Nulls, e.Span())
}
