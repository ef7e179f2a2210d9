package sweep

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testCard has two arms, an axis of the card and one of an arm, and an expectation.
const testCard = `name = "test"
about = "a card"
seeds = [3, 1]
steps = 10
batch = 8
[data]
name = "digits"
[model]
init = "he"
layers = [
  {type = "linear", out = "$width"},
  {type = "relu"},
  {type = "linear", out = 10},
]
[rule]
type = "adam"
lr = 0.1
[map]
type = "ternary"
d = "$d"
[axes]
width = [2, 3]
[[arms]]
name = "subspace"
axes = {d = [4, 5]}
[[arms]]
name = "baseline"
map = {type = "identity"}
rule = {lr = 0.003}
[expect]
what = "d_int90"
by = ["width"]
baseline = "baseline"
range = [1, 5]
`

func TestCells(t *testing.T) {
	var got []string
	for _, c := range cellsOf(t, testCard) {
		got = append(got, fmt.Sprintf("%s: %s d=%d D=%d lr=%s %d steps of %d", c.Name(), c.Map.Type, c.Dim(), c.Model.D(), c.Rule.LR, c.Steps, c.Batch))
	}
	want := `arm subspace, width = 2, d = 4, seed 3: ternary d=4 D=160 lr=0.1 10 steps of 8
arm subspace, width = 2, d = 4, seed 1: ternary d=4 D=160 lr=0.1 10 steps of 8
arm subspace, width = 2, d = 5, seed 3: ternary d=5 D=160 lr=0.1 10 steps of 8
arm subspace, width = 2, d = 5, seed 1: ternary d=5 D=160 lr=0.1 10 steps of 8
arm subspace, width = 3, d = 4, seed 3: ternary d=4 D=235 lr=0.1 10 steps of 8
arm subspace, width = 3, d = 4, seed 1: ternary d=4 D=235 lr=0.1 10 steps of 8
arm subspace, width = 3, d = 5, seed 3: ternary d=5 D=235 lr=0.1 10 steps of 8
arm subspace, width = 3, d = 5, seed 1: ternary d=5 D=235 lr=0.1 10 steps of 8
arm baseline, width = 2, seed 3: identity d=160 D=160 lr=0.003 10 steps of 8
arm baseline, width = 2, seed 1: identity d=160 D=160 lr=0.003 10 steps of 8
arm baseline, width = 3, seed 3: identity d=235 D=235 lr=0.003 10 steps of 8
arm baseline, width = 3, seed 1: identity d=235 D=235 lr=0.003 10 steps of 8`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("cells are\n%s\nwant\n%s", s, want)
	}
}

// TestMerge: an arm's table is put in key by key, but one of another type replaces the card's whole.
func TestMerge(t *testing.T) {
	card := strings.Replace(toyCard, "[9007199254740992, 9007199254740993]", "[0]", 1) + `
[[arms]]
name = "card"
[[arms]]
name = "key"
rule = {mu = 0.5, schedule = {gamma = 0.5}}
[[arms]]
name = "type"
rule = {type = "adam", lr = 1}
`
	cells := cellsOf(t, card)
	for i, want := range []string{
		"{momentum 0.5 0.9 0 0 0 0 {step 100 0.1} 0 { 0}}", "{momentum 0.5 0.5 0 0 0 0 {step 100 0.5} 0 { 0}}", "{adam 1 0 0.9 0.999 1e-8 0 {constant 0 0} 0 { 0}}",
	} {
		if got := fmt.Sprint(cells[i].Rule); got != want {
			t.Errorf("arm %s has rule %s; want %s", cells[i].Arm, got, want)
		}
	}
}

// TestRefused: one edit of a right card each, and what the error must say. It names the file and, unless the value is
// missing, the line.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		// TOML
		{"steps = 10", "steps = ", "test.toml:4"},
		{"steps = 10", "steps = 10\nsteps = 11", "test.toml:5"},
		{"steps = 10", "steps = 1979-05-27", "test.toml:4: 1979-05-27 is a date or a time"},
		// unknown keys, wherever they stand
		{"batch = 8", "btach = 8", `test.toml:5: btach: unknown key "btach"; nearest is "batch"`},
		{"lr = 0.1", "lrr = 0.1", `test.toml:17: rule.lrr: unknown key "lrr"; nearest is "lr"`},
		{"lr = 0.1", "lr = 0.1\nmu = 0.9", `test.toml:18: rule.mu: unknown key "mu"; want one of type, lr, b1, b2, eps, clip, schedule`},
		{"lr = 0.1", "lr = 0.1\nschedule = {type = 'cosine', evry = 3}", `rule.schedule.evry: unknown key "evry"; want type`},
		{"lr = 0.1", "lr = 0.1\nschedule = {evry = 3}", `rule.schedule.evry: unknown key "evry"; nearest is "every"`},
		{`name = "digits"`, `nam = "digits"`, `test.toml:7: data.nam: unknown key "nam"; nearest is "name"`},
		{`init = "he"`, `inti = "he"`, `test.toml:9: model.inti: unknown key "inti"; nearest is "init"`},
		{`{type = "relu"}`, `{type = "relu", out = 3}`, `test.toml:12: model.layers[1].out: unknown key "out"`},
		{"out = 10", "outs = 10", `test.toml:13: model.layers[2].outs: unknown key "outs"; nearest is "out"`},
		{`d = "$d"`, "dim = \"$d\"", `test.toml:20: map.dim: unknown key "dim"; want one of type, d`},
		{"width = [2, 3]", "width = {rnage = [2, 3, 1]}", `test.toml:22: axes.width.rnage: unknown key "rnage"; nearest is "range"`},
		{`name = "baseline"`, "nmae = 'baseline'", `test.toml:27: arms[1].nmae: unknown key "nmae"; nearest is "name"`},
		{`{type = "identity"}`, "{type = 'identity', d = 3}", `test.toml:28: arms[1].map.d: unknown key "d"`},
		{"rule = {lr = 0.003}", "rule = {rl = 0.003}", `test.toml:29: arms[1].rule.rl: unknown key "rl"; nearest is "lr"`},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003}\nseed = 1", `test.toml:30: arms[1].seed: unknown key "seed"`},
		{`what = "d_int90"`, "waht = 'd_int90'", `unknown expectation ""; want one of d_int90, performance`},
		{"range = [1, 5]", "rnage = [1, 5]", `test.toml:34: expect.rnage: unknown key "rnage"; nearest is "range"`},
		{"range = [1, 5]", "range = [1, 5]\nranges = 3", `test.toml:35: expect.ranges: unknown key "ranges"; nearest is "range"`},
		{"seeds = [3, 1]", "seeds = {rang = [0, 3]}", `test.toml:3: seeds.rang: unknown key "rang"; nearest is "range"`},
		// unknown names
		{"digits", "digit", `test.toml:7: data.name: unknown data set "digit"; nearest is "digits"`},
		{`"relu"`, `"rleu"`, `test.toml:12: model.layers[1].type: unknown layer type "rleu"; nearest is "relu"`},
		{`"he"`, `"hee"`, `unknown init "hee"; nearest is "he"`},
		{`"adam"`, `"admw"`, `test.toml:16: rule.type: unknown rule type "admw"; nearest is "adamw"`},
		{`"ternary"`, `"trenary"`, `test.toml:19: map.type: unknown map type "trenary"; nearest is "ternary"`},
		{`"identity"`, `"idenity"`, `test.toml:28: arms[1].map.type: unknown map type "idenity"; nearest is "identity"`},
		{"lr = 0.1", "lr = 0.1\nschedule = {type = 'cosin'}", `rule.schedule.type: unknown schedule type "cosin"; nearest is "cosine"`},
		{`"$width"`, `"$widht"`, `test.toml:11: model.layers[0].out: unknown axis "widht"; nearest is "width" (one of d, width)`},
		{`by = ["width"]`, `by = ["widht"]`, `test.toml:32: expect.by: unknown axis of arm subspace "widht"; nearest is "width"`},
		{`baseline = "baseline"`, `baseline = "base"`, `expect.baseline: unknown arm "base"; nearest is "baseline"`},
		// missing
		{"steps = 10\n", "", "steps is missing"},
		{"lr = 0.1\n", "", "rule: lr is missing; it is a number (arm subspace, width = 2, d = 4)"},
		{"seeds = [3, 1]\n", "", "seeds are missing"},
		{"type = \"adam\"\n", "", "rule: type is missing; it is one of sgd, momentum, adam, adamw"},
		{"name = \"digits\"\n", "", "data: name is missing; it is one of digits, toy"},
		{"name = \"test\"\n", "", "a name is missing"},
		{"d = \"$d\"\n", "", "map: d is missing"},
		{`name = "baseline"`, "", "arms[1]: an arm without a name"},
		// numbers
		{"steps = 10", "steps = 0", "test.toml:4: steps: it is 0; it must be a whole number, 1 to 2147483647"},
		{"steps = 10", "steps = -3", "steps: it is -3"},
		{"steps = 10", "steps = 1.5", "steps: it is 1.5"},
		{"steps = 10", "steps = 2147483648", "steps: it is 2147483648"},
		{"steps = 10", "steps = 1e300", "steps: it is 1e300"},
		{"steps = 10", "steps = 99999999999999999999", "test.toml:4"},
		{"steps = 10", "steps = nan", "steps: it is nan; it must be finite"},
		{"steps = 10", "steps = 0x10", "steps: it is 0x10; write it as a decimal number"},
		{"batch = 8", "batch = 0", "test.toml:5: batch: it is 0"},
		{"batch = 8", "batch = true", "batch: it is true; it must be a number"},
		{"batch = 8", "batch = '8'", `batch: it is "8"; it must be a number`},
		{"out = 10", "out = 0", "test.toml:13: model.layers[2].out: it is 0"},
		{"out = 10", "out = 9", "the last layer gives 9 columns; the data want 10 (arm subspace, width = 2, d = 4)"},
		{"width = [2, 3]", "width = [2, 0]", "model.layers[0].out: it is 0; it must be a whole number, 1 to 2147483647 (arm subspace, width = 0, d = 4)"},
		{"width = [2, 3]", "width = [2, 2147483647]", "more than 2147483647 parameters (arm subspace, width = 2147483647, d = 4)"},
		{"d = [4, 5]", "d = [4, 161]", "map.d: d = 161 is above D = 160, the number of parameters of the model (arm subspace, width = 2, d = 161)"},
		{"d = [4, 5]", "d = [4, 0]", "map.d: it is 0; it must be a whole number, 1 to 2147483647 (arm subspace, width = 2, d = 0)"},
		{"d = [4, 5]", "d = [4, -5]", "map.d: it is -5"},
		{"d = [4, 5]", "d = [4, 5.5]", "map.d: it is 5.5"},
		{"lr = 0.1", "lr = inf", "test.toml:17: rule.lr: it is inf; it must be finite"},
		{"lr = 0.1", "lr = 0", "rule: lr is 0, in float32 0; it must be above 0"},
		{"lr = 0.1", "lr = 1e39", "rule: lr is 1e39, in float32 +Inf"},
		{"lr = 0.1", "lr = 0.1\nb1 = 1", "rule: b1 is 1, in float32 1; it must be in [0, 1)"},
		{"lr = 0.1", "lr = 0.1\nschedule = {type = 'step', every = 0, gamma = 0.1}", "rule.schedule.every: it is 0"},
		// seeds
		{"[3, 1]", "[]", "test.toml:3: seeds: 0 seeds"},
		{"[3, 1]", "[3, 3]", "seeds: seed 3 stands in it twice"},
		{"[3, 1]", "[-1]", "seeds: it is -1; a seed is a whole number, 0 to 2^63 - 1"},
		{"[3, 1]", "[0.5]", "seeds: it is 0.5"},
		{"[3, 1]", "3", "seeds: it is 3; seeds are a list"},
		{"[3, 1]", "['a']", `seeds: it is "a"`},
		{"[3, 1]", "{range = [3, 1]}", "seeds: range [3, 1]; the last is not below"},
		{"[3, 1]", "{range = [0, 9223372036854775807]}", "at most 99999 follow"},
		{"[3, 1]", "{range = [1]}", "{range = [first, last]}"},
		// axes
		{"[2, 3]", "[]", "test.toml:22: axes.width: an axis without values"},
		{"[2, 3]", "{}", "axes.width: an empty table"},
		{"[2, 3]", "[2, 3, 2.0]", "axes.width: 2.0 stands in it twice"},
		{"[2, 3]", "3", "axes.width: it is 3; an axis is a list"},
		{"[2, 3]", "[[2], 3]", "axes.width: a list in an axis"},
		{"[2, 3]", "['$d']", `axes.width: it is "$d"; an axis cannot stand on another`},
		{"[2, 3]", "[2, nan]", "axes.width: it is nan; it must be finite"},
		{"[2, 3]", "[2, 3]\nunused = [1, 2]", `test.toml:23: axes.unused: arm subspace never uses the axis; write "$unused"`},
		{"axes = {d = [4, 5]}", "axes = {d = [4, 5], e = [1]}", "axes.e: arm subspace never uses the axis"},
		{"axes = {d = [4, 5]}", "axes = {d = [4, 5], width = [1]}", "arms[0].axes: width is an axis of the card"},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003}\nmodel = {layers = [{type = 'linear', out = 10}]}", "arm baseline never uses the axis"},
		{"d = [4, 5]", "d = {range = [1, 1e12, 1]}", "more than 100000 values"},
		{"d = [4, 5]", "d = {grid = [1, 99999, 99999]}, e = {grid = [1, 99999, 99999]}", "arm subspace: the card has more than 1000000 cells"},
		// projections
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {onto = 'rest', k = 2}}", `rule: unknown project.onto "rest"`},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {k = 2}}", "rule: project.onto is missing; it is top or bulk"},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {}}", "rule.project: k is missing"},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {onto = 'top'}}", "rule.project: k is missing"},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {onto = 'top', k = 161}}", "rule.project.k: k = 161 is above D = 160"},
		{"rule = {lr = 0.003}", "rule = {lr = 0.003, project = {onto = 'top', kk = 2}}", `unknown key "kk"; nearest is "k"`},
		{"axes = {d = [4, 5]}", "axes = {d = [4, 5]}\nrule = {project = {onto = 'top', k = 2}}", "rule.project: steps in the subspace of map ternary are not projected"},
		// arms
		{`name = "baseline"`, `name = "subspace"`, `arms[1].name: a second arm is called "subspace"`},
		{"{type = \"identity\"}\nrule = {lr = 0.003}", "{d = 5}", "two equal cells: (arm subspace, width = 2, d = 5, seed 3) and (arm baseline, width = 2, seed 3)"},
		// expectations
		{`baseline = "baseline"`, `baseline = "subspace"` + "\nwhere = {d = 3}", "expect.where.d: unknown axis of arm baseline"},
		{"range = [1, 5]", "range = [5, 1]", "test.toml:34: expect.range: [5, 1] is empty"},
		{"range = [1, 5]", "range = [1, 'a']", `expect.range: it is "a"`},
		{"range = [1, 5]", "range = [1, inf]", "expect.range: it is inf"},
		{"range = [1, 5]", "range = 5", "expect.range: it is 5; it must be a list"},
		{"range = [1, 5]", "", "expect: without limits; give range = [lo, hi], both included, or at-least = lo, or at-most = hi"},
		{"range = [1, 5]", "at-least = 1\nat-most = 5", "expect: more than one of range, at-least and at-most"},
		{"range = [1, 5]", "range = [1, 5]\nat-most = 5", "expect: more than one of range, at-least and at-most"},
		{"range = [1, 5]", "at-least = inf", "expect.at-least: it is inf"},
		{"range = [1, 5]", "at-most = [1, 5]", "expect.at-most: it is a list"},
		{"range = [1, 5]", "at-leats = 1", `expect.at-leats: unknown key "at-leats"; nearest is "at-least"`},
		{"range = [1, 5]", "range = [1, 5]\nwhere = {d = [1]}", "expect.where.d: it takes [lo, hi]"},
		{`what = "d_int90"`, "what = 'r90'", "expect.matrices: it is missing; it is a list of wq, wk, wv, wo"},
		{`what = "d_int90"`, "what = 'r90'\nmatrices = ['wqq']", `expect.matrices: unknown matrix "wqq"; nearest is "wq"`},
		{`what = "d_int90"`, "what = 'r90'\nmatrices = ['walk']", `expect.matrices: unknown matrix "walk"`},
		{`what = "d_int90"`, "what = 'r90'\nmatrices = ['wq']\nless = ['wlak']", `expect.less: unknown matrix "wlak"; nearest is "walk"`},
		{`what = "d_int90"`, "what = 'r90'\nmatrices = ['wq']\nless = ['wq', 'walk']", `expect.less: "walk" stands alone`},
		{`"d_int90"`, `"dint90"`, `unknown expectation "dint90"; nearest is "d_int90"`},
	} {
		text := strings.Replace(testCard, c.old, c.new, 1)
		if text == testCard {
			t.Fatalf("the card has no %q", c.old)
		}
		card, err := ParseCard("test.toml", []byte(text))
		if err == nil {
			_, err = card.Cells()
		}
		var e *CardError
		if !errors.As(err, &e) {
			t.Errorf("%q for %q: got %v; want a CardError with %s", c.new, c.old, err, c.want)
		} else if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "test.toml") {
			t.Errorf("%q for %q: got\n%v; want\n%s", c.new, c.old, err, c.want)
		}
	}
}

func TestSet(t *testing.T) {
	for _, s := range []struct {
		setting string
		show    func(c *Card, cells []Cell) any
		want    string
	}{
		{"rule.lr=0.05", func(c *Card, cells []Cell) any { return cells[0].Rule.LR }, "0.05"},
		{"steps = 20", func(c *Card, cells []Cell) any { return cells[0].Steps }, "20"},
		{"axes.width=[7]", func(c *Card, cells []Cell) any { return len(cells) }, "6"},
		{"arms.subspace.axes.d={range=[1,9,2]}", func(c *Card, cells []Cell) any { return len(cells) }, "24"},
		{"arms.baseline.rule.lr=0.5", func(c *Card, cells []Cell) any { return cells[len(cells)-1].Rule.LR }, "0.5"},
		{"rule.schedule.type=cosine", func(c *Card, cells []Cell) any { return cells[0].Rule.Schedule.Type }, "cosine"},
		{"model.init='zeros'", func(c *Card, cells []Cell) any { return cells[0].Model.Init }, "zeros"},
		{"seeds=[5]", func(c *Card, cells []Cell) any { return c.Seeds }, "[5]"},
		{"map.type=gaussian", func(c *Card, cells []Cell) any { return cells[0].Map.Type }, "gaussian"},
	} {
		c, err := ParseCard("test.toml", []byte(testCard))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Set(s.setting); err != nil {
			t.Errorf("%s: %v", s.setting, err)
			continue
		}
		cells, err := c.Cells()
		if err != nil {
			t.Errorf("%s: %v", s.setting, err)
			continue
		}
		if got := fmt.Sprint(s.show(c, cells)); got != s.want {
			t.Errorf("%s: got %s; want %s", s.setting, got, s.want)
		}
	}
	c, _ := ParseCard("test.toml", []byte(testCard))
	for setting, want := range map[string]string{
		"rule.lrr=0.05": `rule.lrr: unknown key "lrr"; nearest is "lr"`, "rule.lr": "want KEY=VALUE", "=3": "want KEY=VALUE", "steps=": "want KEY=VALUE",
		"steps=[1": "is no TOML value", "steps=1\nbatch=2": "is no TOML value", "arms.base.rule.lr=1": `arms.base: unknown name "base"; nearest is "baseline"`,
		"steps.x=1": "steps: it is 10, not a table", "model.layers.0.out=3": "the entries of this list have no names", "steps=0": "steps: it is 0",
		"rule=sgd": `rule: it is "sgd"; it must be a table`,
	} {
		if err := c.Set(setting); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v; want an error with %s", setting, err, want)
		}
	}
	if cells, err := c.Cells(); err != nil || len(cells) != 12 || cells[0].Steps != 10 {
		t.Errorf("refused settings changed the card: %d cells, %v", len(cells), err)
	}
}

func TestExpect(t *testing.T) {
	if _, err := ParseCard("test.toml", []byte(testCard+`
[[expect]]
what = "performance"
arm = "subspace"
where = {d = [4, 5.5]}
range = [0.25, 1]
`)); err == nil {
		t.Fatal("[expect] and [[expect]] in one card were accepted")
	}
	text := strings.Replace(testCard, "[expect]", "[[expect]]", 1) + `
[[expect]]
what = "performance"
arm = "subspace"
where = {d = [4, 5.5]}
range = [0.25, 1]
`
	c, err := ParseCard("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := "[{d_int90 subspace baseline [width] [] 1 5 [] [] 0} {performance subspace  [] [{d 4 5.5}] 0.25 1 [] [] 0}]"
	if got := fmt.Sprint(c.Expect); got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

// One-sided limits have no end on the other side, hold their own end, and are told in words.
func TestLimits(t *testing.T) {
	for limits, want := range map[string]struct {
		lo, hi float64
		span   string
		holds  []float64
		not    []float64
	}{
		"range = [1, 5]": {1, 5, "1 to 5", []float64{1, 2, 5}, []float64{0.9, 5.1}},
		"at-least = 1.5": {1.5, math.Inf(1), "at least 1.5", []float64{1.5, 1001, 1e300}, []float64{1.4, -2000}},
		"at-most = -1":   {math.Inf(-1), -1, "at most -1", []float64{-1, -1001, -1e300}, []float64{-0.9, 2000}},
		"at-most = 0":    {math.Inf(-1), 0, "at most 0", []float64{0, -1}, []float64{1e-9}},
	} {
		c, err := ParseCard("test.toml", []byte(strings.Replace(testCard, "range = [1, 5]", limits, 1)))
		if err != nil {
			t.Errorf("%s: %v", limits, err)
			continue
		}
		e := c.Expect[0]
		if e.Lo != want.lo || e.Hi != want.hi || e.Span() != want.span {
			t.Errorf("%s is %v to %v, told as %s", limits, e.Lo, e.Hi, e.Span())
		}
		for _, x := range want.holds {
			if !e.Holds(x) {
				t.Errorf("%s does not hold %v", limits, x)
			}
		}
		for _, x := range append(want.not, math.NaN()) {
			if e.Holds(x) {
				t.Errorf("%s holds %v", limits, x)
			}
		}
	}
}

func TestStudies(t *testing.T) {
	for name, want := range map[string]int{"intrinsic-digits": 90, "intrinsic-toy": 55} {
		c, err := LoadCard("../studies/" + name + ".toml")
		if err != nil {
			t.Error(err)
			continue
		}
		cells, err := c.Cells()
		if err != nil || len(cells) != want || c.Name != name || c.About == "" || len(c.Expect) == 0 {
			t.Errorf("%s: %d cells, name %q, %v; want %d", name, len(cells), c.Name, err, want)
		}
	}
}

func TestLoadCard(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadCard(dir); err == nil || !strings.Contains(err.Error(), "it is a directory") {
		t.Errorf("directory: got %v", err)
	}
	if _, err := LoadCard(os.DevNull); err == nil || !strings.Contains(err.Error(), "device") {
		t.Errorf("a device: got %v", err)
	}
	large := filepath.Join(dir, "large.toml")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, largestCard+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCard(large); err == nil || !strings.Contains(err.Error(), "a card has at most") {
		t.Errorf("a large file: got %v", err)
	}
	if _, err := LoadCard(filepath.Join(dir, "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
	path := filepath.Join(dir, "empty.toml")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCard(path); err == nil || !strings.Contains(err.Error(), "a name is missing") || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("empty file: got %v", err)
	}
}

// FuzzCard: no card panics, and cells of any card that is accepted have an identity.
func FuzzCard(f *testing.F) {
	f.Add(testCard)
	f.Add(toyCard)
	f.Add("name = 'x'\nseeds = {range = [0, 3]}\nexpect = 3\narms = [1]\naxes = {a = {log-range = [1, 1e400, 3]}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCard("fuzz.toml", []byte(text))
		if err != nil || len(c.Seeds) > 100 {
			return
		}
		cells, err := c.Cells()
		if err != nil {
			return
		}
		for _, cell := range cells {
			if D := cell.Model.D(); cell.Dim() < 1 || cell.Dim() > D || cell.Steps < 1 || cell.Batch < 1 {
				t.Fatalf("accepted %s with d = %d, D = %d, %d steps, batch %d", cell.Name(), cell.Dim(), D, cell.Steps, cell.Batch)
			}
		}
	})
}
