package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"lockstep/graph"
	"lockstep/op"
)

// job is a pack at work.
type job struct {
	*packPlan
	*worker
	pack     graph.Pack
	capacity int
	seeds    []int // slot of each cell
	trains   []training
	states   []state   // of the training program
	last     time.Time // when a checkpoint was written, or the training was begun
	handed   int       // cells whose results were handed over: the first ones
}

// newJob is a pack before its work begins.
func (w *worker) newJob(p *packPlan) *job {
	return &job{packPlan: p, worker: w, capacity: p.capacity(), seeds: p.seeds(), trains: make([]training, len(p.cells))}
}

// work trains and evaluates the pack, and hands over its cells' results one by one.
func (j *job) work(ctx context.Context) (err error) {
	if j.pack, err = j.engine.NewPack(len(j.cells), graph.Groups{op.Seed: j.seeds}); err != nil {
		return err
	}
	defer j.pack.Close()
	j.used() // what counts is used from now on
	if err := j.bind(); err != nil {
		return err
	}
	if err := j.once(ctx)(j.recipe.setup(j.capacity)); err != nil {
		return err
	}
	j.spend(alike)
	if err := j.train(ctx); err != nil {
		return err
	}
	if err := j.handOver(ctx); err != nil {
		if e := j.checkpoint(); e != nil && !errors.Is(e, graph.ErrLost) { // or what was trained since the last one is lost
			err = fmt.Errorf("%w; moreover %w", err, e)
		}
		return err
	}
	return j.forget()
}

// rest is the pack without the cells that were handed over.
func (j *job) rest() *packPlan {
	p := *j.packPlan
	p.cells, p.index = p.cells[j.handed:], p.index[j.handed:]
	return &p
}

// again tells why the rest of the pack begins once more, from what is kept: of its cells no step counts as done.
func (j *job) again(why error) {
	steps := 0
	for i, t := range j.trains[j.handed:] {
		if steps += t.steps; t.frozen {
			steps += j.cells[j.handed+i].Steps - t.steps
		}
	}
	if steps > 0 {
		j.progress.Skip(0, -steps, 0)
	}
	j.progress.Trouble(why)
}

// handOver evaluates the cells and hands over their results.
func (j *job) handOver(ctx context.Context) error {
	err := j.evaluateAll(ctx, j.recipe.trained(j.capacity))
	j.spend(alike)
	if err != nil {
		return err
	}
	for i := range j.cells {
		res, err := j.result(i)
		if err == nil {
			err = j.done(res)
		}
		if err != nil {
			return err
		}
		j.handed++
	}
	return nil
}

// evaluateAll evaluates the cells on both sets, with parameters that theta emits.
func (j *job) evaluateAll(ctx context.Context, theta func(b *graph.Builder) op.Value) error {
	if err := j.evaluate(ctx, "train", j.recipe.train, theta); err != nil || j.recipe.test == 0 {
		return err
	}
	return j.evaluate(ctx, "test", j.recipe.test, theta)
}

// bind puts the data, the keys and the cells' numbers into the pack.
func (j *job) bind() error {
	train, test := j.set.Split()
	if err := j.bindRows("train", train); err != nil {
		return err
	}
	if err := j.bindRows("test", test); err != nil {
		return err
	}
	// Only what a program reads: all else would be memory that no plan counts.
	ragged, streams := j.recipe.subspace.Ragged(), map[string]string{keyTheta: "theta"}
	if ragged {
		streams[keyBasis] = "basis"
	}
	if j.recipe.in > 0 {
		streams[keyOrder] = "order"
	}
	for i, c := range j.cells {
		for name, stream := range streams {
			k := op.Key(c.Seed, stream)
			if err := j.pack.Put(name, op.T(op.U32, op.Seed, 2), j.seeds[i], op.Bytes(k[:])); err != nil {
				return err
			}
		}
		numbers := map[string]int{stepsIn: c.Steps}
		if ragged {
			numbers[dIn] = c.Dim()
		}
		for name, n := range numbers {
			if err := j.pack.Put(name, op.T(op.U32, op.Cell), i, op.Bytes([]uint32{uint32(n)})); err != nil {
				return err
			}
		}
		if err := j.pack.Put(lossAt, op.T(op.U32, op.Cell, keptLosses), i, op.Bytes(lossTable(c.Steps))); err != nil {
			return err
		}
		for _, k := range c.Rule.Constants() {
			if err := j.pack.Put(constant(k.Name), op.T(op.F32, op.Cell), i, appendFloats(nil, []float32{k.Value})); err != nil {
				return err
			}
		}
	}
	return nil
}

// bindRows puts rows of the data into the pack, in the given order, and their targets.
func (j *job) bindRows(name string, rows []int) error {
	if len(rows) == 0 {
		return nil
	}
	set := j.set
	if set.In > 0 {
		x := make([]byte, 0, 4*len(rows)*set.In)
		for _, i := range rows {
			x = appendFloats(x, set.X[i*set.In:(i+1)*set.In])
		}
		if err := j.pack.Put(rowsOf(name), op.T(op.F32, op.Shared, len(rows), set.In), 0, x); err != nil {
			return err
		}
	}
	var targets []byte
	for _, i := range rows {
		if set.Classes > 0 {
			targets = binary.LittleEndian.AppendUint32(targets, set.Y[i])
		} else {
			targets = appendFloats(targets, set.T[i*set.Targets:(i+1)*set.Targets])
		}
	}
	return j.pack.Put(targetsOf(name), j.recipe.loss.Target(len(rows), j.recipe.out), 0, targets)
}

// once runs one step of a program.
func (j *job) once(ctx context.Context) func(p *graph.Program, err error) error {
	return func(p *graph.Program, err error) error {
		if err != nil {
			return err
		}
		x, err := j.start(ctx, p)
		if err != nil {
			return err
		}
		defer x.Close()
		return x.Run(ctx, 1)
	}
}

// start compiles a program and sets its states to their beginnings.
func (j *job) start(ctx context.Context, p *graph.Program) (graph.Executable, error) {
	x, err := j.pack.Compile(p)
	if err != nil {
		return nil, err
	}
	if err := x.Reset(ctx); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (j *job) evaluate(ctx context.Context, set string, total int, theta func(b *graph.Builder) op.Value) error {
	rows := min(evalRows, total)
	p, err := j.recipe.evaluation(set, total, rows, theta)
	if err != nil {
		return err
	}
	x, err := j.start(ctx, p)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Run(ctx, (total+rows-1)/rows); err != nil {
		return err
	}
	return j.once(ctx)(summary(set, total))
}

// result reads what cell i gave.
func (j *job) result(i int) (Result, error) {
	c := j.cells[i]
	res := Result{
		ID: c.ID(), Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, Params: c.Model.D(), D: c.Dim(), Steps: c.Steps, Law: op.Version,
		Declared: Declared{TestLoss: Hex(math.Float32frombits(op.NaN))},
	}
	if joules := j.trains[i].joules; joules == joules {
		res.Joules = &joules
	}
	kept, err := j.losses(i)
	d := &res.Declared
	d.Steps, d.Diverged, d.Losses = j.trains[i].steps, j.trains[i].frozen, kept
	z := make([]byte, 4*j.capacity)
	if e := j.pack.Read(zState, i, z); err == nil {
		err = e
	}
	h := sha256.Sum256(z[:4*c.Dim()])
	d.Z = hex.EncodeToString(h[:])
	if e := j.scores(i, d); err == nil {
		err = e
	}
	res.derive(j.recipe.test)
	return res, err
}

// scores reads what the evaluation of cell i gave.
func (j *job) scores(i int, d *Declared) (err error) {
	number := func(name string) float32 {
		w, e := j.word(name, i)
		if err == nil {
			err = e
		}
		return math.Float32frombits(w)
	}
	d.TrainLoss, d.TrainCorrect = Hex(number(meanLoss("train"))), int(number(countRight("train")))
	if j.recipe.test > 0 {
		d.TestLoss, d.TestCorrect = Hex(number(meanLoss("test"))), int(number(countRight("test")))
	}
	return err
}

// losses reads what cell i kept of LossSteps.
func (j *job) losses(i int) (kept []Hex, err error) {
	n, err := j.word(lossDone, i)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 4*keptLosses)
	if err := j.pack.Read(losses, i, b); err != nil {
		return nil, err
	}
	for k := range int(n) {
		kept = append(kept, Hex(math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:]))))
	}
	return kept, nil
}

// word reads an array of one word.
func (j *job) word(name string, cell int) (uint32, error) {
	var b [4]byte
	err := j.pack.Read(name, cell, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func appendFloats(b []byte, f []float32) []byte {
	for _, x := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
