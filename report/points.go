package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lockstep/sweep"
)

// point is a point of a card's grid: cells that differ in their seed alone.
type point struct {
	arm     string
	axes    sweep.Axes
	results []sweep.Result // of the seeds that have ended; at least one
}

// pointsOf collects results into points, in the order of their first ones.
func pointsOf(results []sweep.Result) (all []*point) {
	index := map[string]*point{}
	for _, r := range results {
		k := keyOf(r.Arm, r.Axes, "")
		if index[k] == nil {
			index[k] = &point{arm: r.Arm, axes: r.Axes}
			all = append(all, index[k])
		}
		index[k].results = append(index[k].results, r)
	}
	return all
}

// keyOf tells points apart, but for one axis. No text in a card has a NUL.
func keyOf(arm string, axes sweep.Axes, but string) string {
	var b strings.Builder
	b.WriteString(arm)
	for _, a := range axes {
		if a.Name != but {
			b.WriteString("\x00" + a.Name + "\x00" + a.Value)
		}
	}
	return b.String()
}

// value is the point's value of an axis; ok is false if its arm has none.
func (p *point) value(axis string) (v string, ok bool) {
	for _, a := range p.axes {
		if a.Name == axis {
			return a.Value, true
		}
	}
	return "", false
}

// String names the point as sweep names its cells.
func (p *point) String() string {
	name := "arm " + p.arm
	for _, a := range p.axes {
		name += fmt.Sprintf(", %s = %s", a.Name, a.Value)
	}
	return name
}

// scores is the mean performance over the seeds, the least and the greatest.
func (p *point) scores() (mean, least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, r := range p.results {
		s := r.Derived.Performance
		mean += s / float64(len(p.results))
		least, greatest = min(least, s), max(greatest, s)
	}
	return mean, least, greatest
}

// diverged counts the seeds that did.
func (p *point) diverged() (n int) {
	for _, r := range p.results {
		if r.Declared.Diverged {
			n++
		}
	}
	return n
}

// axis is what an axis of the card is in some points.
type axis struct {
	name   string
	values []string // in order of appearance
	number []float64
	isD    bool // its value is the dimension of the subspace
}

// numeric tells whether all values are numbers.
func (a *axis) numeric() bool { return a.number != nil }

// sorted are the values in the order in which they are to be read.
func (a *axis) sorted() []string {
	if !a.numeric() {
		return a.values
	}
	places := make([]int, len(a.values))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(i, j int) int { return cmp.Compare(a.number[i], a.number[j]) })
	sorted := make([]string, len(places))
	for i, k := range places {
		sorted[i] = a.values[k]
	}
	return sorted
}

// axesOf lists the axes of points, in order of appearance.
func axesOf(points []*point) (all []*axis) {
	index, seen := map[string]*axis{}, map[[2]string]bool{}
	for _, p := range points {
		for _, v := range p.axes {
			a := index[v.Name]
			if a == nil {
				a = &axis{name: v.Name, number: []float64{}, isD: true}
				index[v.Name] = a
				all = append(all, a)
			}
			a.isD = a.isD && v.Value == strconv.Itoa(p.results[0].D)
			if seen[[2]string{v.Name, v.Value}] {
				continue
			}
			seen[[2]string{v.Name, v.Value}] = true
			a.values = append(a.values, v.Value)
			if x, ok := number(v.Value); ok && a.numeric() {
				a.number = append(a.number, x)
			} else {
				a.number = nil
			}
		}
	}
	return all
}

// number reads the value of an axis. What lies so far out that a picture could not be computed in float64 counts as text.
func number(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	a := math.Abs(x)
	return x, err == nil && (a == 0 || a > 1e-100 && a < 1e100)
}

// mainAxis is the axis over which a picture shows points: the numeric one with most values, or the dimension when it has
// half as many; of texts, if others are allowed, when there is no numeric one. Nil: no axis has two values.
func mainAxis(points []*point, texts bool) *axis {
	var best, d *axis
	for _, a := range axesOf(points) {
		switch {
		case len(a.values) < 2 || !a.numeric() && !texts:
			continue
		case best == nil || a.numeric() && !best.numeric() || a.numeric() == best.numeric() && len(a.values) > len(best.values):
			best = a
		}
		if a.isD {
			d = a
		}
	}
	if d != nil && 2*len(d.values) >= len(best.values) {
		return d
	}
	return best
}

// names tells points of several arms apart: by the arm, if there are several, and by the axes that have several values.
type names struct {
	arms bool
	vary map[string]bool
}

func namesFor(points []*point, but string) names {
	n := names{vary: map[string]bool{}}
	for _, p := range points {
		n.arms = n.arms || p.arm != points[0].arm
	}
	for _, a := range axesOf(points) {
		n.vary[a.name] = a.name != but && len(a.values) > 1
	}
	return n
}

// of is the name of a point, "" if there is nothing to tell.
func (n names) of(p *point) string {
	var parts []string
	if n.arms {
		parts = append(parts, p.arm)
	}
	for _, a := range p.axes {
		if n.vary[a.Name] {
			parts = append(parts, fmt.Sprintf("%s %s", a.Name, a.Value))
		}
	}
	return strings.Join(parts, ", ")
}
