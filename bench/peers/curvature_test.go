package main

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/bench"
)

// standInRows is how many rows the losses of these tests have.
const standInRows = 2

// curvedStandIn answers as curvature.py does, by lockstep. how: curved (its Hessians are others), pack (a bit hangs on the pack).
type curvedStandIn struct {
	o      *ours
	how    string
	folder string
	ready  map[string]derived
}

func (s *curvedStandIn) answer(do, id, model, what, way string, models, vectors int) any {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	write := func(b []byte) any {
		f, err := os.CreateTemp(s.folder, "")
		must(err)
		_, err = f.Write(b)
		must(err)
		must(f.Close())
		return map[string]string{"file": f.Name()}
	}
	if s.o.data.losses == nil {
		s.o.data.losses = map[string]*curvature.Objective{}
		for _, name := range bench.CurvatureModels() {
			l, err := bench.CurvatureObjective(ctx, s.o.engine, name, 2, standInRows)
			must(err)
			s.o.data.losses[name] = l
		}
	}
	of, kept := strings.CutSuffix(what, "-kept")
	c := curved{bench.CurvatureSpec{Model: model, What: of, Models: models, Vectors: vectors, Kept: kept}}
	switch do {
	case "derive":
		d, err := s.o.derive(ctx, c, way)
		must(err)
		s.ready[id] = d
		return prepared{Way: way, Seconds: 0.5}
	case "products":
		all, err := s.ready[id].products(ctx)
		must(err)
		if strings.Contains(id, "hessian/") && s.how == "curved" {
			all[1] *= -1
			all[len(all)-1] = 5
		}
		if strings.Contains(id, "models=2") && s.how == "pack" {
			all[3] = math.Nextafter32(all[3], 9)
		}
		var b []byte
		for _, x := range all {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return write(b)
	}
	d, err := s.o.derive(ctx, c, "") // truth
	must(err)
	all, err := d.products(ctx)
	must(err)
	var b []byte
	for _, x := range all {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(1.001*float64(x))) // of which lockstep's are 0.000999 away
	}
	return write(b)
}

// A run takes derivatives on every side that has a way, after it has held them against lockstep's and float64's.
func TestRunCurvature(t *testing.T) {
	lines, err := drive(t, "pack", "curvature/mlp")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]map[string]any{
		"curvature/mlp/gradient/models=2/vectors=1 torch":                    {"unit": "products/s", "way": "double backward", "compile": 0.5},
		"curvature/mlp/hessian/models=1/vectors=1 curvlinops":                {"way": "curvlinops"},
		"curvature/mlp/ggn/models=2/vectors=1 torch func":                    {"way": "func"},
		"curvature/mlp/hessian-kept/models=2/vectors=2 jax":                  {"way": "vmap, jit"},
		"curvature/mlp/ggn/models=2/vectors=2 lockstep":                      {"way": "a program", "unit": "products/s"},
		"agree/curvature/mlp/ggn/models=1/vectors=1 jax":                     {"relative": 0.0},
		"deviation/mlp/hessian/models=2/vectors=1 lockstep":                  {},
		"bits/curvature/pack/mlp/hessian/models=2/vectors=1 jax":             {"of": 199210.0, "words": 1.0, "against": "the model alone"},
		"bits/curvature/pack/mlp/hessian/models=2/vectors=1 lockstep":        {"words": 0.0},
		"bits/curvature/vectors/mlp/ggn-kept/models=1/vectors=2 lockstep":    {"words": 0.0, "against": "one vector"},
		"bits/curvature/pack/mlp/gradient/models=2/vectors=1 torch":          {"words": 1.0},
		"bits/curvature/vectors/mlp/hessian-kept/models=2/vectors=2 jax":     {"words": 0.0},
		"bits/curvature/pack/mlp/hessian-kept/models=2/vectors=2 lockstep":   {"words": 0.0},
		"bits/curvature/pack/mlp/hessian-kept/models=2/vectors=1 torch":      {"words": 1.0},
		"bits/curvature/vectors/mlp/gradient/models=1/vectors=1 lockstep":    nil,
		"curvature/mlp/gradient/models=1/vectors=1 curvlinops":               nil,
		"curvature/mlp/hessian/models=1/vectors=2 torch func":                nil,
		"curvature/mlp/ggn-kept/models=1/vectors=1 torch":                    nil,
		"curvature/transformer/gradient/models=1/vectors=1 lockstep":         nil,
		"train/full/cells=1 lockstep":                                        nil,
		"deviation/mlp/hessian-kept/models=2/vectors=1 lockstep":             nil,
		"bits/curvature/threads/mlp/hessian/models=1/vectors=1 lockstep":     nil, // there is one
		"bits/curvature/pack/transformer/gradient/models=2/vectors=1 torch":  nil,
		"bits/curvature/pack/mlp/hessian/models=1/vectors=1 lockstep":        nil,
		"agree/curvature/transformer/gradient/models=1/vectors=1 lockstep":   nil,
		"agree/curvature/transformer/gradient/models=1/vectors=1 curvlinops": nil,
	} {
		got := lines[name]
		if (got == nil) != (want == nil) {
			t.Errorf("%s: %v; want %v", name, got, want)
		}
		for key, v := range want {
			if got[key] != v {
				t.Errorf("%s: %s is %v; want %v", name, key, got[key], v)
			}
		}
	}
	if d, _ := lines["deviation/mlp/hessian/models=2/vectors=1 lockstep"]["relative"].(float64); math.Abs(d-0.001/1.001) > 1e-8 {
		t.Errorf("lockstep is %v of the length away from what is 1.001 times as long", d)
	}
	if v, _ := lines["curvature/mlp/hessian/models=1/vectors=1 curvlinops"]["values"].([]any); len(v) != 2 || v[0].(float64) <= 0 {
		t.Errorf("values %v; want two above 0", v)
	}
}

// A peer whose products are others is not timed.
func TestCurvatureRefuses(t *testing.T) {
	if _, err := drive(t, "curved", "curvature/mlp/hessian/models=1/vectors=1"); err == nil || !strings.Contains(err.Error(), "hessian/models=1/vectors=1, jax: a product is") {
		t.Errorf("%v; want that it computes something else", err)
	}
}

// The distance is that of the worst vector.
func TestFarthest(t *testing.T) {
	got, err := farthest([]float32{1, 0, 3, 4, 0, 2}, []float64{1, 0, 3, 4.5, 0, 2}, 2)
	if want := 0.5 / math.Hypot(3, 4.5); err != nil || math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := farthest([]float32{1, 2, 3, float32(math.NaN()), 5, 6}, []float32{1, 2, 3, 4, 5, 6.5}, 2); err != nil || got < 1 && got >= 0 {
		t.Errorf("%v, %v of a NaN", got, err)
	}
	if _, err := farthest([]float32{1}, []float32{1, 2}, 1); err == nil {
		t.Error("products of different sizes are compared")
	}
}

// Numbers of models ascend from 1, so that what packs are held against comes first; names are different.
func TestCurvedCases(t *testing.T) {
	var names []string
	seen := map[curved]bool{}
	for _, c := range curvedCases([]int{1, 16}, []int{1, 8}) {
		one, alone := c, c
		one.Models, alone.Vectors = 1, 1
		if one != c && !seen[one] || alone != c && !seen[alone] {
			t.Errorf("%v comes before what it is held against", c)
		}
		seen[c] = true
		names = append(names, c.String())
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(seen) || len(seen) != 2*(2+2*2*2*2) {
		t.Errorf("%d cases; names %q", len(seen), names)
	}
}
