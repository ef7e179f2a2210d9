package studies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

// eigenvalues measures those of the Hessian of the training loss at snapshots, puts them into their moments, and writes what is declared of them to h. All
// snapshots are models of one pack, whose processes begin at one random vector, of the cell's seed.
func eigenvalues(ctx context.Context, e graph.Engine, how sweep.Path, c sweep.Cell, thetas [][]float32, moments []Moment, h io.Writer) (err error) {
	x, y := c.TrainingRows()
	rows := min(how.Rows, y.At(0))
	o := curvature.Objective{Model: c.Model, Loss: c.Loss(), X: firstRows(x, rows), Y: firstRows(y, rows), Theta: thetas, Kind: curvature.Hessian, Batch: min(c.Batch, rows)}
	matrix, err := o.Operator()
	if err != nil {
		return err
	}
	if how.Lanczos > matrix.N {
		return fmt.Errorf("%d Lanczos steps; its model has %d parameters, and the process as many steps at most", how.Lanczos, matrix.N)
	}
	losses, err := o.Losses(ctx, e)
	if err != nil {
		return err
	}
	s, err := curvature.New(e, matrix, curvature.Options{Seed: c.Seed})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	processes, err := s.Lanczos(ctx, how.Lanczos, curvature.Normal)
	if err != nil {
		return err
	}
	for i, t := range processes {
		hashFloats(h, t.Alpha)
		hashFloats(h, t.Beta)
		ritz, err := t.Ritz()
		if err != nil { // which says nothing of the other moments
			if !slices.ContainsFunc(slices.Concat(t.Alpha, t.Beta), func(v float32) bool { return v-v != 0 }) {
				return fmt.Errorf("at step %d: %w", moments[i].Step, err)
			}
			ritz = slices.Repeat([]curvature.Ritz{{Value: math.NaN(), Error: math.NaN()}}, how.Eigenvalues)
		}
		for _, r := range ritz[:how.Eigenvalues] {
			moments[i].Eigenvalues = append(moments[i].Eigenvalues, Eigenvalue{Number(r.Value), Number(r.Error + curvature.Inexact(o.Loss, o.Kind, float64(losses[i]))*float64(t.Scale))})
		}
	}
	return nil
}

// firstRows are the first n rows of a matrix; of one without words, nothing.
func firstRows(t op.Tensor, n int) op.Tensor {
	if t.Len() == 0 {
		return t
	}
	width := t.At(1)
	return op.Tensor{Type: op.T(t.DType, t.Domain, n, width), W: t.W[:n*width]}
}
