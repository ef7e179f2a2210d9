package studies

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"

	"lockstep/sweep"
)

// PathTables are what was measured of the paths beside the findings, point by point: r90 of each matrix and layer, over the cells, and the moments along the
// training; empty without paths.
func PathTables(paths []CellPath) string {
	var b strings.Builder
	points := Points(paths)
	for _, point := range points {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		cells := AtPoint(paths, point)
		if len(points) > 1 {
			fmt.Fprintf(&b, "%s\n", point)
		}
		if len(cells[0].Matrices) > 0 {
			matrixTable(&b, cells)
		}
		momentTable(&b, cells)
	}
	return b.String()
}

// Points are the points of the card at which the paths' cells stand, in their order.
func Points(paths []CellPath) (points []string) {
	for _, p := range paths {
		if !slices.Contains(points, p.Point) {
			points = append(points, p.Point)
		}
	}
	return points
}

// AtPoint are the paths of the cells of one point, which differ in their seeds.
func AtPoint(paths []CellPath, point string) (at []CellPath) {
	for _, p := range paths {
		if p.Point == point {
			at = append(at, p)
		}
	}
	return at
}

func matrixTable(b *strings.Builder, paths []CellPath) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "r90, mean (least to most) of %d cells\t%s\n", len(paths), strings.Join(sweep.PathMatrices(), "\t"))
	layers := 0
	for _, m := range paths[0].Matrices {
		layers = max(layers, m.Layer+1)
	}
	for l := range layers {
		var walks []string
		fmt.Fprintf(t, "attention layer %d", l)
		for _, matrix := range sweep.PathMatrices() {
			var r, w []float64
			for _, p := range paths {
				for _, m := range p.Matrices {
					if m.Layer == l && m.Matrix == matrix {
						r, w = append(r, float64(m.R90)), append(w, m.Matched.Rank)
					}
				}
			}
			if len(r) > 0 {
				fmt.Fprintf(t, "\t%.2f (%v to %v)", stat.Mean(r, nil), slices.Min(r), slices.Max(r))
				walks = append(walks, fmt.Sprintf("%.2f", stat.Mean(w, nil)))
			}
		}
		fmt.Fprintf(t, "\n  step-matched random walk\t%s\n", strings.Join(walks, "\t"))
	}
	walk, ball := mean(paths, func(p CellPath) float64 { return p.Walk.Rank }), mean(paths, func(p CellPath) float64 { return p.Ball.Rank })
	first := mean(paths, func(p CellPath) float64 { return p.Walk.First })
	fmt.Fprintf(t, "plain random walk of as many snapshots\t%.2f, first component %.1f %%; with momentum 0.9 a snapshot %.2f\n", walk, 100*first, ball)
	t.Flush()
	fmt.Fprintf(b, "%s\n\n", Nulls)
}

// Nulls says which paths without direction r90 is held against.
const Nulls = "A step-matched random walk takes steps as long as those of that very matrix from snapshot to snapshot, each in a direction of its own. " +
	"A plain one has as many snapshots and steps alike; of a long one, six components hold 90 %, and the first 60.8 % (Antognini and Sohl-Dickstein 2018). " +
	"With momentum it keeps 0.9 of its velocity from one snapshot to the next; of one of 201 snapshots, three hold 90 %."

// MomentColumn is something that is measured at every snapshot.
type MomentColumn struct {
	Name   string
	Format string // of a number
	Score  bool   // between 0 and 1
	Of     func(Moment) float64
}

// MomentColumns are those that the cells have.
func MomentColumns(how sweep.Path) (all []MomentColumn) {
	if how.Scores {
		all = append(all, MomentColumn{"training accuracy", "%.4f", true, Moment.TrainAccuracy}, MomentColumn{"test accuracy", "%.4f", true, Moment.TestAccuracy})
	}
	for i := range how.Eigenvalues {
		all = append(all, MomentColumn{fmt.Sprintf("eigenvalue %d", i+1), "%.4g", false, func(m Moment) float64 { return float64(m.Eigenvalues[i].Value) }})
	}
	all = append(all, MomentColumn{"commutator", "%.3g", false, func(m Moment) float64 { return float64(m.Norm) }},
		MomentColumn{"commutator / (|g_A| |g_B|)", "%.3g", false, func(m Moment) float64 { return float64(m.Defect) }})
	if how.Components > 0 {
		all = append(all, MomentColumn{"share in components", "%.3f", true, func(m Moment) float64 { return float64(m.Share) }},
			MomentColumn{"in random ones", "%.3f", true, func(m Moment) float64 { return float64(m.Random) }},
			MomentColumn{"ratio", "%.1f", false, func(m Moment) float64 { return float64(m.Share / m.Random) }})
	}
	return append(all, MomentColumn{"attention entropy, nats", "%.3f", false, func(m Moment) float64 { return float64(m.Entropy) }})
}

// Course is how a thing that is measured goes along the training: at each step the mean over the cells that have come so far, the least and the most.
type Course struct {
	Steps        []int
	Mean, Lo, Hi []float64
	Cells        []int // that the mean is over
}

// Along is the course of something over cells, of which some may have ended before others.
func Along(paths []CellPath, of func(Moment) float64) (c Course) {
	at := map[int][]float64{}
	for _, p := range paths {
		for _, m := range p.Moments {
			at[m.Step] = append(at[m.Step], of(m))
		}
	}
	for _, step := range slices.Sorted(maps.Keys(at)) {
		v := at[step]
		c.Steps, c.Cells = append(c.Steps, step), append(c.Cells, len(v))
		c.Mean, c.Lo, c.Hi = append(c.Mean, stat.Mean(v, nil)), append(c.Lo, slices.Min(v)), append(c.Hi, slices.Max(v))
	}
	return c
}

// momentTable shows means over the cells, at a few snapshots, the last one among them.
func momentTable(b *strings.Builder, paths []CellPath) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	columns := MomentColumns(paths[0].Measured)
	var courses []Course
	fmt.Fprint(t, "step")
	for _, c := range columns {
		fmt.Fprint(t, "\t", c.Name)
		courses = append(courses, Along(paths, c.Of))
	}
	fmt.Fprintln(t)
	steps := courses[0].Steps
	every := max(1, (len(steps)+9)/10)
	for i, step := range steps {
		if i%every != 0 && i != len(steps)-1 {
			continue
		}
		fmt.Fprint(t, step)
		for k, c := range columns {
			fmt.Fprintf(t, "\t"+c.Format, courses[k].Mean[i])
		}
		if n := courses[0].Cells[i]; n < len(paths) {
			fmt.Fprintf(t, "\tof %d cells", n)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	if e := worst(paths); e > 0 {
		fmt.Fprintf(b, "Eigenvalues are farther from true ones by %.1e of the largest at most, by what Lanczos leaves and by an estimate of how exact products are.\n", e)
	}
}

// worst is the largest error of an eigenvalue, as a share of the largest magnitude of its moment's; 0 if none is measured.
func worst(paths []CellPath) (e float64) {
	for _, p := range paths {
		for _, m := range p.Moments {
			most := 0.
			for _, v := range m.Eigenvalues {
				most = max(most, math.Abs(float64(v.Value)))
			}
			for _, v := range m.Eigenvalues {
				if most > 0 {
					e = max(e, float64(v.Error)/most)
				}
			}
		}
	}
	return e
}

func mean(paths []CellPath, f func(p CellPath) float64) float64 {
	var x []float64
	for _, p := range paths {
		x = append(x, f(p))
	}
	return stat.Mean(x, nil)
}
