package trajectory

import (
	"context"
	"errors"
	"fmt"

	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
)

// Probe is what is measured at the snapshots of a model: on rows of a data set.
type Probe struct {
	Model model.Spec
	Loss  model.Loss
	X     op.Tensor // f32[N, In]: rows from which batches are drawn
	Y     op.Tensor // u32[N, 1] or f32[N, out]
	Batch int       // rows of a batch
	Pairs int       // of batches at each snapshot
	Seed  uint64    // of the batches
}

// Moment is what a probe gives at a snapshot. All of it is declared.
type Moment struct {
	// Commutators [Pairs][D]: of the steps of gradient descent along two batches' gradients, in units of the squared learning rate: H_B g_A - H_A g_B, the limit of
	// (theta_AB - theta_BA) / eta^2 as eta goes to 0, where theta_AB takes the step along batch A first. It is made of two Hessian-vector products
	// and one subtraction; the difference of two almost equal vectors of parameters would cancel.
	Commutators [][]float32
	// GradientA and GradientB [Pairs] are the norms of the two gradients.
	GradientA, GradientB []float32
	// Entropy is that of the last attention layer's weights at the last position, in nats: the mean over heads and over all rows of the first batch; 0 if
	// the model has no attention.
	Entropy float32
}

const (
	thetaIn    = "theta"
	rowsIn     = "x"
	targetsIn  = "y"
	keyBatches = "key.batches"
	pairIn     = "pair" // u32[] per cell
)

// program measures one pair of batches at one snapshot.
func (p Probe) program() (*graph.Program, error) {
	return graph.Trace(func(b *graph.Builder) {
		n, D := p.Y.At(0), p.Model.D()
		// A state, so that all that hangs on it is of a step, whose values share a thread's memory: what is computed once is kept for each cell.
		theta := b.State(thetaIn, b.Fill(0, D), op.Cell)
		b.Next(theta, theta)
		x, y := b.Input(rowsIn, op.T(op.F32, op.Shared, n, p.Model.In)), b.Input(targetsIn, op.T(p.Y.DType, op.Shared, p.Y.Dims()...))
		key, pair := b.Input(keyBatches, op.T(op.U32, op.Shared, 2)), b.Input(pairIn, op.T(op.U32, op.Cell))
		rows := b.Do(op.RandInt{To: op.S(2 * p.Batch), N: uint32(n)}, key, pair)
		loss := func(from int, see func(int, string, op.Value)) op.Value {
			index := b.Do(op.Slice{Start: int32(from), Len: int32(p.Batch)}, rows)
			outputs := p.Model.Observe(b, theta, b.Do(op.Gather{}, x, index), see)
			return model.MeanRows(b, p.Loss.PerRow(b, outputs, b.Do(op.Gather{}, y, index)))
		}
		var attention op.Value
		lossA := loss(0, func(_ int, name string, v op.Value) {
			if name == "probabilities" {
				attention = v
			}
		})
		lossB := loss(p.Batch, func(int, string, op.Value) {})
		gA, gB := b.Gradient(lossA, theta), b.Gradient(lossB, theta)
		hBgA := b.JVP(gB, []op.Value{theta}, gA)[0]
		hAgB := b.JVP(gA, []op.Value{theta}, gB)[0]
		b.Output("commutator", b.Do(op.Sub, hBgA, hAgB))
		norm := func(g op.Value) op.Value {
			return b.Do(op.Reshape{To: op.S()}, b.Do(op.Sqrt, b.Do(op.Sum{Axes: "0"}, b.Do(op.Mul, g, g))))
		}
		b.Output("norm.a", norm(gA[0]))
		b.Output("norm.b", norm(gB[0]))
		if attention != 0 {
			b.Output("entropy", entropy(b, attention))
		}
	})
}

// entropy emits the mean over rows and heads of -sum(p * log(p)) of the last query's weights f32[rows, heads, positions, positions].
func entropy(b *graph.Builder, p op.Value) op.Value {
	s := b.Type(p)
	p = b.Do(op.Slice{Axis: 2, Start: s.D[2] - 1, Len: 1}, p)
	zero := op.FillLike(b, 0, p)
	each := b.Do(op.Select{}, b.Do(op.Gt, p, zero), b.Do(op.Mul, p, b.Do(op.Log, p)), zero)
	sum := b.Do(op.Reshape{To: op.S(s.At(0), s.At(1))}, b.Do(op.Sum{Axes: "3"}, each))
	return b.Do(op.Reshape{To: op.S()}, b.Do(op.Neg, b.Do(op.Mean{Axes: "0,1"}, sum)))
}

// Measure takes a probe at every snapshot f32[D] of a path; each snapshot and pair of batches is a cell of its own.
func (p Probe) Measure(ctx context.Context, e graph.Engine, path [][]float32) ([]Moment, error) {
	return p.MeasureFrom(ctx, e, path, 0)
}

// MeasureFrom is Measure of a part of a path, whose snapshots are those from number first on.
func (p Probe) MeasureFrom(ctx context.Context, e graph.Engine, snapshots [][]float32, first int) ([]Moment, error) {
	if p.Batch < 1 || p.Pairs < 1 || p.Y.Rank != 2 || p.X.Rank != 2 {
		return nil, fmt.Errorf("trajectory: a probe of %d pairs of batches of %d rows of %s; want at least 1 of both, and rows with targets", p.Pairs, p.Batch, p.X.Type)
	}
	program, err := p.program()
	if err != nil {
		return nil, err
	}
	all := make([]Moment, len(snapshots))
	// As many snapshots as make a pack of some cells: memory is for a pack's commutators, and a thread works on a cell.
	const most = 32
	each := max(1, most/p.Pairs)
	for from := 0; from < len(all); from += each {
		to := min(from+each, len(all))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.measure(ctx, e, program, snapshots[from:to], first+from, all[from:to]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p Probe) measure(ctx context.Context, e graph.Engine, program *graph.Program, snapshots [][]float32, first int, moments []Moment) (err error) {
	pack, err := e.NewPack(len(snapshots)*p.Pairs, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	key := op.Key(p.Seed, "commutator")
	shared := map[string]op.Tensor{rowsIn: p.X, targetsIn: p.Y, keyBatches: op.Words32(op.U32, op.S(2), key[:]...)}
	for name, t := range shared {
		t.Domain = op.Shared
		if err := pack.Put(name, t.Type, 0, op.Bytes(t.W)); err != nil {
			return err
		}
	}
	D := p.Model.D()
	for i, theta := range snapshots {
		if len(theta) != D {
			return fmt.Errorf("trajectory: a snapshot of %d numbers; the model has %d", len(theta), D)
		}
		t := op.Float32s(op.S(D), theta...)
		for k := range p.Pairs {
			c := i*p.Pairs + k
			if err := pack.Put(thetaIn, op.T(op.F32, op.Cell, D), c, op.Bytes(t.W)); err != nil {
				return err
			}
			// Pairs are numbered through, so that no two snapshots see the same batches.
			if err := pack.Put(pairIn, op.T(op.U32, op.Cell), c, op.Bytes([]uint32{uint32((first+i)*p.Pairs + k)})); err != nil {
				return err
			}
		}
	}
	x, err := pack.Compile(program)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Run(ctx, 1); err != nil {
		return err
	}
	read := func(name string, cell, n int) ([]float32, error) {
		t, b := op.New(op.T(op.F32, op.Cell, n)), make([]byte, 4*n)
		err := pack.Read(name, cell, b)
		op.PutWords(t.W, b)
		return t.F(), err
	}
	number := func(name string, cell int) float32 {
		v, e := read(name, cell, 1)
		if err == nil {
			err = e
		}
		return v[0]
	}
	for i := range moments {
		m := &moments[i]
		for k := range p.Pairs {
			v, e := read("commutator", i*p.Pairs+k, D)
			if e != nil {
				return e
			}
			m.Commutators = append(m.Commutators, v)
			m.GradientA = append(m.GradientA, number("norm.a", i*p.Pairs+k))
			m.GradientB = append(m.GradientB, number("norm.b", i*p.Pairs+k))
		}
		if hasAttention(program) {
			m.Entropy = number("entropy", i*p.Pairs)
		}
	}
	return err
}

func hasAttention(p *graph.Program) bool {
	for _, o := range p.Out {
		if o.Name == "entropy" {
			return true
		}
	}
	return false
}
