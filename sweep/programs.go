package sweep

import (
	"fmt"

	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
	"lockstep/subspace"
)

// recipe is what the cells of a pack have in common: everything that shapes their programs, but for d.
type recipe struct {
	model       model.Spec
	rule        model.Rule // without its numbers, which are inputs
	subspace    subspace.Map
	loss        model.Loss
	batch       int
	in, out     int // columns of a row, of its outputs
	train, test int // rows
	together    int // training rows that stay together
}

// The named arrays of a pack.
const (
	keyTheta = "key.theta" // u32[2] per seed: the stream of theta0
	keyBasis = "key.basis"
	keyOrder = "key.order"   // of the order of the training examples
	theta0   = "theta0"      // f32[D] per seed
	basis    = "basis"       // subspace.Map.BasisType, per seed
	zState   = "z"           // f32[1, capacity] per cell
	thetaOut = "theta"       // f32[D] per cell, where somebody asks for it
	stepsIn  = "steps"       // u32[] per cell: the steps to do
	stepDone = "step"        // u32[] per cell: the steps done
	dIn      = "d"           // u32[] per cell: entries of z in use
	lossAt   = "losses.at"   // u32[keptLosses] per cell: LossSteps, and what no step is
	lossDone = "losses.kept" // u32[1] per cell: how many of them are kept
	losses   = "losses"      // f32[keptLosses, 1] per cell: of the batches of these steps; behind the kept ones, of the step done last
)

func constant(name string) string  { return "rule." + name }   // f32[] per cell, see model.Rule.Constants
func rowsOf(set string) string     { return set + ".x" }       // f32[rows, in], shared
func targetsOf(set string) string  { return set + ".y" }       // model.Loss.Target, shared
func eachLoss(set string) string   { return set + ".losses" }  // f32[rows, 1] per cell
func eachRight(set string) string  { return set + ".rights" }  // f32[rows, 1] per cell
func meanLoss(set string) string   { return set + ".loss" }    // f32[] per cell
func countRight(set string) string { return set + ".correct" } // f32[] per cell: a count, exact below 2^24

// capacity is the number of entries that z is padded to: the largest d of the pack, or D.
func (r *recipe) capacity(largest int) int {
	if r.subspace.Ragged() {
		return largest
	}
	return r.model.D()
}

// setup computes what a seed's cells share: theta0 and the basis.
func (r *recipe) setup(capacity int) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		b.OutputOver(theta0, r.model.Theta0(b, b.Input(keyTheta, op.T(op.U32, op.Seed, 2))), op.Seed)
		if r.subspace.Ragged() {
			key := b.Input(keyBasis, op.T(op.U32, op.Seed, 2))
			b.OutputOver(basis, r.subspace.Basis(b, key, r.model.D(), capacity), op.Seed)
		}
	})
}

// start emits where z starts.
func (r *recipe) start(b *graph.Builder, capacity int) op.Value {
	if r.subspace.Whole() {
		return b.Do(op.Reshape{To: op.S(1, capacity)}, b.Input(theta0, op.T(op.F32, op.Seed, capacity)))
	}
	return b.Fill(0, 1, capacity)
}

// theta emits the cell's parameters from z.
func (r *recipe) theta(b *graph.Builder, z op.Value, capacity int) op.Value {
	D := r.model.D()
	var start, p, d op.Value
	if !r.subspace.Whole() {
		start = b.Input(theta0, op.T(op.F32, op.Seed, D))
	}
	if r.subspace.Ragged() {
		p = b.Input(basis, r.subspace.BasisType(D, capacity))
		d = b.Input(dIn, op.T(op.U32, op.Cell))
	}
	return r.subspace.Theta(b, start, p, z, d)
}

// trained emits the cell's parameters as they stand.
func (r *recipe) trained(capacity int) func(b *graph.Builder) op.Value {
	return func(b *graph.Builder) op.Value {
		return r.theta(b, b.Input(zState, op.T(op.F32, op.Cell, 1, capacity)), capacity)
	}
}

// parameters shows the cells' parameters.
func (r *recipe) parameters(capacity int) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) { b.OutputOver(thetaOut, r.trained(capacity)(b), op.Cell) })
}

// order emits the training rows of the batch at a step, u32[batch]: of an epoch's permutation of the groups of rows that stay together.
func (r *recipe) order(b *graph.Builder, key, step op.Value) op.Value {
	index := b.Do(op.Batch{N: int32(r.train / r.together), B: int32(r.batch / r.together)}, key, step)
	if r.together == 1 {
		return index
	}
	groups := b.Do(op.Reshape{To: op.S(r.train/r.together, r.together)}, b.Do(op.Iota{N: int32(r.train)}))
	return b.Do(op.Reshape{To: op.S(r.batch)}, b.Do(op.Gather{}, groups, index))
}

// rows emits the rows and targets of a set at the given indices u32[n] (0: all, in order).
func (r *recipe) rows(b *graph.Builder, set string, total int, index op.Value) (x, y op.Value) {
	y = b.Input(targetsOf(set), r.loss.Target(total, r.out))
	if r.in > 0 {
		x = b.Input(rowsOf(set), op.T(op.F32, op.Shared, total, r.in))
	}
	if index != 0 && r.in > 0 {
		x, y = b.Do(op.Gather{}, x, index), b.Do(op.Gather{}, y, index)
	}
	return x, y
}

// training is one step: a batch, the loss, its gradient with respect to z, the rule. A cell whose steps are done, or
// whose loss is not finite, keeps the State before that step.
func (r *recipe) training(capacity int) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		z := b.State(zState, r.start(b, capacity), op.Cell)
		step := b.State(stepDone, b.FillU(0), op.Cell)
		steps := b.Input(stepsIn, op.T(op.U32, op.Cell))
		var index op.Value
		if r.in > 0 {
			key := b.Input(keyOrder, op.T(op.U32, op.Seed, 2))
			index = r.order(b, key, step)
		}
		x, y := r.rows(b, "train", r.train, index)
		outputs := r.model.Outputs(b, r.theta(b, z, capacity), x)
		loss := model.MeanRows(b, r.loss.PerRow(b, outputs, y))
		g := b.Gradient(loss, z)[0]
		constants := map[string]op.Value{}
		for _, c := range r.rule.Constants() {
			constants[c.Name] = b.Input(constant(c.Name), op.T(op.F32, op.Cell))
		}
		total := b.Do(op.Cast{To: op.F32}, steps)
		b.Next(z, r.rule.Update(b, constants, step, total, loss, z, g))
		b.Next(step, b.Do(op.IAdd{}, step, b.FillU(1)))
		r.keep(b, step, loss)
		// loss - loss is 0 for a finite loss and NaN for any other.
		finite := b.Do(op.Eq, b.Do(op.Sub, loss, loss), b.Fill(0))
		more := b.Do(op.Lt, step, steps)
		b.Active(b.Do(op.Select{}, finite, more, finite))
	})
}

// keep has the program keep the losses of LossSteps, so that whoever runs it need not look at it at those steps: each loss goes behind
// the kept ones, over the one before it, until it is itself one to keep.
func (r *recipe) keep(b *graph.Builder, step, loss op.Value) {
	kept := b.State(lossDone, b.FillU(0, 1), op.Cell)
	all := b.State(losses, b.Fill(0, keptLosses, 1), op.Cell)
	at := b.Do(op.Gather{}, b.Input(lossAt, op.T(op.U32, op.Cell, keptLosses)), kept)
	due := b.Do(op.Eq, at, b.Do(op.Reshape{To: op.S(1)}, step))
	b.Next(kept, b.Do(op.IAdd{}, kept, b.Do(op.Cast{To: op.U32}, due)))
	row := b.Do(op.Reshape{To: op.S(1, 1)}, loss)
	b.Next(all, b.Do(op.PutRow{}, all, row, b.Do(op.Reshape{To: op.S()}, kept)))
}

// evaluation collects the loss of each row of a set, by parameters that theta emits, and whether it was classified right, in batches of rows; run it
// ceil(total / batch) steps. Batches do not matter to the result: nothing is reduced here.
func (r *recipe) evaluation(set string, total, batch int, theta func(b *graph.Builder) op.Value) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		at := b.State(fmt.Sprintf("%s.at", set), b.FillU(0), op.Shared)
		losses := b.State(eachLoss(set), b.Fill(0, total, 1), op.Cell)
		rights := b.State(eachRight(set), b.Fill(0, total, 1), op.Cell)
		index := b.Do(op.IAdd{}, b.Do(op.Broadcast{To: op.S(batch)}, at), b.Do(op.Iota{N: int32(batch)}))
		x, y := r.rows(b, set, total, index)
		outputs := r.model.Outputs(b, theta(b), x)
		b.Next(losses, b.Do(op.PutRow{}, losses, r.loss.PerRow(b, outputs, y), at))
		b.Next(rights, b.Do(op.PutRow{}, rights, r.loss.Correct(b, outputs, y), at))
		b.Next(at, b.Do(op.IAdd{}, at, b.FillU(uint32(batch))))
	})
}

// summary reduces what evaluation collected, once.
func summary(set string, total int) (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		t := op.T(op.F32, op.Cell, total, 1)
		b.OutputOver(meanLoss(set), model.MeanRows(b, b.Input(eachLoss(set), t)), op.Cell)
		count := b.Do(op.Sum{Axes: op.List(0)}, b.Input(eachRight(set), t))
		b.Output(countRight(set), b.Do(op.Reshape{To: op.S()}, count))
	})
}
