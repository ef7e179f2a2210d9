// Package probe measures models of a sweep's cells on their way: spectra, densities and traces of their matrices of curvature, at steps of their
// trainings. An estimation is a list of units, a matrix of all models at once each; a folder keeps what they gave, and the one at work.
package probe

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"lockstep/analysis/curvature"
	"lockstep/internal/nearest"
	"lockstep/model"
	"lockstep/op"
	"lockstep/subspace"
	"lockstep/sweep"
)

// DefaultBatch is how many rows a product takes at a time, where there are as many and nothing else is said. The speed hardly hangs on
// it; memory does, and the bits: so it is one number for all machines.
const DefaultBatch = 512

// Matrix says which matrix, of the models of which cells. Cells that are of one shape are one pack of models.
type Matrix struct {
	Cells    []sweep.Cell
	Kind     curvature.Kind
	Rows     int    // of the training rows, the first ones; 0: all
	Batch    int    // rows at a time; 0: DefaultBatch, or all if there are fewer
	Subspace int    // d: the matrix is P^T M P, with the cells' map and seed; 0: it is M
	Seed     uint64 // of random vectors, and of the draws of the Fisher matrix

	X, Y op.Tensor // rows other than the cells' own; of rank 0: theirs
}

// Check tells what is wrong, and settles Rows, Batch and what X and Y are.
func (m *Matrix) Check() error {
	if len(m.Cells) == 0 {
		return errors.New("no cells")
	}
	if err := m.alike(); err != nil {
		return err
	}
	if m.Y.Rank == 0 {
		m.X, m.Y = m.Cells[0].TrainingRows()
	}
	rows := m.Y.At(0)
	if m.Rows < 0 || m.Rows > rows {
		return fmt.Errorf("the first %d of %d rows; want 1 to %d, or 0 for all", m.Rows, rows, rows)
	}
	if m.Rows > 0 {
		m.X, m.Y = first(m.X, m.Rows), first(m.Y, m.Rows)
	}
	m.Rows = m.Y.At(0)
	if m.Batch == 0 {
		m.Batch = min(DefaultBatch, m.Rows)
	}
	if m.Subspace != 0 {
		return m.checkSubspace()
	}
	return nil
}

// alike tells whether the cells' models can stand in one pack, on one set of rows.
func (m *Matrix) alike() error {
	a := m.Cells[0]
	for _, b := range m.Cells[1:] {
		what := ""
		switch {
		case !reflect.DeepEqual(a.Model, b.Model):
			what = "models"
		case a.DataName() != b.DataName():
			what = "data"
		default:
			continue
		}
		return fmt.Errorf("cells with different %s cannot be measured together: (%s) and (%s); name the cells of one shape, or fix the axis in which they differ with --set", what, a.Name(), b.Name())
	}
	return nil
}

func (m *Matrix) checkSubspace() error {
	a := m.Cells[0]
	if s := subspace.Named(a.Map.Type); s == nil || !s.Ragged() {
		return fmt.Errorf("a subspace of %d dimensions: the cell (%s) has the map %q, which is the whole space; name a cell with a basis, or set the map", m.Subspace, a.Name(), a.Map.Type)
	}
	if D := a.Model.D(); m.Subspace < 1 || m.Subspace > D {
		return fmt.Errorf("a subspace of %d dimensions of %d parameters; want 1 to %d", m.Subspace, D, D)
	}
	for _, b := range m.Cells[1:] {
		if a.Map.Type != b.Map.Type || a.Seed != b.Seed {
			return fmt.Errorf("cells with different bases cannot be measured together in a subspace: (%s) and (%s); name cells of one map and one seed", a.Name(), b.Name())
		}
	}
	return nil
}

// Block finds a block of the models; nil for "".
func (m *Matrix) Block(name string) (*model.Block, error) {
	if name == "" {
		return nil, nil
	}
	if m.Subspace != 0 {
		return nil, errors.New("a block and a subspace at once; want one of them")
	}
	var names []string
	for _, b := range m.Cells[0].Model.Blocks() {
		if b.Name == name {
			return &b, nil
		}
		names = append(names, b.Name)
	}
	return nil, nearest.Unknown("block", name, names)
}

// Size is that of the matrix of a block; nil: of all parameters, or the subspace.
func (m *Matrix) Size(block *model.Block) int {
	switch {
	case block != nil:
		return block.Size()
	case m.Subspace > 0:
		return m.Subspace
	}
	return m.Cells[0].Model.D()
}

// Objective is the matrix at parameters theta [models][D].
func (m *Matrix) Objective(theta [][]float32, block *model.Block) *curvature.Objective {
	c := m.Cells[0]
	o := &curvature.Objective{Model: c.Model, Loss: c.Loss(), X: m.X, Y: m.Y, Theta: theta, Kind: m.Kind, Batch: m.Batch, Seed: m.Seed, Block: block}
	if m.Subspace > 0 {
		o.Subspace = &curvature.Subspace{Map: subspace.Named(c.Map.Type), Dim: m.Subspace, Seed: c.Seed}
	}
	return o
}

// Conventions say in words what the numbers are of: of the block of such a name, of each by EachBlock, or of all parameters by "".
func (m *Matrix) Conventions(block string) []string {
	what := map[curvature.Kind]string{
		curvature.Hessian:         "Hessian of the loss",
		curvature.GaussNewton:     "generalised Gauss-Newton matrix J^T H J",
		curvature.Fisher:          "Fisher matrix: g g^T of one draw of each row's target from the model's distribution",
		curvature.EmpiricalFisher: "empirical Fisher matrix: g g^T of the rows' own targets",
	}[m.Kind]
	c := m.Cells[0]
	loss := string(c.Loss())
	if c.Loss() == model.SquaredError {
		loss += ", the sum of (output - target)^2 over a row's outputs"
	}
	vectors := "vectors are flattened parameters, in layer order, W [in, out] row-major, then b"
	if m.Subspace > 0 {
		vectors = fmt.Sprintf("vectors are coordinates in the span of P [%d, %d], the %s map of seed %d: the matrix is P^T M P", c.Model.D(), m.Subspace, c.Map.Type, c.Seed)
	}
	switch block {
	case wholeOfModel:
	case EachBlock:
		vectors += "; of each block of the parameters alone"
	default:
		vectors += fmt.Sprintf("; of the block %s of the parameters alone", block)
	}
	exact := "products are float32, off by some 1e-7 of |M| |v|"
	if c.Loss() == model.CrossEntropy && (m.Kind == curvature.Hessian || m.Kind == curvature.GaussNewton) {
		exact += fmt.Sprintf("; where the mean loss L is small, by some %s / L, and by up to fourteen times as much along the eigenvectors of the largest eigenvalues", strings.Replace(fmt.Sprint(curvature.Fitted), "e-0", "e-", 1))
	}
	return []string{
		fmt.Sprintf("matrix: %s, of %s; the mean over %d rows: their sum, divided by %d once, at the end", what, loss, m.Rows, m.Rows),
		fmt.Sprintf("rows are taken in batches of %d, in the order of the data, and the sums of batches added in ascending order", m.Batch),
		vectors,
		exact,
	}
}

// first are the first rows of a tensor of words.
func first(t op.Tensor, rows int) op.Tensor {
	d := t.Dims()
	d[0] = rows
	out := op.New(op.T(t.DType, t.Domain, d...))
	copy(out.W, t.W)
	return out
}

// Finite is an error for a number that is none; what says what the numbers are.
func Finite(what string, x []float32) error {
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%s: number %d is %v; all must be finite", what, i, v)
		}
	}
	return nil
}
