package studies

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"

	"lockstep/sweep"
)

// ofPaths measures r90 or commutators in every group of cells with equal values of the axes in e.By.
func ofPaths(e sweep.Expect, results []sweep.Result, paths []CellPath) (all []Finding) {
	for _, g := range groups(results, e.Arm, e.By) {
		f := Finding{Expect: e, Where: g.where, Params: g.results[0].Params}
		var seeds, walks, balls, shares, random []float64
		for _, r := range g.results {
			at := slices.IndexFunc(paths, func(p CellPath) bool { return p.ID == r.ID })
			if at < 0 {
				f.Problem = errors.New("the paths are not measured: run the study with --out")
				continue
			}
			p := paths[at]
			walks, balls = append(walks, p.Walk.Rank), append(balls, p.Ball.Rank)
			if e.What == "r90" {
				v := p.meanR90(e.Matrices)
				if len(e.Less) > 0 {
					v -= p.meanR90(e.Less)
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
			f.OK = e.Lo <= f.Mean && f.Mean <= e.Hi
			f.Nulls = fmt.Sprintf("random walk %.2f, with momentum 0.9 %.2f", stat.Mean(walks, nil), stat.Mean(balls, nil))
			if e.What == "commutator" {
				f.Nulls = fmt.Sprintf("%.3f and %.3f", stat.Mean(shares, nil), stat.Mean(random, nil))
			}
		}
		all = append(all, f)
	}
	return all
}

// meanR90 is the mean over the layers and the given matrices.
func (p CellPath) meanR90(matrices []string) float64 {
	var r []float64
	for _, m := range p.Matrices {
		if slices.Contains(matrices, m.Matrix) {
			r = append(r, float64(m.R90))
		}
	}
	return stat.Mean(r, nil)
}

// meanShares are the means over the snapshots.
func (p CellPath) meanShares() (components, random float64) {
	for _, m := range p.Moments {
		components += m.Share / float64(len(p.Moments))
		random += m.Random / float64(len(p.Moments))
	}
	return components, random
}

func (f Finding) pathRow() (row []string) {
	spread := ""
	if !math.IsNaN(f.Spread) {
		spread = fmt.Sprintf(" +- %.2f", f.Spread)
	}
	e := f.Expect
	if e.What == "r90" {
		matrices := strings.Join(e.Matrices, ", ")
		if len(e.Less) > 0 {
			matrices += " less " + strings.Join(e.Less, ", ")
		}
		row = []string{matrices}
	}
	return append(row, fmt.Sprintf("%.2f%s", f.Mean, spread), f.Nulls, pathSpan(e))
}

// pathSpan is the expected range; ratios and differences are bounded on one side.
func pathSpan(e sweep.Expect) string {
	switch {
	case e.Lo <= -1000:
		return fmt.Sprintf("at most %v", e.Hi)
	case e.Hi >= 1000:
		return fmt.Sprintf("at least %v", e.Lo)
	}
	return span(e)
}

// PathTables are what was measured of the paths beside the findings: r90 of each matrix and layer, over the seeds, and the moments along the training; empty
// without paths.
func PathTables(paths []CellPath) string {
	if len(paths) == 0 {
		return ""
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "r90, mean (least to most) of %d cells\t%s\n", len(paths), strings.Join(sweep.PathMatrices(), "\t"))
	layers := 0
	for _, m := range paths[0].Matrices {
		layers = max(layers, m.Layer+1)
	}
	for l := range layers {
		fmt.Fprintf(t, "attention layer %d", l)
		for _, matrix := range sweep.PathMatrices() {
			var r []float64
			for _, p := range paths {
				for _, m := range p.Matrices {
					if m.Layer == l && m.Matrix == matrix {
						r = append(r, float64(m.R90))
					}
				}
			}
			if len(r) > 0 {
				fmt.Fprintf(t, "\t%.2f (%v to %v)", stat.Mean(r, nil), slices.Min(r), slices.Max(r))
			}
		}
		fmt.Fprintln(t)
	}
	walk, ball := stat.Mean(each(paths, func(p CellPath) float64 { return p.Walk.Rank }), nil), stat.Mean(each(paths, func(p CellPath) float64 { return p.Ball.Rank }), nil)
	first := stat.Mean(each(paths, func(p CellPath) float64 { return p.Walk.First }), nil)
	fmt.Fprintf(t, "random walk of as many snapshots\t%.2f, first component %.1f %%; with momentum 0.9 %.2f\n\n", walk, 100*first, ball)
	t.Flush()

	fmt.Fprintln(t, "step\tcommutator / (|g_A| |g_B|)\tshare in components\tin random ones\tratio\tattention entropy, nats")
	moments := paths[0].Moments
	for i := 0; i < len(moments); i += max(1, len(moments)/10) {
		at := func(f func(m Moment) float64) float64 {
			return stat.Mean(each(paths, func(p CellPath) float64 { return f(p.Moments[min(i, len(p.Moments)-1)]) }), nil)
		}
		share, random := at(func(m Moment) float64 { return m.Share }), at(func(m Moment) float64 { return m.Random })
		fmt.Fprintf(t, "%d\t%.3g\t%.3f\t%.3f\t%.1f\t%.3f\n", moments[i].Step, at(func(m Moment) float64 { return m.Defect }), share, random, share/random, at(func(m Moment) float64 { return m.Entropy }))
	}
	t.Flush()
	return b.String()
}

func each(paths []CellPath, f func(p CellPath) float64) (x []float64) {
	for _, p := range paths {
		x = append(x, f(p))
	}
	return x
}
