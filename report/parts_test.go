package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis"
	"lockstep/sweep"
)

// grid makes points of an arm without running anything: axes are "name=v1,v2,...", the first slowest; the dimension is the
// value of the axis d, or 500. Its losses are 1, 0.1 and 0.01, at steps 0 to 2.
func grid(arm string, axes ...string) (results []sweep.Result) {
	results = []sweep.Result{{Arm: arm, D: 500}}
	for _, a := range axes {
		name, values, _ := strings.Cut(a, "=")
		var next []sweep.Result
		for _, r := range results {
			for _, v := range strings.Split(values, ",") {
				r := r
				r.Axes = append(slices.Clone(r.Axes), sweep.Axis{Name: name, Value: v})
				if name == "d" {
					fmt.Sscan(v, &r.D)
				}
				next = append(next, r)
			}
		}
		results = next
	}
	loss := 0.01
	for i := range results {
		r := &results[i]
		r.ID = r.Name()
		r.Declared = sweep.Declared{Steps: 3, Losses: []sweep.Hex{1, 0.1, 0.01}}
		r.Derived.TrainLoss, r.Derived.Performance = &loss, 0.5
	}
	return results
}

func TestMainAxis(t *testing.T) {
	for want, results := range map[string][]sweep.Result{
		"d":     grid("a", "width=1,2,3,4", "d=7,8"), // half as many
		"width": grid("a", "width=1,2,3,4,5", "d=7,8"),
		"lr":    grid("a", "act=relu,tanh,gelu", "lr=0.1,1e-2"),
		"act":   grid("a", "act=relu,tanh,gelu", "lr=0.1"),
		"dim":   grid("a", "dim=500", "width=1"),
	} {
		a := mainAxis(pointsOf(results), true)
		if want == "dim" {
			if a != nil {
				t.Errorf("axes of one value: got %s", a.name)
			}
			continue
		}
		if a == nil || a.name != want {
			t.Errorf("got %+v; want %s", a, want)
		}
		if a := mainAxis(pointsOf(results), false); (a == nil) != (want == "act") {
			t.Errorf("%s, numbers only: got %+v", want, a)
		}
	}
	sorted := axesOf(pointsOf(grid("a", "lr=10,1e-3,2")))[0].sorted()
	if !slices.Equal(sorted, []string{"1e-3", "2", "10"}) {
		t.Errorf("sorted: %v", sorted)
	}
}

// TestFamilies: what is drawn together, in words: title, key, and for each panel its title and the shades of its curves.
func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		about, want string
		results     []sweep.Result
	}{
		{"the baseline is drawn over the subspaces", "Arm s, by d [2 9 30 | b]: width 3 (-1 0 1 2); width 5 (-1 0 1 2)",
			slices.Concat(grid("s", "width=3,5", "d=2,9,30"), grid("b", "width=3,5"))},
		{"also if it comes first", "Arm s, by d [2 9 | b]: (-1 0 1)", slices.Concat(grid("b"), grid("s", "d=2,9"))},
		{"but not where there is no panel for it", "Arm s, by d [2 9]: (0 1) / Arm b, by width [3 5]: (0 1)", slices.Concat(grid("s", "width=3", "d=2,9"), grid("b", "width=3,5"))},
		{"arms of equal values share a key", "Arms a, b, by lr [1 2 3 4 5]: a (0 1 2 3 4); b, d 3 (0 1 2 3 4); b, d 4 (0 1 2 3 4)",
			slices.Concat(grid("a", "lr=1,2,3,4,5", "mu=3"), grid("b", "lr=1,2,3,4,5", "d=3,4"))},
		{"others have their own", "Arm a, by lr [1 2]: (0 1) / Arm b, by lr [1 3]: (0 1)", slices.Concat(grid("a", "lr=1,2"), grid("b", "lr=1,3"))},
		{"arms without an axis are compared in one panel", "By arm [x y z]: (0 1 2)", slices.Concat(grid("x"), grid("y"), grid("z", "lr=1"))},
		{"a card of one arm", "By act [relu tanh]: (0 1)", grid("main", "act=relu,tanh")},
		{"values in their order", "By d [5 10]: (0 1)", grid("main", "d=10,5")},
	} {
		var families []string
		for _, f := range familiesOf(pointsOf(c.results)) {
			key := strings.Join(f.values, " ")
			if f.over != "" {
				key += " | " + f.over
			}
			var panels []string
			for _, p := range f.Panels {
				var shades []int
				for _, c := range p.curves {
					shades = append(shades, c.shade)
				}
				slices.Sort(shades)
				panels = append(panels, strings.TrimSpace(p.Title+" "+strings.NewReplacer("[", "(", "]", ")").Replace(fmt.Sprint(shades))))
			}
			families = append(families, fmt.Sprintf("%s [%s]: %s", f.Title, key, strings.Join(panels, "; ")))
		}
		if got := strings.Join(families, " / "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.about, got, c.want)
		}
	}
}

// A mean curve is over the seeds that went all the way, at the steps of their losses.
func TestLosses(t *testing.T) {
	p := &point{}
	for seed := range 3 {
		r := sweep.Result{Seed: uint64(seed), Steps: 127}
		for range 64 {
			r.Declared.Losses = append(r.Declared.Losses, sweep.Hex(seed+1))
		}
		p.results = append(p.results, r)
	}
	p.results[2].Declared.Diverged, p.results[2].Declared.Losses = true, p.results[2].Declared.Losses[:2]
	x, y := p.losses()
	if len(x) != 64 || x[1] != 2 || x[63] != 126 || y[0] != 1.5 || y[63] != 1.5 {
		t.Errorf("x %v, y %v; want 64 at every second step, and 1.5", x, y)
	}
	p.results = p.results[2:]
	if x, y = p.losses(); len(x) != 2 || y[1] != 3 {
		t.Errorf("all diverged: x %v, y %v", x, y)
	}
}

func TestBounds(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		ys     [][]float64
		lo, hi float64
	}{
		{[][]float64{{2, 0.02}, {1, 0.5}}, 0.02, 2},
		{[][]float64{{2, 1e30}, {1, 0.5}}, 0.5, 200}, // a hundredfold of the first
		{[][]float64{{2, 1e-30, 0, nan, math.Inf(1)}}, 2e-12, 2},
		{[][]float64{{}, {0}}, 0.125, 0.8},
	} {
		lo, hi := bounds(c.ys)
		if math.Abs(math.Log(lo*1.25/c.lo)) > 1e-9 || math.Abs(math.Log(hi/1.25/c.hi)) > 1e-9 {
			t.Errorf("%v: %g to %g; want %g and %g, and a margin of a quarter", c.ys, lo, hi, c.lo, c.hi)
		}
	}
}

// The general picture: levels of arms without the axis, and what is left out.
func TestGeneral(t *testing.T) {
	results := slices.Concat(grid("s", "width=3,5", "d=2,9,30"), grid("b", "width=3,5"), grid("other", "lr=1"))
	points := pointsOf(results)
	fig, err := performance(Input{Results: results}, nil, points)
	if err != nil {
		t.Fatal(err)
	}
	if len(fig.Key) != 2 || fig.Key[0].Label != "width 3" || fig.Title != "Performance against d" || !strings.Contains(fig.Caption, "Dashed: the mean where the cells have no d") ||
		len(fig.Notes) != 1 || !strings.HasSuffix(fig.Notes[0], "arm other.") {
		t.Errorf("%+v", fig)
	}
	if n := strings.Count(string(fig.SVG), "stroke-dasharray"); n != 2 {
		t.Errorf("%d dashed lines; want a level for each width", n)
	}
	for _, axis := range []string{"act=relu,tanh", "lr=1e-300,1e300", "lr=inf,1", "lr=nan,1"} {
		if fig, err := performance(Input{}, nil, pointsOf(grid("a", axis))); fig != nil || err != nil {
			t.Errorf("%s: %v, %v; want no picture", axis, fig, err)
		}
	}
	for _, axis := range []string{"lr=1e-3,1", "lr=-1,0,1", "lr=1,2", "lr=1e-99,1e99", "lr=-1e99,1e99", "lr=5,5.0"} {
		if _, err := performance(Input{}, nil, pointsOf(grid("a", axis))); err != nil {
			t.Errorf("%s: %v", axis, err)
		}
	}
}

func TestBoxes(t *testing.T) {
	in := Input{Card: &sweep.Card{Expect: []sweep.Expect{
		{What: "performance", Where: []sweep.Interval{{Axis: "d", Lo: 1, Hi: 9}}, Hi: 0.5},
		{What: "performance", Where: []sweep.Interval{{Axis: "d", Lo: 1, Hi: 9}, {Axis: "lr", Lo: 0, Hi: 1}}, Hi: 0.5},
		{What: "performance", Where: []sweep.Interval{{Axis: "lr", Lo: 0, Hi: 1}}, Hi: 0.5},
		{What: "performance", Lo: 0.2, Hi: 0.3},
		{What: "d_int90"},
	}}}
	got := boxes(in, &axis{name: "d"}, analysis.Range{Min: 0, Max: 100})
	want := []analysis.Box{{X: [2]float64{0, 10}, Y: [2]float64{0, 0.5}}, {X: [2]float64{0, 100}, Y: [2]float64{0.2, 0.3}}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
}

// What is expected is said in words, whatever it is of, and whatever sides its limits have.
func TestExpected(t *testing.T) {
	for want, e := range map[string]sweep.Expect{
		"The card expects the mean performance of arm a in 0.5 to 1.":             {What: "performance", Arm: "a", Lo: 0.5, Hi: 1},
		"The card expects d_int90 of arm a, against arm b, of at least 7.":        {What: "d_int90", Arm: "a", Baseline: "b", Lo: 7, Hi: math.Inf(1)},
		"The card expects loss_fall of arm on the top eigenspace of at most 0.5.": {What: "loss_fall", Arm: "on the top eigenspace", Lo: math.Inf(-1), Hi: 0.5},
	} {
		if got := expected(e); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
}

func TestLost(t *testing.T) {
	loss := 1.0
	p := &point{results: []sweep.Result{
		{Seed: 0, Declared: sweep.Declared{Diverged: true, Steps: 7}}, {Seed: 1, Declared: sweep.Declared{Steps: 9}},
		{Seed: 2, Declared: sweep.Declared{Diverged: true, Steps: 3}}, {Seed: 3, Declared: sweep.Declared{Diverged: true, Steps: 7}},
		{Seed: 4, Derived: sweep.Derived{TrainLoss: &loss}},
	}}
	if got, want := p.lost(), "seed 2 at step 3; seeds 0, 3 at step 7; seed 1 after the last step"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"steps=600": "steps=600", "a=[1, 2]": "'a=[1, 2]'", "it's": `'it'\''s'`, "": "''", "x;rm -rf": "'x;rm -rf'", "a=$(b)": "'a=$(b)'"} {
		if got := quoted(in); got != want {
			t.Errorf("%q is quoted as %s; want %s", in, got, want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		n, limit int
		want     []int
	}{{3, 8, []int{0, 1, 2}}, {10, 4, []int{0, 3, 6, 9}}, {1, 4, []int{0}}, {0, 4, []int{}}} {
		if got := spread(c.n, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d: %v; want %v", c.limit, c.n, got, c.want)
		}
	}
}
