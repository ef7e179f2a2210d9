package sweep

import (
	"fmt"
	"slices"
	"strings"

	"lockstep/data"
	"lockstep/model"
	"lockstep/subspace"
)

// Cell is one point of a sweep with everything put in: its description, complete, from which its result follows. Arm and
// Axes say where in the card it stands; they are for tables, not part of the description.
type Cell struct {
	Arm  string
	Axes Axes

	Data  string // a name that data.Source.Open knows
	Model model.Spec
	Map   Map
	Rule  model.Rule
	Seed  uint64
	Steps int
	Batch int // rows of a step's batch

	set   *data.Set
	place int // in the card
}

// Map is how z becomes theta: a type of subspace.Names, and the dimension of z.
type Map struct {
	Type string
	D    int // D of the model for maps without a dimension of their own
}

// Dim is d, the number of entries of z in use.
func (c Cell) Dim() int { return c.Map.D }

// Name tells a reader which cell it is: arm, axes, seed.
func (c Cell) Name() string {
	return cellName(c.Arm, c.Axes, c.Seed)
}

func cellName(arm string, axes Axes, seed uint64) string {
	return fmt.Sprintf("%s, seed %d", whereabouts(arm, axes), seed)
}

func whereabouts(arm string, axes Axes) string {
	var b strings.Builder
	b.WriteString("arm " + arm)
	for _, a := range axes {
		fmt.Fprintf(&b, ", %s = %s", a.Name, a.Value)
	}
	return b.String()
}

// layers: what reads each type of layer; one line per entry.
var layers = []choice[model.Layer]{
	{"linear", func(r *reader) model.Layer { return model.Linear{Out: r.count("out"), Bias: r.flag("bias", true)} }},
	{"group-sum", func(r *reader) model.Layer { return model.GroupSum{Groups: r.count("groups"), Size: r.count("size")} }},
	{"relu", activation(model.ReLU)},
	{"tanh", activation(model.Tanh)},
	{"gelu", activation(model.GELU)},
	{"sigmoid", activation(model.Sigmoid)},
	{"embedding", func(r *reader) model.Layer {
		return model.Embedding{Vocab: r.count("vocab"), Out: r.count("out"), Positions: r.flag("positions", true)}
	}},
	{"attention", func(r *reader) model.Layer {
		return model.Attention{Heads: r.count("heads"), Causal: r.flag("causal", false), Norm: r.flag("norm", true), Bias: r.flag("bias", true)}
	}},
	{"mlp", func(r *reader) model.Layer {
		f := model.Activation(r.text("activation", string(model.GELU)))
		return model.MLP{Hidden: r.count("hidden"), Activation: f, Norm: r.flag("norm", true), Bias: r.flag("bias", true)}
	}},
	{"layer-norm", func(*reader) model.Layer { return model.LayerNorm{} }},
	{"first", pool(model.First)},
	{"last", pool(model.Last)},
	{"mean-positions", pool(model.MeanPositions)},
}

func pool(p model.Pool) func(*reader) model.Layer {
	return func(*reader) model.Layer { return p }
}

func activation(a model.Activation) func(*reader) model.Layer {
	return func(*reader) model.Layer { return a }
}

// numberDefaults are the values of a rule's numbers that a card leaves out; lr has none. Adam's are the paper's (Kingma and
// Ba 2015, arXiv 1412.6980, algorithm 1), weight decay AdamW's (Loshchilov and Hutter 2019, arXiv 1711.05101, the
// reference code's 0.01). Gradients are not clipped.
var numberDefaults = map[string]string{"lr": "", "mu": "0.9", "b1": "0.9", "b2": "0.999", "eps": "1e-8", "wd": "0.01", "clip": "0"}

func rules() (all []choice[model.Rule]) {
	for _, name := range model.Rules() {
		all = append(all, choice[model.Rule]{name, func(r *reader) model.Rule {
			rule := model.Rule{Type: name}
			for _, key := range model.RuleNumbers(name) {
				*rule.Number(key) = r.decimal(key, numberDefaults[key])
			}
			rule.Schedule = choose(r.table("schedule"), "schedule type", "constant", schedules())
			rule.Project = readProjection(r.table("project"), r.n.get("project") != nil)
			return rule
		}})
	}
	return all
}

// readProjection reads project = {onto, k}; a table that is not there projects nothing.
func readProjection(r *reader, given bool) (p model.Projection) {
	if p.Onto = r.text("onto", ""); p.Onto != "" || given {
		p.K = r.count("k")
	}
	r.done()
	return p
}

func schedules() (all []choice[model.Schedule]) {
	for _, name := range model.Schedules() {
		all = append(all, choice[model.Schedule]{name, func(r *reader) model.Schedule {
			s := model.Schedule{Type: name}
			if name == "step" {
				s.Every, s.Gamma = r.count("every"), r.decimal("gamma", "")
			}
			return s
		}})
	}
	return all
}

// subspaces reads a map; one without a dimension of its own gets D later.
func subspaces() (all []choice[Map]) {
	for _, name := range subspace.Names() {
		all = append(all, choice[Map]{name, func(r *reader) Map {
			m := Map{Type: name}
			if subspace.Named(name).Ragged() {
				m.D = r.count("d")
			}
			return m
		}})
	}
	return all
}

// readSettings reads the tables that describe a cell. As a sketch it finds unknown keys and names.
func readSettings(r *reader) (c Cell) {
	c.Steps, c.Batch = r.count("steps"), r.count("batch")
	c.Data, c.set = readData(r.table("data"))
	if c.set != nil {
		c.Model.In, c.Model.Vocab = c.set.In, c.set.Vocab
	}
	m := r.table("model")
	c.Model.Init = model.Init(m.text("init", string(model.He)))
	for _, l := range m.tables("layers") {
		c.Model.Layers = append(c.Model.Layers, choose(l, "layer type", "", layers))
	}
	m.done()
	c.Rule = choose(r.table("rule"), "rule type", "", rules())
	c.Map = choose(r.table("map"), "map type", "identity", subspaces())
	return c
}

// readData opens a data set, by its name and the numbers that it is made by. A sketch opens none, and accepts the numbers of all sets
// where it does not know the name.
func readData(r *reader) (name string, set *data.Set) {
	name = r.text("name", "")
	names := []string{name}
	if name == "" {
		names = data.Names()
	}
	switch err := data.Known(name); {
	case name == "" && !r.sketch:
		r.fail("", fmt.Errorf("name is missing; it is one of %s", strings.Join(names, ", ")))
	case name != "" && err != nil:
		r.fail("name", err)
	}
	var settings []data.Setting
	for _, n := range names {
		for _, x := range data.Numbers(n) {
			if s, given := readNumber(r, x); given {
				settings = append(settings, s)
			}
		}
	}
	r.done()
	if r.sketch || r.err != nil {
		return name, nil
	}
	set, err := r.data.Open(name, settings...)
	if err != nil {
		r.fail("name", err)
	}
	return name, set
}

// readNumber reads a number that a data set is made by, if the card gives it.
func readNumber(r *reader, x data.Number) (s data.Setting, given bool) {
	r.ask(x.Key)
	if r.n.get(x.Key) == nil {
		if must := x.Default < x.Lo || x.Default > x.Hi; must {
			r.need(x.Key, number)
		}
		return s, false
	}
	v := r.count(x.Key)
	if lo := max(1, x.Lo); v != 0 && (v < lo || v > x.Hi) {
		r.fail(x.Key, fmt.Errorf("it is %d; it must be %d to %d", v, lo, x.Hi))
	}
	return data.Setting{Key: x.Key, Value: v}, v != 0
}

// Cells lists the cells of the card: arm by arm, then by axis, the first slowest, then by seed. Errors are CardErrors that
// name the value and the cell: an unknown axis, an axis that nothing uses, a value out of range, a model that does not fit
// the data, d above D, two equal cells.
func (c *Card) Cells() ([]Cell, error) {
	sketch := (&place{file: c.File, sketch: true}).reader(c.root, "")
	arms := c.readArms(sketch)
	if sketch.err != nil {
		return nil, sketch.err
	}
	var cells []Cell
	for _, a := range arms {
		more, err := c.armCells(a, len(cells))
		if err != nil {
			return nil, err
		}
		cells = append(cells, more...)
	}
	for i := range cells {
		cells[i].place = i
	}
	seen := map[string]int{}
	for i, cell := range cells {
		id := cell.ID()
		if j, again := seen[id]; again {
			return nil, &CardError{File: c.File, Err: fmt.Errorf("two equal cells: (%s) and (%s)", cells[j].Name(), cell.Name())}
		}
		seen[id] = i
	}
	return cells, nil
}

// armCells lists the cells of one arm; before is the number of cells in front of them.
func (c *Card) armCells(a arm, before int) (cells []Cell, err error) {
	points, err := c.points(a, before)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for i := range points {
		cell, err := c.point(a, i, used)
		if err != nil {
			return nil, err
		}
		for _, s := range c.Seeds {
			cell.Seed = s
			cells = append(cells, cell)
		}
	}
	for _, x := range a.axes {
		if !used[x.name] {
			return nil, &CardError{c.File, x.values[0].line, "axes." + x.name,
				fmt.Errorf("arm %s never uses the axis; write \"$%s\" where its value belongs, or give the axis only to the arms that use it", a.name, x.name)}
		}
	}
	return cells, nil
}

// points is the number of points of an arm's grid; before is the number of cells in front of it.
func (c *Card) points(a arm, before int) (int, error) {
	points := 1
	for _, x := range a.axes {
		if points *= len(x.values); points > maxCells { // both at most maxCells: no overflow
			break
		}
	}
	if points > maxCells || before+points*len(c.Seeds) > maxCells {
		return 0, &CardError{File: c.File, Err: fmt.Errorf("arm %s: the card has more than %d cells", a.name, maxCells)}
	}
	return points, nil
}

// point is the cell of the arm at point i of its grid, without a seed. It notes which axes were used.
func (c *Card) point(a arm, i int, used map[string]bool) (Cell, error) {
	vars := map[string]*node{}
	axes := make(Axes, len(a.axes))
	for k, x := range slices.Backward(a.axes) {
		v := x.values[i%len(x.values)]
		i /= len(x.values)
		vars[x.name], axes[k] = v, Axis{x.name, v.text}
	}
	p := &place{file: c.File, data: c.Data, vars: vars, used: used, note: whereabouts(a.name, axes)}
	r := p.reader(a.settings, "")
	cell := readSettings(r)
	cell.Arm, cell.Axes = a.name, axes
	if p.err == nil {
		cell.check(r)
	}
	return cell, p.err
}

// check holds the parts of the cell against each other, and fills in what follows from them.
func (c *Cell) check(r *reader) {
	set := c.set
	if set.Vocab > 0 && c.Batch > model.MaxSize/set.In {
		r.fail("batch", fmt.Errorf("batch is %d; of rows of %d tokens it is at most %d", c.Batch, set.In, model.MaxSize/set.In))
		return
	}
	if err := c.Model.Check(set.Out()); err != nil {
		r.fail("model", err)
		return
	}
	if set.Together > 1 && c.Batch%set.Together != 0 {
		r.fail("batch", fmt.Errorf("batch is %d; of data %s %d rows stay together, and a batch is whole groups of them", c.Batch, c.Data, set.Together))
		return
	}
	if set.In == 0 && c.Batch != set.N {
		r.fail("batch", fmt.Errorf("batch is %d; data %s have no inputs to choose from, so it is %d", c.Batch, c.Data, set.N))
		return
	}
	if err := c.Rule.Check(); err != nil {
		r.fail("rule", err)
		return
	}
	if c.Rule.Project.Onto != "" && subspace.Named(c.Map.Type).Ragged() {
		r.table("rule").table("project").fail("", fmt.Errorf("steps in the subspace of map %s are not projected; it takes parameters or identity", c.Map.Type))
		return
	}
	switch D := c.Model.D(); {
	case c.Rule.Project.K > D:
		r.table("rule").table("project").fail("k", fmt.Errorf("k = %d is above D = %d, the number of parameters of the model", c.Rule.Project.K, D))
	case c.Map.D == 0:
		c.Map.D = D
	case c.Map.D > D:
		r.table("map").fail("d", fmt.Errorf("d = %d is above D = %d, the number of parameters of the model", c.Map.D, D))
	}
}
