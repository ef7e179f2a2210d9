package probe

import (
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/op"
)

// kept is how many vectors of a cell the estimator keeps.
func (e *Estimation) kept(p unitPlan) int {
	switch {
	case e.Method != Trace:
		return p.steps
	case e.Estimator == HutchPlus:
		sketch, _ := e.thirds(p.size)
		return sketch
	}
	return 2 // the sums of a diagonal
}

// fits tells whether each matrix of a point has room that is yet to be estimated.
func (e *Estimation) fits(engine graph.Engine, units []unitPlan, f *folder) error {
	theta := e.Params
	if theta == nil {
		theta = slices.Repeat([][]float32{make([]float32, e.Cells[0].Model.D())}, len(e.Cells))
	}
	seen := map[string]bool{}
	for i, u := range units {
		if f != nil {
			if _, ended := f.units[i]; ended {
				continue
			}
		}
		if seen[u.name()] { // at another point it is as large
			continue
		}
		seen[u.name()] = true
		a, err := e.Objective(theta, u.block).Operator()
		if err != nil {
			return err
		}
		if err := Fits(engine, a, e.Vectors, e.kept(u)); err != nil {
			return err
		}
	}
	return nil
}

// Fits tells whether a pack of an operator's models has room, with so many vectors of each at a time, beside as many further vectors of each cell.
func Fits(engine graph.Engine, a curvature.Operator, vectors, further int) error {
	program, err := a.Program(vectors)
	if err != nil {
		return err
	}
	cells := a.Models * vectors
	groups := graph.Groups{op.Model: make([]int, cells)}
	for c := range cells {
		groups[op.Model][c] = c / vectors
	}
	need, err := engine.Plan([]*graph.Program{program}, cells, groups)
	if err != nil {
		return err
	}
	free, err := engine.Available()
	if err != nil {
		return err
	}
	const working = 4 // vectors of a step
	if all := need.Bytes + 4*int64(cells)*int64(further+working)*int64(a.N); all > free {
		return fmt.Errorf("%d models with %d vectors each need about %s on the %s engine; there are %s: take fewer cells, fewer vectors, fewer steps or a smaller batch",
			a.Models, vectors, humanize.Bytes(uint64(all)), engine.Name(), humanize.Bytes(uint64(max(free, 0))))
	}
	return nil
}
