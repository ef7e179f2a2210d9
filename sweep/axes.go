package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Axis is the value of one axis in a cell, as the card writes it.
type Axis struct{ Name, Value string }

// Axes are the values of all axes of a cell, in the order of the card. As JSON they are one object.
type Axes []Axis

// value is that of the axis of that name, or otherwise when there is none.
func (a Axes) value(name, otherwise string) string {
	for _, x := range a {
		if x.Name == name {
			return x.Value
		}
	}
	return otherwise
}

// MarshalJSON keeps the order.
func (a Axes) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range a {
		name, err := json.Marshal(x.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(x.Value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON keeps the order, too.
func (a *Axes) UnmarshalJSON(b []byte) error {
	*a = nil
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("axes are %.40s; want an object", b)
	}
	for dec.More() {
		var x Axis
		name, err := dec.Token()
		if err == nil {
			x.Name, err = name.(string), dec.Decode(&x.Value)
		}
		if err != nil {
			return fmt.Errorf("axes: %w", err)
		}
		*a = append(*a, x)
	}
	return nil
}

// axis is a named list of values, the same for all cells of an arm.
type axis struct {
	name   string
	values []*node // numbers, texts or booleans
}

// maxAxis bounds the values of an axis and the seeds of a card, maxCells the cells: a range with a slip in it must not
// take the machine's memory.
const (
	maxAxis  = 100_000
	maxCells = 1_000_000
)

// spans: the ways to write an axis without naming each value; one line per entry. Each takes [lo, hi, third].
var spans = []struct {
	name, third string
	values      func(lo, hi, third *big.Rat, whole bool) ([]string, error)
}{
	{"range", "step", stepped},
	{"grid", "count", even},
	{"log-range", "count", logarithmic},
}

func find(axes []axis, name string) *axis {
	for i := range axes {
		if axes[i].name == name {
			return &axes[i]
		}
	}
	return nil
}

// readAxes reads a table of axes, in the order of the card.
func readAxes(r *reader) (axes []axis) {
	for _, e := range r.n.keys {
		*r.keys = append(*r.keys, e.key)
		a := axis{name: e.key, values: e.val.list}
		switch e.val.kind {
		case table:
			a.values = readSpan(r.table(e.key))
		case list:
		default:
			r.fail(e.key, fmt.Errorf("%s; an axis is a list, or {range = [lo, hi, step]}, {grid = [lo, hi, count]}, {log-range = [lo, hi, count]}",
				describe(e.val)))
		}
		if err := a.check(); err != nil {
			r.fail(e.key, err)
		}
		axes = append(axes, a)
	}
	return axes
}

// check finds empty lists, values that are no scalars, and repeated values: a repeated value would make equal cells.
func (a axis) check() error {
	if len(a.values) == 0 {
		return errors.New("an axis without values; give at least one")
	}
	if len(a.values) > maxAxis {
		return fmt.Errorf("%d values; at most %d", len(a.values), maxAxis)
	}
	seen := map[string]bool{}
	for _, v := range a.values {
		key := v.text
		switch v.kind {
		case list, table:
			return fmt.Errorf("%s in an axis; values are numbers or texts", v.kind)
		case number:
			d, err := decimal(v)
			if err != nil {
				return err
			}
			key = d.Rat().String() // 0.10 is 0.1
		case text:
			if strings.HasPrefix(v.text, "$") {
				return fmt.Errorf("it is %q; an axis cannot stand on another", v.text)
			}
		}
		if seen[key] {
			return fmt.Errorf("%s stands in it twice", v.text)
		}
		seen[key] = true
	}
	return nil
}

// readSpan reads {range = [lo, hi, step]} and its like.
func readSpan(r *reader) []*node {
	defer r.done()
	for _, s := range spans {
		v := r.lookup(s.name, list)
		if v == nil {
			continue
		}
		for _, other := range spans {
			if other.name != s.name && r.lookup(other.name, list) != nil {
				r.fail("", errors.New("one of range, grid and log-range makes an axis, not several"))
				return nil
			}
		}
		lo, hi, third, whole, err := threeNumbers(v, "lo, hi, "+s.third)
		if err == nil && s.third == "count" && (!third.IsInt() || third.Cmp(big.NewRat(2, 1)) < 0 || third.Cmp(big.NewRat(maxAxis, 1)) > 0) {
			err = fmt.Errorf("count is %s; it must be a whole number, 2 to %d", third.RatString(), maxAxis)
		}
		var texts []string
		if err == nil {
			texts, err = s.values(lo, hi, third, whole)
		}
		if err != nil {
			r.fail(s.name, err)
			return nil
		}
		values := make([]*node, len(texts))
		for i, t := range texts {
			values[i] = &node{kind: number, line: v.line, text: t}
		}
		return values
	}
	if len(r.n.keys) == 0 {
		r.fail("", errors.New("an empty table; write a list, or {range = [lo, hi, step]}, {grid = [lo, hi, count]}, {log-range = [lo, hi, count]}"))
	}
	return nil
}

// threeNumbers reads [lo, hi, third]; whole tells that lo and hi are whole numbers.
func threeNumbers(v *node, want string) (lo, hi, third *big.Rat, whole bool, err error) {
	if len(v.list) != 3 {
		return nil, nil, nil, false, fmt.Errorf("%d numbers; it takes [%s]", len(v.list), want)
	}
	var x [3]*big.Rat
	for i, item := range v.list {
		if item.kind != number {
			return nil, nil, nil, false, fmt.Errorf("%s in [%s]; it takes numbers", item.kind, want)
		}
		d, err := decimal(item)
		if err != nil {
			return nil, nil, nil, false, err
		}
		x[i] = d.Rat()
	}
	if x[0].Cmp(x[1]) >= 0 {
		return nil, nil, nil, false, fmt.Errorf("lo is %s and hi is %s; lo must be below hi", v.list[0].text, v.list[1].text)
	}
	return x[0], x[1], x[2], x[0].IsInt() && x[1].IsInt(), nil
}

// stepped is lo, lo + step, ... up to hi, hi included when it is met; exact.
func stepped(lo, hi, step *big.Rat, _ bool) (texts []string, err error) {
	if step.Sign() <= 0 {
		return nil, fmt.Errorf("step is %s; it must be above 0", step.RatString())
	}
	span := new(big.Rat).Sub(hi, lo)
	if limit := new(big.Rat).Mul(step, big.NewRat(maxAxis, 1)); span.Cmp(limit) >= 0 {
		return nil, fmt.Errorf("more than %d values; take a larger step", maxAxis)
	}
	for x := new(big.Rat).Set(lo); x.Cmp(hi) <= 0; x.Add(x, step) {
		texts = append(texts, decimalText(x))
	}
	return texts, nil
}

// even is count values from lo to hi at equal distances; a value that is no finite decimal number is rounded to 12 places.
func even(lo, hi, count *big.Rat, _ bool) (texts []string, err error) {
	n := count.Num().Int64()
	step := new(big.Rat).Quo(new(big.Rat).Sub(hi, lo), big.NewRat(n-1, 1))
	for i := range n {
		x := new(big.Rat).Mul(step, big.NewRat(i, 1))
		texts = append(texts, decimalText(x.Add(x, lo)))
	}
	return texts, nil
}

// logarithmic is count values from lo to hi at equal ratios. Between whole numbers the values are rounded to whole numbers,
// else to four significant digits: far coarser than the last bits of a logarithm, in which machines differ.
func logarithmic(lo, hi, count *big.Rat, whole bool) ([]string, error) {
	if lo.Sign() <= 0 {
		return nil, fmt.Errorf("lo is %s; it must be above 0", lo.RatString())
	}
	n := int(count.Num().Int64())
	a, _ := lo.Float64()
	b, _ := hi.Float64()
	if a == 0 || math.IsInf(b, 0) {
		return nil, errors.New("lo or hi is beyond float64")
	}
	texts := make([]string, n)
	for i := range texts {
		x := math.Exp(math.Log(a) + (math.Log(b)-math.Log(a))*float64(i)/float64(n-1))
		switch {
		case i == 0:
			texts[i] = decimalText(lo)
		case i == n-1:
			texts[i] = decimalText(hi)
		case whole:
			texts[i] = strconv.FormatFloat(x, 'f', 0, 64)
		default:
			texts[i] = strconv.FormatFloat(x, 'g', 4, 64)
		}
		if i > 0 && texts[i] == texts[i-1] {
			return nil, fmt.Errorf("%s comes twice among %d values; take a smaller count", texts[i], n)
		}
	}
	return texts, nil
}

// decimalText writes x exactly when that takes at most 300 places, else to 12 places.
func decimalText(x *big.Rat) string {
	if places, exact := x.FloatPrec(); exact && places <= 300 {
		return x.FloatString(places)
	}
	return x.FloatString(12)
}

// readSeeds reads the list of seeds, or {range = [first, last]}.
func readSeeds(r *reader) (seeds []uint64) {
	fail := func(err error) []uint64 { r.fail("seeds", err); return nil }
	v := r.n.get("seeds")
	*r.keys = append(*r.keys, "seeds")
	if v == nil {
		r.fail("", errors.New("seeds are missing; give a list such as [0, 1, 2], or {range = [0, 2]}"))
		return nil
	}
	values, span := v.list, false
	switch v.kind {
	case list:
	case table:
		t := r.table("seeds")
		ends := t.lookup("range", list)
		t.done()
		if ends == nil || len(ends.list) != 2 {
			return fail(errors.New("it takes {range = [first, last]}, both included"))
		}
		values, span = ends.list, true
	default:
		return fail(fmt.Errorf("%s; seeds are a list, or {range = [first, last]}", describe(v)))
	}
	seen := map[int64]bool{}
	for _, item := range values {
		if item.kind != number {
			return fail(fmt.Errorf("%s; a seed is a whole number", describe(item)))
		}
		d, err := decimal(item)
		if err != nil {
			return fail(err)
		}
		n, ok := d.Int(0, math.MaxInt64)
		if !ok {
			return fail(fmt.Errorf("it is %s; a seed is a whole number, 0 to 2^63 - 1", item.text))
		}
		if seen[n] && !span {
			return fail(fmt.Errorf("seed %d stands in it twice", n))
		}
		seen[n] = true
		seeds = append(seeds, uint64(n))
	}
	if span {
		first, last := seeds[0], seeds[1]
		if first > last || last-first >= maxAxis {
			return fail(fmt.Errorf("range [%d, %d]; the last is not below the first, and at most %d follow it", first, last, maxAxis-1))
		}
		seeds = nil
		for s := first; s <= last; s++ {
			seeds = append(seeds, s)
		}
	}
	if len(seeds) == 0 || len(seeds) > maxAxis {
		return fail(fmt.Errorf("%d seeds; give 1 to %d", len(seeds), maxAxis))
	}
	return seeds
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
