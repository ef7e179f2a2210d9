package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/op"
)

// Numbers of models and of vectors that are measured.
var (
	hvpModels  = []int{1, 16}
	hvpVectors = []int{1, CurvatureVectors}
)

// curvatureCases are gradients of losses, and products of their Hessians and Gauss-Newton matrices: what a product costs beside a gradient, in
// packs of models, and with several vectors a model; and, "kept", where only the first product at the same parameters computes what hangs on these.
func curvatureCases() (all []*Case) {
	add := func(name string, s CurvatureSpec) {
		all = append(all, &Case{Name: fmt.Sprintf("%s/cells=%d", name, s.Cells()), Cells: s.Cells(), Unit: "products/s", hvp: &s})
	}
	for _, m := range CurvatureModels() {
		for _, n := range hvpModels {
			add("hvp/"+m+"/"+Gradient, CurvatureSpec{Model: m, What: Gradient, Models: n, Vectors: 1})
			for _, what := range []string{Hessian, GGN} {
				for _, k := range hvpVectors {
					for _, kept := range []bool{false, true} {
						add(hvpName(m, what, kept, k), CurvatureSpec{Model: m, What: what, Models: n, Vectors: k, Kept: kept})
					}
				}
			}
		}
	}
	return all
}

// hvpName is a case's name but for its cells.
func hvpName(m, what string, kept bool, vectors int) string {
	if kept {
		what += "-kept"
	}
	return fmt.Sprintf("hvp/%s/%s/k=%d", m, what, vectors)
}

// quickRows are those of a rehearsal: an emulated card takes seconds for a step of the whole.
const quickRows = 8

// openCurvature makes a case of products ready on an engine. Bytes are those of the parameters, the vectors and the products.
func (c *Case) openCurvature(ctx context.Context, o *Options, peak graph.Peak) (w *workload, err error) {
	rows := CurvatureRows
	if o.Quick {
		rows = quickRows
	}
	objective, err := CurvatureObjective(ctx, o.Engine, c.hvp.Model, c.hvp.Models, rows)
	if err != nil {
		return nil, err
	}
	a, p, err := curvatureProgram(objective, *c.hvp)
	if err != nil {
		return nil, err
	}
	need, err := o.need([]*graph.Program{p}, c.Cells, curvatureGroups(*c.hvp))
	if err != nil {
		return nil, err
	}
	products, err := NewProducts(ctx, o.Engine, objective, *c.hvp)
	if err != nil {
		return nil, err
	}
	work := count(p, func(d op.Domain) int64 {
		switch d {
		case op.Cell:
			return int64(c.Cells)
		case op.Model:
			return int64(c.hvp.Models)
		}
		return 1
	})
	work.Words = int64(c.Cells * a.N)
	work.Bytes = 4 * int64(a.N) * int64(c.hvp.Models+2*c.Cells)
	w = &workload{work: work, sets: 1, bytes: need.Bytes, cached: need.Bytes < peak.Cache, kernels: products.exe.Kernels(), run: products.Run, close: products.Close}
	if err := c.checkProducts(ctx, o, w, products, objective); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// checkProducts compares the last product with that of the model alone with this vector alone: on the engine itself, and on another.
func (c *Case) checkProducts(ctx context.Context, o *Options, w *workload, products *Products, objective *curvature.Objective) error {
	if o.Check == nil {
		return nil
	}
	if err := products.Run(ctx, 1); err != nil {
		return err
	}
	got, err := products.Of(c.Cells - 1)
	if err != nil {
		return err
	}
	one, last := *objective, c.hvp.Models-1
	one.Theta = objective.Theta[last:]
	s := *c.hvp
	s.Models, s.Vectors = 1, 1
	for _, by := range []struct {
		name string
		e    graph.Engine
		runs bool
	}{{"the model alone", o.Engine, c.Cells > 1}, {o.CheckName, o.Check, w.work.MACs/int64(c.Cells) <= partWork*o.CheckWork}} {
		if !by.runs {
			continue
		}
		alone, err := newProducts(ctx, by.e, &one, s, last, c.hvp.Vectors-1)
		if err != nil {
			return err
		}
		err = alone.Run(ctx, 1)
		var want []float32
		if err == nil {
			want, err = alone.Of(0)
		}
		if err = errors.Join(err, alone.Close()); err != nil {
			return err
		}
		if at := mismatch(bytesOf(got), bytesOf(want)); at >= 0 {
			return fmt.Errorf("%s: number %d of the last product is %v, and %v by %s: a kernel is wrong, and its time worthless", c.Name, at, got[at], want[at], by.name)
		}
		w.checked, w.share = by.name, 1
	}
	return nil
}

func bytesOf(x []float32) []byte { return op.Bytes(op.Float32s(op.S(len(x)), x...).W) }

// writeCurvature writes what a product takes beside a gradient of the same models, by the medians of what was measured several times.
func (m Machine) writeCurvature(w io.Writer, results []Result) error {
	took := map[string][]float64{} // nanoseconds of a gradient, or of a product
	for _, r := range results {
		took[r.Case] = append(took[r.Case], r.NS/float64(max(r.Cells, 1)))
	}
	median := func(name string) float64 {
		all := slices.Sorted(slices.Values(took[name]))
		if len(all) == 0 {
			return 0
		}
		return Quantile(all, 0.5)
	}
	for _, name := range CurvatureModels() {
		for _, n := range hvpModels {
			gradient, text := median(fmt.Sprintf("hvp/%s/%s/cells=%d", name, Gradient, n)), ""
			for _, k := range hvpVectors {
				for _, what := range []string{Hessian, GGN} {
					for _, kept := range []bool{false, true} {
						of := hvpName(name, what, kept, k)
						if product := median(fmt.Sprintf("%s/cells=%d", of, n*k)); product > 0 && gradient > 0 {
							text += fmt.Sprintf(", %s %.2f", of[len("hvp/"+name+"/"):], product/gradient)
						}
					}
				}
			}
			if text == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "# hvp/%s, models %d, threads %d, time of a product / time of a gradient: %s\n", name, n, m.Threads, text[2:]); err != nil {
				return err
			}
		}
	}
	return nil
}
