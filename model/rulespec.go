package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lockstep/internal/nearest"
)

// Rule is a training rule: an update (LAW, Optimisers) and the schedule of its learning rate. A number that Type does
// not use stays zero.
type Rule struct {
	Type     string  // sgd, momentum, adam, adamw
	LR       Decimal // learning rate at step 0
	Mu       Decimal // momentum
	B1, B2   Decimal // decay of Adam's first and second moment
	Eps      Decimal // added to the root of Adam's second moment
	WD       Decimal // AdamW's weight decay, times the learning rate
	Schedule Schedule
	Clip     Decimal // the largest norm of a gradient, of longer ones of which the update sees a multiple; 0: it sees all as they are
	Project  Projection
}

// Schedule is lr(step).
type Schedule struct {
	Type  string  // constant: lr; cosine: lr * (1 + cos(pi step / steps)) / 2; step: lr * Gamma^(step / Every)
	Every int     // steps between two drops; only step
	Gamma Decimal // factor of a drop; only step
}

// ruleNumbers: which numbers each update has besides lr; one line per entry.
var ruleNumbers = []struct {
	rule    string
	numbers []string
}{
	{"sgd", nil},
	{"momentum", []string{"mu"}},
	{"adam", []string{"b1", "b2", "eps"}},
	{"adamw", []string{"b1", "b2", "eps", "wd"}},
}

var schedules = []string{"constant", "cosine", "step"}

// Rules lists the names of the updates.
func Rules() (names []string) {
	for _, r := range ruleNumbers {
		names = append(names, r.rule)
	}
	return names
}

// Schedules lists the names of the schedules.
func Schedules() []string { return slices.Clone(schedules) }

// RuleNumbers lists the keys of the numbers that the update of the given name takes: lr, its own, and clip; nil when there
// is no such update.
func RuleNumbers(rule string) []string {
	for _, r := range ruleNumbers {
		if r.rule == rule {
			return slices.Concat([]string{"lr"}, r.numbers, []string{"clip"})
		}
	}
	return nil
}

// Number is the field of the number with the given key in cards, nil when there is no such number.
func (r *Rule) Number(key string) *Decimal {
	switch key {
	case "lr":
		return &r.LR
	case "mu":
		return &r.Mu
	case "b1":
		return &r.B1
	case "b2":
		return &r.B2
	case "eps":
		return &r.Eps
	case "wd":
		return &r.WD
	case "clip":
		return &r.Clip
	}
	return nil
}

// Constant is a number of a rule as the program sees it.
type Constant struct {
	Name  string // lr, mu, b1, c1, b2, c2, eps, wd, clip, gamma
	Value float32
}

// Constants lists the float32 constants of the rule in a fixed order, each rounded once from its decimal text; b1 and
// b2 are followed by c1 = 1 - b1 and c2 = 1 - b2, the exact differences rounded once. A rule that does not clip has no clip. Cells whose rules
// have one Type and one Schedule.Type, and both clip or both do not, have constants of the same names.
func (r Rule) Constants() []Constant {
	var cs []Constant
	for _, key := range RuleNumbers(r.Type) {
		d := *r.Number(key)
		if key == "clip" && !r.Clips() {
			continue
		}
		cs = append(cs, Constant{key, d.F32()})
		if rest, is := strings.CutPrefix(key, "b"); is {
			cs = append(cs, Constant{"c" + rest, d.OneMinus()})
		}
	}
	if r.Schedule.Type == "step" {
		cs = append(cs, Constant{"gamma", r.Schedule.Gamma.F32()})
	}
	return cs
}

// Clips tells whether the rule bounds the norm of gradients.
func (r Rule) Clips() bool { return r.Clip.Rat().Sign() != 0 }

// Check tells what is wrong with the rule: unknown names, numbers outside their range or that float32 cannot hold.
func (r Rule) Check() error {
	keys := RuleNumbers(r.Type)
	if keys == nil {
		return nearest.Unknown("rule type", r.Type, Rules())
	}
	for _, key := range keys {
		if key == "clip" && !r.Clips() {
			continue
		}
		if err := checkNumber(key, *r.Number(key)); err != nil {
			return err
		}
	}
	if err := r.Project.check(); err != nil {
		return err
	}
	if !slices.Contains(schedules, r.Schedule.Type) {
		return nearest.Unknown("schedule type", r.Schedule.Type, schedules)
	}
	if r.Schedule.Type == "step" {
		if e := r.Schedule.Every; e < 1 || e > MaxSize {
			return fmt.Errorf("schedule.every is %d; it must be 1 to %d steps", e, MaxSize)
		}
		return checkNumber("gamma", r.Schedule.Gamma)
	}
	return nil
}

// checkNumber holds the number against its range: rates are above 0, decays are in [0, 1), the rest is not negative.
func checkNumber(key string, d Decimal) error {
	x, want, ok := d.F32(), "0 or more", false
	switch key {
	case "lr", "gamma", "clip":
		want, ok = "above 0", x > 0
	case "mu", "b1", "b2":
		want, ok = "in [0, 1)", x >= 0 && x < 1 && d.Rat().Sign() >= 0
	default:
		ok = x >= 0 && d.Rat().Sign() >= 0
	}
	if !ok || math.IsInf(float64(x), 0) {
		return fmt.Errorf("%s is %s, in float32 %v; it must be %s and finite", key, d, x, want)
	}
	return nil
}
