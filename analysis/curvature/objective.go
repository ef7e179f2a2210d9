package curvature

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/model"
	"lockstep/op"
	"lockstep/subspace"
)

// Kind says which matrix.
type Kind string

// The kinds of matrices, each the mean over rows. J is the Jacobian of a row's outputs, H that of the loss with respect to them.
const (
	Hessian         Kind = "hessian"          // of the loss: forward over reverse (Pearlmutter 1994)
	GaussNewton     Kind = "ggn"              // J^T H J (Schraudolph 2002); of cross-entropy it is the Fisher matrix
	Fisher          Kind = "fisher"           // g g^T of one draw of each row's target from the model's distribution
	EmpiricalFisher Kind = "empirical-fisher" // g g^T of the rows' own targets
)

// Kinds lists the kinds of matrices.
func Kinds() []Kind { return []Kind{Hessian, GaussNewton, Fisher, EmpiricalFisher} }

// Text names the matrix in a sentence.
func (k Kind) Text() string {
	switch k {
	case Hessian:
		return "Hessian"
	case GaussNewton:
		return "Gauss-Newton matrix"
	case Fisher:
		return "Fisher matrix"
	case EmpiricalFisher:
		return "empirical Fisher matrix"
	}
	return string(k)
}

// Semidefinite tells whether no matrix of the kind has a negative eigenvalue, but for what products are off: Gauss-Newton matrices have none because the losses are
// convex in the outputs, Fisher matrices because they are means of g g^T. So it is of blocks, and of P^T M P.
func (k Kind) Semidefinite() bool { return k != Hessian }

// Objective is the mean loss of a model over rows of data, at given parameters, and which matrix of it is meant.
type Objective struct {
	Model model.Spec
	Loss  model.Loss
	X, Y  op.Tensor   // f32[N, In] (no words for data without inputs); labels u32[N, 1] or targets f32[N, out]
	Theta [][]float32 // [models][D]
	Kind  Kind
	Batch int    // rows of a batch; 0: all
	Seed  uint64 // of Fisher's draws

	// Block restricts the matrix to a part of the parameters; Subspace to the span of a linear map's columns: P^T M P. Nil: to neither.
	Block    *model.Block
	Subspace *Subspace
}

// Subspace is the span of the columns of a linear map, one for all models: the basis of a sweep's cells of that seed.
type Subspace struct {
	Map  subspace.Map
	Dim  int // d
	Seed uint64
}

const (
	thetaIn   = "model.theta" // f32[D]
	rowsIn    = "data.x"
	targetsIn = "data.y"
	keyBasis  = "key.basis"
	keyFisher = "key.fisher"
	batchAt   = "product.at"  // u32[]: the first row of the batch at hand
	batchSum  = "product.sum" // f32[1, N]: over the batches so far
)

// Check tells what is wrong with the objective.
func (o *Objective) Check() error {
	if err := o.Model.Check(0); err != nil {
		return err
	}
	rows, in := 0, o.Model.In
	if o.Y.Rank == 2 {
		rows = o.Y.At(0)
	}
	switch {
	case !slices.Contains(Kinds(), o.Kind):
		return nearest.Unknown("kind of matrix", string(o.Kind), names(Kinds()))
	case len(o.Theta) == 0:
		return fmt.Errorf("no parameters: give a vector of %d numbers for each model", o.Model.D())
	case rows < 1 || o.Y.Rank != 2:
		return fmt.Errorf("targets %s: want labels u32[rows, 1] or targets f32[rows, outputs], of at least one row", o.Y.Type)
	case o.Batch < 0 || o.Batch > rows:
		return fmt.Errorf("batches of %d rows of %d; want 1 to %d", o.Batch, rows, rows)
	case in > 0 && (o.X.Rank != 2 || o.X.At(0) != rows || o.X.At(1) != in):
		return fmt.Errorf("inputs %s for targets %s: the model wants f32[%d, %d]", o.X.Type, o.Y.Type, rows, in)
	case o.Block != nil && o.Subspace != nil:
		return fmt.Errorf("a block and a subspace at once; want one of them")
	}
	out := o.Model.Out()
	if o.Loss == model.SquaredError {
		out = o.Y.At(1)
	}
	if err := o.Model.Check(out); err != nil {
		return err
	}
	if o.Loss == model.CrossEntropy {
		if o.Y.DType != op.U32 || o.Y.At(1) != 1 {
			return fmt.Errorf("targets %s: want labels u32[rows, 1]", o.Y.Type)
		}
		for i, y := range o.Y.W {
			if int64(y) >= int64(out) {
				return fmt.Errorf("label %d of row %d: the model has %d classes", y, i, out)
			}
		}
	}
	if s := o.Subspace; s != nil && (s.Dim < 1 || s.Dim > o.Model.D()) {
		return fmt.Errorf("a subspace of %d dimensions of %d parameters", s.Dim, o.Model.D())
	}
	if s := o.Subspace; s != nil && s.Map.Whole() {
		return fmt.Errorf("a subspace by the map %s, which has no columns: it is all parameters; give no subspace", s.Map.Type())
	}
	for i, t := range o.Theta {
		if len(t) != o.Model.D() {
			return fmt.Errorf("parameters %d are %d numbers; the model has %d", i, len(t), o.Model.D())
		}
	}
	return nil
}

// Size is that of the matrix.
func (o *Objective) Size() int {
	switch {
	case o.Block != nil:
		return o.Block.Size()
	case o.Subspace != nil:
		return o.Subspace.Dim
	}
	return o.Model.D()
}

func (o *Objective) rows() int { return o.Y.At(0) }

func (o *Objective) batch() int {
	if o.Batch == 0 {
		return o.rows()
	}
	return o.Batch
}

// Operator is the objective's matrix.
func (o *Objective) Operator() (Operator, error) {
	if err := o.Check(); err != nil {
		return Operator{}, fmt.Errorf("curvature: %w", err)
	}
	return Operator{N: o.Size(), Models: len(o.Theta), Steps: (o.rows() + o.batch() - 1) / o.batch(), Program: o.program, Bind: o.bind, Binds: o.binds}, nil
}

// binds is a hash of parameters, data and seeds.
func (o *Objective) binds() string {
	h := sha256.New()
	for _, theta := range o.Theta {
		h.Write(op.Bytes(op.Float32s(op.S(len(theta)), theta...).W))
	}
	for _, t := range []op.Tensor{o.X, o.Y} {
		fmt.Fprintf(h, "\x00%s\x00", t.Type)
		h.Write(op.Bytes(t.W))
	}
	fmt.Fprintf(h, "seed %d", o.Seed)
	if s := o.Subspace; s != nil {
		fmt.Fprintf(h, ", of the map %d", s.Seed)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// program multiplies a batch a step, adds up, and divides by the number of rows.
func (o *Objective) program(vectors int) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		v := b.State(Vector, b.Fill(0, 1, o.Size()), op.Cell)
		b.Next(v, v)
		theta := b.Input(thetaIn, op.T(op.F32, Over(vectors), o.Model.D()))
		if o.batch() == o.rows() {
			o.leave(b, o.product(b, theta, v, 0))
			return
		}
		at := b.State(batchAt, b.FillU(0), op.Shared)
		sum := b.State(batchSum, b.Fill(0, 1, o.Size()), op.Cell)
		part := o.product(b, theta, v, at)
		first := b.Do(op.Broadcast{To: b.Type(part).Shape}, b.Do(op.Eq, at, b.FillU(0)))
		part = b.Do(op.Select{}, first, part, b.Do(op.Add, sum, part)) // of the first batch it is the sum, not +0 plus it
		b.Next(sum, part)
		next := b.Do(op.IAdd{}, at, b.FillU(uint32(o.batch())))
		b.Next(at, b.Do(op.Select{}, b.Do(op.Lt, next, b.FillU(uint32(o.rows()))), next, b.FillU(0)))
		o.leave(b, part)
	})
}

// leave divides a sum over rows by their number.
func (o *Objective) leave(b *graph.Builder, sum op.Value) {
	b.OutputOver(Product, b.Do(op.Div, sum, op.FillLike(b, float32(o.rows()), sum)), op.Cell)
}

// data emits the rows of the batch that begins at row at (0: all rows), their numbers (0: those of all rows), and tells which of them there are (0: all).
func (o *Objective) data(b *graph.Builder, at op.Value) (x, y, index, there op.Value) {
	n := o.rows()
	y = b.Input(targetsIn, op.T(o.Y.DType, op.Shared, o.Y.Dims()...))
	if o.Model.In > 0 {
		x = b.Input(rowsIn, op.T(op.F32, op.Shared, n, o.Model.In))
	}
	if at == 0 {
		return x, y, 0, 0
	}
	batch := o.batch()
	index = b.Do(op.IAdd{}, b.Do(op.Broadcast{To: op.S(batch)}, at), b.Do(op.Iota{N: int32(batch)}))
	if n%batch != 0 {
		there = b.Do(op.Reshape{To: op.S(batch, 1)}, b.Do(op.Lt, index, b.Do(op.Broadcast{To: op.S(batch)}, b.FillU(uint32(n)))))
	}
	y = b.Do(op.Gather{}, y, index) // rows beyond the last are +0
	if x != 0 {
		x = b.Do(op.Gather{}, x, index)
	}
	return x, y, index, there
}

// product emits the sum over a batch's rows of the matrix times v, f32[1, Size].
func (o *Objective) product(b *graph.Builder, theta, v, at op.Value) op.Value {
	x, y, index, there := o.data(b, at)
	c := o.coordinates(b, theta)
	outputs := o.Model.ObserveParts(b, c.parts, x, func(int, string, op.Value) {})
	sumOf := func(perRow op.Value) op.Value {
		return b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: op.List(0)}, o.present(b, there, perRow)))
	}
	loss := func(outputs op.Value) op.Value { return sumOf(o.Loss.PerRow(b, outputs, y)) }
	vs := c.apart(v)
	var products []op.Value
	switch o.Kind {
	case Hessian:
		products = b.HVP(loss(outputs), c.wrt, vs)
	case GaussNewton:
		products = b.GGN(outputs, loss, c.wrt, vs)
	case EmpiricalFisher:
		products = b.Fisher(o.present(b, there, o.Loss.PerRow(b, outputs, y)), c.wrt, vs)
	case Fisher:
		// The noise of all rows is drawn once: so which targets a row has does not hang on the batches.
		noise := o.Loss.Noise(b, o.rows(), b.Type(outputs).At(1), b.Input(keyFisher, op.T(op.U32, op.Shared, 2)))
		if index != 0 {
			noise = b.Do(op.Gather{}, noise, index)
		}
		products = b.Fisher(o.present(b, there, o.Loss.Drawn(b, outputs, noise)), c.wrt, vs)
	}
	return c.together(products)
}

// present emits +0 for the rows that are not there.
func (o *Objective) present(b *graph.Builder, there, perRow op.Value) op.Value {
	if there == 0 {
		return perRow
	}
	return b.Do(op.Select{}, there, perRow, op.FillLike(b, 0, perRow))
}

// bind puts parameters and data into a pack.
func (o *Objective) bind(p graph.Pack, vectors int) error {
	for m, theta := range o.Theta {
		t := op.Float32s(op.S(len(theta)), theta...)
		t.Domain = Over(vectors)
		if err := p.Put(thetaIn, t.Type, m, op.Bytes(t.W)); err != nil {
			return err
		}
	}
	put := func(name string, t op.Tensor) error {
		t.Domain = op.Shared
		return p.Put(name, t.Type, 0, op.Bytes(t.W))
	}
	if err := put(targetsIn, o.Y); err != nil {
		return err
	}
	if o.Model.In > 0 {
		if err := put(rowsIn, o.X); err != nil {
			return err
		}
	}
	if s := o.Subspace; s != nil && s.Map.Ragged() {
		key := op.Key(s.Seed, "basis")
		if err := put(keyBasis, op.Words32(op.U32, op.S(2), key[:]...)); err != nil {
			return err
		}
	}
	if o.Kind == Fisher {
		key := op.Key(o.Seed, "fisher")
		return put(keyFisher, op.Words32(op.U32, op.S(2), key[:]...))
	}
	return nil
}

func names(kinds []Kind) (all []string) {
	for _, k := range kinds {
		all = append(all, string(k))
	}
	return all
}
