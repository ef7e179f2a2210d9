package sweep

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lockstep/internal/nearest"
)

// Expect is one outcome that a card declares beforehand; a study prints it beside what was measured. Its number lies within limits: range = [lo, hi], both ends
// included, or at-least = lo, or at-most = hi, where the other side has no end.
//
// what = "d_int90": the smallest d at which the mean over the seeds reaches 90 % of the baseline's mean lies within limits, in
// every group of cells with equal values of the axes in by. Baseline names the arm of full-space cells, Arm the other one.
//
// what = "performance": the mean over the seeds of the performance lies within limits, at every point of the grid of Arm where
// the axes of where lie in theirs. Performance is test accuracy, or exp(-loss) for data without test rows.
//
// what = "r90", of a card with a path: the number of principal components that hold 90 % of the variance of a matrix's snapshots, the mean over
// the layers, the matrices in Matrices, and the seeds, lies within limits; with Less, that mean less the one over the matrices in Less; or, if Less is
// ["walk"], less that of random walks whose steps are as long as the matrices' own.
//
// what = "commutator", of a card with a path: the share of the commutators' norm that lies in the span of the matrices' first components, over
// that in random bases of as many vectors confined to the same matrices, the mean over the snapshots and the seeds, lies within limits.
//
// what = "delay", of a card with a path with scores: the number of steps between the first snapshots with an accuracy of at least level on the training
// rows and on the test rows, the mean over the seeds, lies within limits; it fails where it never comes to that.
//
// what = "training_accuracy", of a card with a path with scores: the accuracy on all training rows at the last snapshot, the mean over the seeds, lies within
// limits.
//
// what = "loss_fall", of a card with a path with scores: by how much the mean loss over all training rows is less at the last snapshot than at the first one, in
// units of the loss (nats of cross-entropy), the mean over the seeds, lies within limits. It is how a card says that cells that are to learn nothing have been
// trained at all.
type Expect struct {
	What     string
	Arm      string // whose cells; the only arm that is not the baseline, if the card leaves it out
	Baseline string // only d_int90
	By       []string
	Where    []Interval // of axes, both ends included
	Lo, Hi   float64    // limits, both included; -Inf or +Inf on a side without an end
	Matrices []string   // only r90: of PathMatrices
	Less     []string   // only r90: of PathMatrices, or LessWalk alone
	Level    float64    // only delay
}

// OfPath tells whether it is an outcome of the cells' paths.
func (e Expect) OfPath() bool {
	return e.OfScores() || slices.Contains([]string{"r90", "commutator"}, e.What)
}

// OfScores tells whether it is one that is measured of the scores along the paths.
func (e Expect) OfScores() bool {
	return slices.Contains([]string{"delay", "training_accuracy", "loss_fall"}, e.What)
}

// Holds tells whether a number lies within the limits; NaN never does.
func (e Expect) Holds(x float64) bool { return e.Lo <= x && x <= e.Hi }

// Span tells the limits in words, such as "80 to 200", "at least 1", "at most 0".
func (e Expect) Span() string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	switch {
	case math.IsInf(e.Hi, 1):
		return "at least " + number(e.Lo)
	case math.IsInf(e.Lo, -1):
		return "at most " + number(e.Hi)
	}
	return number(e.Lo) + " to " + number(e.Hi)
}

// LessWalk stands in Less for the random walks of the matrices themselves.
const LessWalk = "walk"

// PathMatrices are the matrices of an attention layer whose paths are measured.
func PathMatrices() []string { return []string{"wq", "wk", "wv", "wo"} }

// Interval is a closed range of the values of an axis.
type Interval struct {
	Axis   string
	Lo, Hi float64
}

// expectations are the outcomes that a card can declare; one line per entry.
var expectations = []string{"d_int90", "performance", "r90", "commutator", "delay", "training_accuracy", "loss_fall"}

// readExpect reads [expect] or [[expect]] and holds it against the arms.
func (c *Card) readExpect(r *reader, arms []arm) {
	all := []*reader{}
	if v := r.n.get("expect"); v != nil && v.kind == list {
		all = r.tables("expect")
	} else if v != nil {
		all = append(all, r.table("expect"))
	} else {
		*r.keys = append(*r.keys, "expect") // for the list of what could have been meant
	}
	for _, r := range all {
		e := readOne(r, arms)
		switch p := c.Path; {
		case !e.OfPath():
		case p == nil:
			r.fail("what", fmt.Errorf("%s is measured of a path: the card has none", e.What))
		case e.OfScores() && !p.Scores:
			r.fail("what", fmt.Errorf("%s is measured of scores: give path.scores = true", e.What))
		case !e.OfScores() && p.Components == 0:
			r.fail("what", fmt.Errorf("%s is measured of components: give path.components and path.trials", e.What))
		}
		c.Expect = append(c.Expect, e)
	}
}

func readOne(r *reader, arms []arm) (e Expect) {
	e.What, e.Arm, e.By = r.text("what", ""), r.text("arm", ""), r.texts("by")
	if !slices.Contains(expectations, e.What) {
		r.fail("what", nearest.Unknown("expectation", e.What, expectations))
	}
	if e.What == "r90" {
		e.Matrices, e.Less = r.texts("matrices"), r.texts("less")
		if len(e.Matrices) == 0 {
			r.fail("matrices", fmt.Errorf("it is missing; it is a list of %s", strings.Join(PathMatrices(), ", ")))
		}
		named := func(key string, list, known []string) {
			for _, name := range list {
				if !slices.Contains(known, name) {
					r.fail(key, nearest.Unknown("matrix", name, known))
				}
			}
		}
		named("matrices", e.Matrices, PathMatrices())
		named("less", e.Less, append(PathMatrices(), LessWalk))
		if slices.Contains(e.Less, LessWalk) && len(e.Less) > 1 {
			r.fail("less", fmt.Errorf("%q stands alone: it is the walks of the matrices themselves", LessWalk))
		}
	}
	if e.What == "delay" {
		if e.Level, _ = r.decimal("level", "").Rat().Float64(); !(e.Level > 0 && e.Level <= 1) {
			r.fail("level", errors.New("it is missing or out of range; it is an accuracy, above 0 and at most 1"))
		}
	}
	if e.What == "d_int90" {
		e.Baseline = r.text("baseline", "")
		r.armNamed("baseline", e.Baseline, arms)
	}
	if e.Arm == "" {
		var others []string
		for _, a := range arms {
			if a.name != e.Baseline {
				others = append(others, a.name)
			}
		}
		if len(others) != 1 {
			r.fail("arm", fmt.Errorf("it is missing; it is one of %s", strings.Join(others, ", ")))
			return e
		}
		e.Arm = others[0]
	}
	a := r.armNamed("arm", e.Arm, arms)
	axisNamed := func(r *reader, key, name string) {
		var names []string
		if a != nil {
			for _, x := range a.axes {
				names = append(names, x.name)
			}
		}
		if !slices.Contains(names, name) {
			r.fail(key, nearest.Unknown("axis of arm "+e.Arm, name, names))
		}
	}
	for _, name := range e.By {
		axisNamed(r, "by", name)
	}
	where := r.table("where")
	for _, k := range where.n.keys {
		axisNamed(where, k.key, k.key)
		lo, hi := where.interval(k.key)
		e.Where = append(e.Where, Interval{k.key, lo, hi})
	}
	e.Lo, e.Hi = r.limits()
	r.done()
	return e
}

// armNamed is the arm of that name; key gave it.
func (r *reader) armNamed(key, name string, arms []arm) *arm {
	var names []string
	for i := range arms {
		if arms[i].name == name {
			return &arms[i]
		}
		names = append(names, arms[i].name)
	}
	r.fail(key, nearest.Unknown("arm", name, names))
	return nil
}

// limits reads what a number lies within: one of range, at-least and at-most.
func (r *reader) limits() (lo, hi float64) {
	const least, most = "at-least", "at-most"
	lo, hi = math.Inf(-1), math.Inf(1)
	given := 0
	for _, key := range []string{"range", least, most} {
		r.ask(key) // for the list of what could have been meant
		if r.n.get(key) != nil {
			given++
		}
	}
	end := func(key string) float64 { x, _ := r.decimal(key, "").Rat().Float64(); return x }
	switch {
	case given > 1:
		r.fail("", fmt.Errorf("more than one of range, %s and %s; give one: range = [lo, hi] has both ends", least, most))
	case r.n.get(least) != nil:
		lo = end(least)
	case r.n.get(most) != nil:
		hi = end(most)
	case given == 0:
		r.done() // first: they may be there under another name
		r.fail("", fmt.Errorf("without limits; give range = [lo, hi], both included, or %s = lo, or %s = hi", least, most))
	default:
		return r.interval("range")
	}
	return lo, hi
}

// interval reads [lo, hi]. Its ends are compared with derived results, in float64.
func (r *reader) interval(key string) (lo, hi float64) {
	v := r.lookup(key, list)
	if v == nil || len(v.list) != 2 {
		r.fail(key, errors.New("it takes [lo, hi], both included"))
		return 0, 0
	}
	var ends [2]float64
	for i, item := range v.list {
		if item.kind != number {
			r.fail(key, fmt.Errorf("%s; it takes [lo, hi], two numbers", describe(item)))
			return 0, 0
		}
		d, err := decimal(item)
		if err != nil {
			r.fail(key, err)
			return 0, 0
		}
		ends[i], _ = d.Rat().Float64()
	}
	if ends[0] > ends[1] {
		r.fail(key, fmt.Errorf("[%s, %s] is empty; lo is at most hi", v.list[0].text, v.list[1].text))
	}
	return ends[0], ends[1]
}
