package bench

import (
	"slices"
	"testing"

	"lockstep/cpu"
)

// The networks at their full batches, whose rows the CPU engine takes in bands: gradients and products have the bits of the engine that runs every op by
// itself, for one vector of a model and for several, whose primal is the model's.
func TestWholeBatches(t *testing.T) {
	specs := []CurvatureSpec{
		{What: Gradient, Models: 1, Vectors: 1}, {What: Hessian, Models: 1, Vectors: 1}, {What: Hessian, Models: 2, Vectors: 2}, {What: GGN, Models: 1, Vectors: 2, Kept: true},
	}
	if testing.Short() {
		specs = specs[2:3]
	}
	products := func(o cpu.Options, s CurvatureSpec) (all []float32) {
		t.Helper()
		e, err := cpu.New(o)
		if err != nil {
			t.Fatal(err)
		}
		objective, err := CurvatureObjective(t.Context(), e, s.Model, s.Models, CurvatureRows)
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewProducts(t.Context(), e, objective, s)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.Run(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		for c := range s.Cells() {
			x, err := p.Of(c)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, x...)
		}
		return all
	}
	for _, name := range CurvatureModels() {
		for _, s := range specs {
			s.Model = name
			want := bytesOf(products(cpu.Options{Threads: 1, NoFuse: true}, s))
			for _, threads := range []int{1, 3} {
				if got := bytesOf(products(cpu.Options{Threads: threads}, s)); !slices.Equal(got, want) {
					t.Errorf("%s, %d threads: products differ from those of ops one by one", s, threads)
				}
			}
		}
	}
}
