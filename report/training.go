package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// training is the section of training curves.
type training struct {
	Caption  string
	Families []*family
	Small    bool     // panels stand beside each other
	Notes    []string // what was left out
	Diverged []string // cells, with their first bad step
	More     string   // further ones
}

// family is the panels whose curves are coloured by one axis and share a key; or one panel of all arms that have none.
type family struct {
	Title  string
	Key    []keyEntry
	Panels []*panel
	Note   string
	arms   []string
	values []string // of the axis, those that are shown, in their order
	of     *axis    // nil: the curves are arms
	over   string   // arm drawn dashed over each panel; or ""
}

type panel struct {
	Title  string
	SVG    template.HTML
	arm    string
	curves []*curve
}

// curve is the points of one line; one point, in fact.
type curve struct {
	*point
	shade int // place in the family's values; -1: of the arm drawn over
}

// trainingOf shows how the losses went; nil before any cell has ended.
func trainingOf(in Input, points []*point) (*training, error) {
	if len(points) == 0 {
		return nil, nil
	}
	t := &training{Caption: "Loss of the training batches, on a log scale, against the step; means over the seeds."}
	t.Families = familiesOf(points)
	t.cap()
	t.Small = len(t.Families) > 1 || len(t.Families[0].Panels) > 1
	for _, f := range t.Families {
		if err := f.draw(t.Small); err != nil {
			return nil, err
		}
	}
	if t.listDiverged(points); t.Diverged != nil {
		t.Caption = strings.TrimSuffix(t.Caption, ".") + ", but for cells that diverged where others did not."
	}
	return t, nil
}

// cap leaves out panels and curves that are too many, and says which.
func (t *training) cap() {
	total := 0
	for _, f := range t.Families {
		total += len(f.Panels)
		f.cap(t)
	}
	if total <= maxPanels {
		return
	}
	keep, at := spread(total, maxPanels), 0
	var families []*family
	for _, f := range t.Families {
		var panels []*panel
		for _, p := range f.Panels {
			if slices.Contains(keep, at) {
				panels = append(panels, p)
			}
			at++
		}
		if f.Panels = panels; panels != nil {
			families = append(families, f)
		}
	}
	t.Families = families
	t.Notes = append(t.Notes, fmt.Sprintf("%d of %d panels are shown, at even distances through the card.", maxPanels, total))
}

// cap leaves out values of the axis that colours the curves.
func (f *family) cap(t *training) {
	n := len(f.values)
	if n <= maxCurves {
		return
	}
	keep := spread(n, maxCurves)
	place := make([]int, n) // among those kept, or -1
	var shown []string
	for i := range place {
		if place[i] = slices.Index(keep, i); place[i] >= 0 {
			shown = append(shown, f.values[i])
		}
	}
	for _, p := range f.Panels {
		p.curves = slices.DeleteFunc(p.curves, func(c *curve) bool {
			if c.shade >= 0 {
				c.shade = place[c.shade]
				return c.shade < 0
			}
			return false
		})
	}
	f.values = shown
	what := "arms"
	if f.of != nil {
		what = "values of " + f.of.name
	}
	note := fmt.Sprintf("%d of %d %s are shown, at even distances.", maxCurves, n, what)
	if len(t.Families) > 1 {
		note = f.Title + ": " + note
	}
	t.Notes = append(t.Notes, note)
}

// listDiverged names the cells without an end, a line for each point.
func (t *training) listDiverged(points []*point) {
	more := 0
	for _, p := range points {
		what := p.lost()
		switch {
		case what == "":
		case len(t.Diverged) == maxDiverged:
			more++
		default:
			t.Diverged = append(t.Diverged, p.String()+": "+what)
		}
	}
	if more > 0 {
		t.More = fmt.Sprintf("and %s more; lockstep sweep export DIR lists every cell", count(more, "point"))
	}
}

// lost says which seeds have no finite loss, and since when: "seeds 0, 2 at step 7; seed 1 after the last step".
func (p *point) lost() string {
	var steps []int
	seeds := map[int][]string{}
	for _, r := range p.results {
		step := r.Declared.Steps
		switch {
		case r.Declared.Diverged:
		case r.Derived.TrainLoss == nil:
			step = math.MaxInt
		default:
			continue
		}
		if seeds[step] == nil {
			steps = append(steps, step)
		}
		seeds[step] = append(seeds[step], strconv.FormatUint(r.Seed, 10))
	}
	slices.Sort(steps)
	var parts []string
	for _, step := range steps {
		who, when := "seed", "after the last step"
		if len(seeds[step]) > 1 {
			who = "seeds"
		}
		if step < math.MaxInt {
			when = fmt.Sprintf("at step %d", step)
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", who, strings.Join(seeds[step], ", "), when))
	}
	return strings.Join(parts, "; ")
}
