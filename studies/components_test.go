package studies

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis/trajectory"
	"lockstep/model"
	"lockstep/sweep"
)

// block is a block of contiguous parameters.
func block(name string, offset, size int) model.Block {
	return model.Block{Name: name, Offset: offset, Runs: 1, Len: size, Stride: size}
}

// TestShare: the share of a norm within directions of blocks, each where its block lies.
func TestShare(t *testing.T) {
	spans := []directionsIn{
		{block("a", 2, 3), [][]float64{{1, 0, 0}, {0, 0.6, 0.8}}},
		{block("b", 6, 2), [][]float64{{0, 1}}},
	}
	v := []float32{9, 9, 2, 3, 4, 9, 9, 5}
	// Inside: 2 along the first, 0.6 * 3 + 0.8 * 4 = 5 along the second, 5 in b.
	whole := 9*9*4 + 2*2 + 3*3 + 4*4 + 5*5
	if got, want := share(v, spans), math.Sqrt(float64(2*2+5*5+5*5)/float64(whole)); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v; want %v", got, want)
	}
	if got := share([]float32{0, 0, 0, 3, 4, 0, 0, 0}, spans[:1]); math.Abs(got-1) > 1e-7 {
		t.Errorf("of a vector along a direction %v; want 1", got)
	}
	if got := share(make([]float32, 8), spans); got != 0 {
		t.Errorf("of no vector %v; want 0", got)
	}
}

// TestRandomSpans: as many orthonormal directions in each block as components, others in each trial and for each seed, which hold what chance gives them.
func TestRandomSpans(t *testing.T) {
	of := []directionsIn{{block("a", 0, 40), nil}, {block("b", 50, 2), nil}}
	how := sweep.Path{Components: 3, Trials: 200}
	all := randomSpans(of, how, 7)
	if len(all) != how.Trials {
		t.Fatalf("%d trials", len(all))
	}
	v := make([]float32, 52)
	for i := range 40 {
		v[i] = float32(i%5) - 1.7
	}
	mean := 0.
	for _, trial := range all {
		if len(trial) != 2 || trial[1].Offset != 50 || len(trial[0].directions) != 3 || len(trial[1].directions) != 2 { // of two dimensions two are all
			t.Fatalf("%+v", trial)
		}
		for _, s := range trial {
			for i, a := range s.directions {
				for j, b := range s.directions {
					dot, want := 0., 0.
					for k := range a {
						dot += a[k] * b[k]
					}
					if i == j {
						want = 1
					}
					if math.Abs(dot-want) > 1e-12 {
						t.Fatalf("directions %d and %d: %v; want %v", i, j, dot, want)
					}
				}
			}
		}
		x := share(v, trial)
		mean += x * x / float64(how.Trials)
	}
	if want := 3. / 40; math.Abs(mean-want) > 0.15*want { // a standard error is some 5 %
		t.Errorf("of a vector in the first block they hold %v of the squared norm; want %v", mean, want)
	}
	again, other := randomSpans(of, how, 7), randomSpans(of, how, 8)
	first := func(s [][]directionsIn) []float64 { return s[0][0].directions[0] }
	if !slices.Equal(first(again), first(all)) || slices.Equal(first(other), first(all)) || slices.Equal(all[1][0].directions[0], first(all)) {
		t.Error("a seed gives two bases, two seeds one, or two trials one")
	}
}

// TestComponentsOf: each attention matrix's own path, by layers of attention.
func TestComponentsOf(t *testing.T) {
	s := model.Spec{In: 3, Vocab: 5, Layers: []model.Layer{
		model.Embedding{Vocab: 5, Out: 4}, model.Attention{Heads: 2}, model.MLP{Hidden: 3, Activation: model.ReLU}, model.Attention{Heads: 2}, model.Last, model.Linear{Out: 2}}}
	blocks := s.Blocks()
	at := slices.IndexFunc(blocks, func(b model.Block) bool { return b.Name == "3.wv" })
	if at < 0 {
		t.Fatalf("no 3.wv among %v", blocks)
	}
	thetas := make([][]float32, 6)
	for k := range thetas {
		thetas[k] = make([]float32, s.D())
		for _, b := range blocks { // every other matrix goes in two directions
			if _, matrix, _ := strings.Cut(b.Name, "."); slices.Contains(sweep.PathMatrices(), matrix) {
				thetas[k][b.Offset], thetas[k][b.Offset+1] = float32(k), 3*float32(k*k%4)
			}
		}
		v := thetas[k][blocks[at].Offset:]
		v[0], v[1], v[3] = 0, 0, 2*float32(k)
		if k == len(thetas)-1 {
			v[3] = 1e6 // its last step is far the longest
		}
	}
	all, spans, err := componentsOf(s, sweep.Path{Components: 2}, thetas, 1)
	if err != nil || len(all) != 8 || len(spans) != 8 {
		t.Fatalf("%d paths, %d spans, %v; want those of four matrices of two layers", len(all), len(spans), err)
	}
	for i, p := range all {
		want := 2
		if p.Name != "3.wv" {
			// The steps of all others, as long as (1, 3 (k^2 mod 4) - 3 ((k-1)^2 mod 4)): sqrt 10 each.
			null, err := trajectory.StepMatchedWalk(slices.Repeat([]float64{math.Sqrt(10)}, 5), 16, 200, 9)
			if err != nil || math.Abs(p.Matched.Rank-null.Rank) > 0.3 || math.Abs(p.Matched.First-null.First) > 0.06 || !(p.Matched.Rank > 2) {
				t.Errorf("%s: the step-matched walks have %+v; want %+v, %v", p.Name, p.Matched, null, err)
			}
		} else {
			if math.Abs(p.Matched.Rank-1) > 1e-9 || !(p.Matched.First > 0.999) {
				t.Errorf("walks with one long step have %+v", p.Matched)
			}
			want = 1
			d := spans[i].directions[0]
			if spans[i].Offset != blocks[at].Offset || math.Abs(math.Abs(d[3])-1) > 1e-9 {
				t.Errorf("3.wv goes along %v at %d", d, spans[i].Offset)
			}
		}
		if p.R90 != want || p.Layer != i/4 || p.Name[2:] != p.Matrix {
			t.Errorf("%+v; want r90 %d in layer %d", p, want, i/4)
		}
	}
	if _, _, err := componentsOf(model.Spec{In: 3, Layers: []model.Layer{model.Linear{Out: 2}}}, sweep.Path{Components: 2}, nil, 1); err == nil {
		t.Error("components of no attention")
	}
}

// TestMomentOf: a moment's numbers are those of its commutators, by hand: medians of norms and of defects, mean shares in the spans and in the random bases.
func TestMomentOf(t *testing.T) {
	along := func(axes ...int) []directionsIn {
		var d [][]float64
		for _, a := range axes {
			x := make([]float64, 3)
			x[a] = 1
			d = append(d, x)
		}
		return []directionsIn{{model.Block{Offset: 1}, d}}
	}
	m := trajectory.Moment{
		Commutators: [][]float32{{0, 3, 0, 4}, {0, 0, 0, 2}, {6, 0, 8, 0}},
		GradientA:   []float32{1, 2, 5}, GradientB: []float32{5, 4, 1}, Entropy: 0.5,
	}
	got := momentOf(7, m, along(0), [][]directionsIn{along(2), along(1, 2)})
	// Norms 5, 2, 10; defects 1, 1/4, 2. Shares of axis 1: 3/5, 0, 0; of axis 3: 4/5, 1, 0; of axes 2 and 3: 4/5, 1, 8/10.
	want := Moment{Step: 7, Norm: 5, Defect: 1, Share: 0.6 / 3, Random: Number((0.8 + 1 + 0 + 0.8 + 1 + 0.8) / 6), Entropy: 0.5}
	near := func(x, y Number) bool { return math.Abs(float64(x-y)) < 1e-12 }
	if got.Step != 7 || !near(got.Norm, want.Norm) || !near(got.Defect, want.Defect) || !near(got.Share, want.Share) || !near(got.Random, want.Random) || got.Entropy != want.Entropy {
		t.Errorf("%+v; want %+v", got, want)
	}
}

// TestPathsAreJudged: what a finding says of paths follows from their numbers, over the seeds.
func TestPathsAreJudged(t *testing.T) {
	null := func(rank float64) trajectory.Null { return trajectory.Null{Rank: rank} }
	path := func(id string, q, v int, in, out float64) CellPath {
		return CellPath{ID: id, Matrices: []MatrixPath{{Matrix: "wq", R90: q, Matched: null(5)}, {Matrix: "wq", Layer: 1, R90: q + 2, Matched: null(float64(q))}, {Matrix: "wv", R90: v, Matched: null(3)}},
			Walk: null(6), Ball: null(2.5),
			Moments: []Moment{{Share: Number(in), Random: Number(out)}, {Share: Number(3 * in), Random: Number(out)}}}
	}
	paths := []CellPath{path("a", 4, 3, 0.2, 0.1), path("b", 5, 7, 0.4, 0.1)}
	results := []sweep.Result{{ID: "a", Seed: 0}, {ID: "b", Seed: 1}}
	for _, c := range []struct {
		e    sweep.Expect
		mean float64
		ok   bool
		null string
	}{
		// (4 + 6) / 2 and (5 + 7) / 2; of their walks (5 + 4) / 2 and (5 + 5) / 2
		{sweep.Expect{What: "r90", Matrices: []string{"wq"}, Lo: 5, Hi: 6}, 5.5, true, "step-matched random walk 4.75; plain one 6.00, with momentum 0.9 a snapshot 2.50"},
		{sweep.Expect{What: "r90", Matrices: []string{"wq"}, Lo: 5.6, Hi: 6}, 5.5, false, "step-matched random walk 4.75; plain one 6.00, with momentum 0.9 a snapshot 2.50"},
		// 3 - 5 and 7 - 6
		{sweep.Expect{What: "r90", Matrices: []string{"wv"}, Less: []string{"wq"}, Lo: math.Inf(-1), Hi: 0}, -0.5, true, "step-matched random walks 3.00 less 4.75"},
		{sweep.Expect{What: "r90", Matrices: []string{"wv"}, Less: []string{"wq"}, Lo: math.Inf(-1), Hi: -1}, -0.5, false, "step-matched random walks 3.00 less 4.75"},
		// 5 - (5 + 4) / 2 and 6 - (5 + 5) / 2
		{sweep.Expect{What: "r90", Matrices: []string{"wq"}, Less: []string{sweep.LessWalk}, Lo: math.Inf(-1), Hi: 0.75}, 0.75, true, "step-matched random walk 4.75; plain one 6.00, with momentum 0.9 a snapshot 2.50"},
		{sweep.Expect{What: "r90", Matrices: []string{"wq"}, Less: []string{sweep.LessWalk}, Lo: math.Inf(-1), Hi: 0.5}, 0.75, false, "step-matched random walk 4.75; plain one 6.00, with momentum 0.9 a snapshot 2.50"},
		// 2 * 0.2 / 0.1 and 2 * 0.4 / 0.1
		{sweep.Expect{What: "commutator", Lo: 1, Hi: math.Inf(1)}, 6, true, "0.600 and 0.100"},
		{sweep.Expect{What: "commutator", Lo: 7, Hi: math.Inf(1)}, 6, false, "0.600 and 0.100"},
	} {
		f := ofPaths(c.e, results, paths)
		if len(f) != 1 || f[0].Problem != nil || math.Abs(f[0].Mean-c.mean) > 1e-9 || f[0].OK != c.ok || f[0].Seeds != 2 || f[0].Nulls != c.null {
			t.Errorf("%+v: %+v; want %v, %v, %s", c.e, f, c.mean, c.ok, c.null)
		}
	}
}
