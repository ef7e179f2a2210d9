package sweep

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"lockstep/data"
	"lockstep/internal/nearest"
)

// Card is a sweep as its user wrote it: a TOML document of settings, in which "$name" stands for the value of the axis
// name, axes with their values, and arms, each a grid of its own.
//
//	name  = "intrinsic-digits"
//	seeds = [0, 1, 2]                 # or {range = [0, 2]}, both ends included
//	steps = 1200
//	batch = 128
//	data  = {name = "digits"}         # data.Names; and what data.Numbers has for it: {name = "marker-addition", markers = 2}
//	model = {init = "he", layers = [{type = "linear", out = "$width"}, {type = "relu"}, {type = "linear", out = 10}]}
//	                                  # other layers: tanh, gelu, sigmoid, group-sum; and on data of tokens embedding, attention, mlp, layer-norm,
//	                                  # first, last, mean-positions: see the types of package model, whose fields are their keys
//	rule  = {type = "adam", lr = 0.1} # model.Rules; and mu, b1, b2, eps, wd, clip, schedule = {type, every, gamma},
//	                                  # project = {onto = "top", k = 10}, see model.Projection
//	map   = {type = "ternary", d = "$d"}             # subspace.Names; identity and parameters have no d
//	snapshots = 100                   # if given: steps between two snapshots of each cell's parameters, in DIR/snapshots/ID/STEP.npy
//	path  = {components = 3, pairs = 9, trials = 10}  # what a study measures of the snapshots, see Path
//	axes  = {width = [32, 64, 128]}   # also {grid = [lo, hi, count]}, {log-range = [lo, hi, count]}, {range = [lo, hi, step]}
//
//	[[arms]]
//	name = "subspace"
//	axes = {d = [10, 100]}
//
//	[[arms]]
//	name = "baseline"                 # an arm's keys replace the card's, key by key; a table of another type, or other data, whole
//	map  = {type = "identity"}
//	rule = {lr = 0.003}
//
//	[expect]                          # or [[expect]]
//	what = "d_int90"                  # see Expect
//
// Unknown keys are refused wherever they stand.
type Card struct {
	File     string   // for errors
	Source   []byte   // its text
	Settings []string // what Set changed in it
	Name     string
	About    string // one sentence
	Seeds    []uint64
	Expect   []Expect
	// Snapshots is the number of steps between two snapshots of each cell's parameters, from step 0 on; 0: none are taken. They are no part of
	// what a cell is.
	Snapshots int
	Path      *Path       // what a study measures of the snapshots; nil: nothing
	Data      data.Source // where Cells opens data sets
	root      *node
}

// LoadCard reads the card in the file at path.
func LoadCard(path string) (*Card, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, &CardError{File: path, Err: errors.New("it is a directory; give a card, a .toml file in it")}
	} else if !info.Mode().IsRegular() { // it may have no end
		return nil, &CardError{File: path, Err: errors.New("it is a device or a pipe; give a card, a .toml file")}
	} else if info.Size() > largestCard {
		return nil, &CardError{File: path, Err: fmt.Errorf("it has %d bytes; a card has at most %d", info.Size(), largestCard)}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseCard(path, b)
}

// largestCard is more than anybody writes, in bytes.
const largestCard = 16 << 20

// ParseCard reads a card; name stands for its file in errors, which are CardErrors. It finds wrong TOML, unknown keys and
// unknown types, and wrong seeds, arms and expectations; what depends on the axes' values, Cells finds.
func ParseCard(name string, b []byte) (*Card, error) {
	root, err := parseTOML(name, b)
	if err != nil {
		return nil, err
	}
	return (&Card{File: name, Source: b}).with(root)
}

// with is the card with the content of root.
func (c Card) with(root *node) (*Card, error) {
	file := c.File
	c.root, c.Expect = root, nil
	p := &place{file: file, sketch: true}
	r := p.reader(root, "")
	c.Name, c.About = r.text("name", ""), r.text("about", "")
	if c.Name == "" {
		r.fail("name", errors.New("a name is missing: a short one, such as the file's"))
	}
	c.Seeds = readSeeds(r)
	if r.n.get("snapshots") != nil {
		c.Snapshots = r.count("snapshots")
	} else {
		*r.keys = append(*r.keys, "snapshots") // for the list of what could have been meant
	}
	c.Path = readPath(r, c.Snapshots)
	readSettings(r)
	arms := c.readArms(r)
	c.readExpect(r, arms)
	r.done()
	if p.err != nil {
		return nil, p.err
	}
	return &c, nil
}

// arm is one grid of a card.
type arm struct {
	name     string
	settings *node  // the card's tables with the arm's put in
	axes     []axis // the card's, then the arm's
}

// Size is the number of cells; it opens no data. Error: as Cells.
func (c *Card) Size() (n int, err error) {
	sketch := (&place{file: c.File, sketch: true}).reader(c.root, "")
	for _, a := range c.readArms(sketch) {
		points, err := c.points(a, n)
		if err != nil {
			return 0, err
		}
		n += points * len(c.Seeds)
	}
	return n, sketch.err
}

// settingKeys are the keys that describe a cell; an arm may give each of them.
var settingKeys = []string{"steps", "batch", "data", "model", "rule", "map"}

// OnlyArm is the arm of a card without arms.
const OnlyArm = "main"

// readArms checks the arms and merges each with the card. A card without arms is one arm, OnlyArm.
func (c *Card) readArms(r *reader) (arms []arm) {
	shared := readAxes(r.table("axes"))
	merge := func(name string, own *node, axes []axis) {
		settings := &node{kind: table, line: r.n.line}
		for _, key := range settingKeys {
			if v := merged(r.n.get(key), own.get(key)); v != nil {
				settings.set(key, v)
			}
		}
		arms = append(arms, arm{name, settings, axes})
	}
	if r.n.get("arms") == nil {
		merge(OnlyArm, nil, shared)
	}
	seen := map[string]bool{}
	for _, a := range r.tables("arms") {
		name := a.text("name", "")
		own := readAxes(a.table("axes"))
		readSettings(a)
		a.done()
		switch {
		case name == "":
			a.fail("", errors.New("an arm without a name"))
		case seen[name]:
			a.fail("name", fmt.Errorf("a second arm is called %q", name))
		}
		seen[name] = true
		for _, x := range own {
			if find(shared, x.name) != nil {
				a.fail("axes", fmt.Errorf("%s is an axis of the card; an arm's axes have names of their own", x.name))
			}
		}
		merge(name, a.n, append(shared[:len(shared):len(shared)], own...))
	}
	if list := r.n.get("arms"); list != nil && len(list.list) == 0 {
		r.fail("arms", errors.New("no arms; leave the key out for a card of one arm"))
	}
	return arms
}

// merged is the card's value with the arm's put in: key by key for tables, but whole for one of another type or other data,
// because these have other keys.
func merged(card, arm *node) *node {
	if arm == nil {
		return card.clone()
	}
	if card == nil || card.kind != table || arm.kind != table {
		return arm.clone()
	}
	for _, key := range []string{"type", "name"} {
		if a, b := card.get(key), arm.get(key); a != nil && b != nil && a.text != b.text {
			return arm.clone()
		}
	}
	out := card.clone()
	out.line = arm.line
	for _, e := range arm.keys {
		out.set(e.key, merged(card.get(e.key), e.val))
	}
	return out
}

// Set changes one value of the card, as --set does: "rule.lr=0.05", "axes.width=[32]", "arms.baseline.rule.lr=0.01". The
// value is TOML; a bare word is text. An arm's own value still goes before the card's. A wrong setting leaves the card as
// it was.
func (c *Card) Set(setting string) error {
	path, value, ok := strings.Cut(setting, "=")
	path, value = strings.TrimSpace(path), strings.TrimSpace(value)
	if !ok || path == "" || value == "" {
		return fmt.Errorf("setting %q: want KEY=VALUE, such as rule.lr=0.05", setting)
	}
	const source = "--set"
	t, err := parseTOML(source, []byte("v = "+value))
	if err != nil && !strings.ContainsAny(value, "\"'[]{}\n") {
		t, err = parseTOML(source, []byte("v = '"+value+"'"))
	}
	if err != nil || len(t.keys) != 1 {
		return fmt.Errorf("setting %q: %q is no TOML value", setting, value)
	}
	v := t.get("v")
	v.unline()
	root := c.root.clone()
	at, keys := root, strings.Split(path, ".")
	for i, key := range keys {
		if i == len(keys)-1 {
			at.set(key, v)
			break
		}
		if at, err = at.step(key); err != nil {
			return fmt.Errorf("setting %q: %s: %w", setting, strings.Join(keys[:i+1], "."), err)
		}
	}
	changed, err := c.with(root)
	if err != nil {
		return fmt.Errorf("setting %q: %w", setting, err)
	}
	changed.Settings = append(c.Settings[:len(c.Settings):len(c.Settings)], setting)
	*c = *changed
	return nil
}

// step goes to the table under key, made when it is missing; in a list of tables key is the name of one.
func (n *node) step(key string) (*node, error) {
	next := n.get(key)
	if n.kind == list {
		var names []string
		for _, item := range n.list {
			name := item.get("name")
			if name == nil {
				return nil, errors.New("the entries of this list have no names; set the whole list")
			}
			if names = append(names, name.text); name.text == key {
				next = item
			}
		}
		if next == nil {
			return nil, nearest.Unknown("name", key, names)
		}
	}
	if next == nil {
		next = &node{kind: table}
		n.set(key, next)
	}
	if next.kind != table && next.kind != list {
		return nil, fmt.Errorf("%s, not a table", describe(next))
	}
	return next, nil
}

// unline forgets the lines of a value that is not from the card's file.
func (n *node) unline() {
	n.line = 0
	for _, v := range n.list {
		v.unline()
	}
	for _, e := range n.keys {
		e.val.unline()
	}
}
