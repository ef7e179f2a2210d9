package curvature

import (
	"context"
	"errors"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

// Gradient traces the program that leaves the gradient of the mean loss in the output Product, f32[1, Size], in one step. Its inputs are those
// that the operator of the same objective binds for one vector a model. Error: the rows are not taken at once, or what Check says.
func (o *Objective) Gradient() (*graph.Program, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.batch() != o.rows() {
		return nil, errors.New("curvature: the gradient is taken of all rows at once; want Batch 0")
	}
	return graph.Trace(func(b *graph.Builder) {
		theta := b.Input(thetaIn, op.T(op.F32, Over(1), o.Model.D()))
		x, y, _, _ := o.data(b, 0)
		c := o.coordinates(b, theta)
		outputs := o.Model.ObserveParts(b, c.parts, x, func(int, string, op.Value) {})
		loss := b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: op.List(0)}, o.Loss.PerRow(b, outputs, y)))
		o.leave(b, c.together(b.Gradient(loss, c.wrt...)))
	})
}

const lossOut = "loss" // f32[] per model

// Losses gives the mean loss of each model over the rows: sums over batches, added in ascending order, divided by the number of rows. Errors: what Check
// says, the engine's.
func (o *Objective) Losses(ctx context.Context, e graph.Engine) (all []float32, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	pack, err := e.NewPack(len(o.Theta), nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	if err := o.bind(pack, 1); err != nil {
		return nil, err
	}
	program, err := graph.Trace(func(b *graph.Builder) {
		theta, at := b.Input(thetaIn, op.T(op.F32, Over(1), o.Model.D())), b.State(batchAt, b.FillU(0), op.Shared)
		sum := b.State(batchSum, b.Fill(0), op.Cell)
		b.Next(at, b.Do(op.IAdd{}, at, b.FillU(uint32(o.batch()))))
		from := at
		if o.batch() == o.rows() {
			from = 0
		}
		x, y, _, there := o.data(b, from)
		outputs := o.Model.ObserveParts(b, o.coordinates(b, theta).parts, x, func(int, string, op.Value) {})
		total := b.Do(op.Add, sum, b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: op.List(0)}, o.present(b, there, o.Loss.PerRow(b, outputs, y)))))
		b.Next(sum, total)
		b.OutputOver(lossOut, b.Do(op.Div, total, b.Fill(float32(o.rows()))), op.Cell)
	})
	if err != nil {
		return nil, fmt.Errorf("curvature: %w", err)
	}
	exe, err := pack.Compile(program)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, exe.Close()) }()
	if err = exe.Reset(ctx); err == nil {
		err = exe.Run(ctx, (o.rows()+o.batch()-1)/o.batch())
	}
	if err != nil {
		return nil, err
	}
	b, w := make([]byte, 4*len(o.Theta)), make([]uint32, len(o.Theta))
	err = pack.ReadAll(lossOut, b)
	op.PutWords(w, b)
	return op.Tensor{W: w}.F(), err
}

const (
	rowIn      = "data.row" // u32[1] per cell
	rowsAtOnce = 64         // of each model: their gradients are in memory together
)

// RowGradients gives the gradient of every row's own loss, [models][rows][Size]: per-example gradients, whose mean is the gradient, and the mean of whose outer
// products is the empirical Fisher matrix. A row is a cell of its own, so its gradient has the bits that it has beside any others. Kind and Batch
// do not matter. Error: what Check says, data without inputs, the engine's.
func (o *Objective) RowGradients(ctx context.Context, e graph.Engine) (all [][][]float32, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Model.In == 0 {
		return nil, errors.New("curvature: gradients of the rows of data without inputs, in which no row stands for itself")
	}
	all = make([][][]float32, len(o.Theta))
	for from := 0; from < o.rows(); from += rowsAtOnce {
		if err := o.rowGradients(ctx, e, from, min(from+rowsAtOnce, o.rows()), all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rowGradients appends those of some rows, of each model.
func (o *Objective) rowGradients(ctx context.Context, e graph.Engine, from, to int, all [][][]float32) (err error) {
	n := to - from
	groups := graph.Groups{op.Model: make([]int, n*len(all))}
	for c := range groups[op.Model] {
		groups[op.Model][c] = c / n
	}
	pack, err := e.NewPack(n*len(all), groups)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	if err := o.bind(pack, n); err != nil {
		return err
	}
	for c := range n * len(all) {
		if err := pack.Put(rowIn, op.T(op.U32, op.Cell, 1), c, op.Bytes([]uint32{uint32(from + c%n)})); err != nil {
			return err
		}
	}
	program, err := graph.Trace(func(b *graph.Builder) {
		theta, row := b.Input(thetaIn, op.T(op.F32, Over(n), o.Model.D())), b.Input(rowIn, op.T(op.U32, op.Cell, 1))
		x, y, _, _ := o.data(b, 0)
		c := o.coordinates(b, theta)
		outputs := o.Model.ObserveParts(b, c.parts, b.Do(op.Gather{}, x, row), func(int, string, op.Value) {})
		loss := b.Do(op.Reshape{To: op.S()}, o.Loss.PerRow(b, outputs, b.Do(op.Gather{}, y, row)))
		b.OutputOver(Product, c.together(b.Gradient(loss, c.wrt...)), op.Cell)
	})
	if err != nil {
		return fmt.Errorf("curvature: %w", err)
	}
	exe, err := pack.Compile(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, exe.Close()) }()
	if err := exe.Reset(ctx); err != nil {
		return err
	}
	if err := exe.Run(ctx, 1); err != nil {
		return err
	}
	each := make([]byte, 4*o.Size())
	for c := range n * len(all) {
		if err := pack.Read(Product, c, each); err != nil {
			return err
		}
		g := op.New(op.T(op.F32, op.Cell, o.Size()))
		op.PutWords(g.W, each)
		all[c/n] = append(all[c/n], g.F())
	}
	return nil
}
