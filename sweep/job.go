package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"lockstep/graph"
	"lockstep/op"
)

// job is a pack at work.
type job struct {
	*packPlan
	pack     graph.Pack
	capacity int
	seeds    []int // slot of each cell
}

func (p *packPlan) run(ctx context.Context, o Options) ([]Result, error) {
	j := &job{packPlan: p, capacity: p.capacity(), seeds: p.seeds()}
	var err error
	if j.pack, err = o.Engine.NewPack(len(p.cells), graph.Groups{op.Seed: j.seeds}); err != nil {
		return nil, err
	}
	defer j.pack.Close()
	if err := j.bind(); err != nil {
		return nil, err
	}
	if err := j.once(ctx)(p.recipe.setup(j.capacity)); err != nil {
		return nil, err
	}
	if err := j.train(ctx, o); err != nil {
		return nil, err
	}
	if err := j.evaluate(ctx, "train", p.recipe.train); err != nil {
		return nil, err
	}
	if p.recipe.test > 0 {
		if err := j.evaluate(ctx, "test", p.recipe.test); err != nil {
			return nil, err
		}
	}
	results := make([]Result, len(p.cells))
	for i := range p.cells {
		if results[i], err = j.result(i); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// bind puts the data, the keys and the cells' numbers into the pack.
func (j *job) bind() error {
	r, set := j.recipe, j.set
	order := make([]int, set.N)
	key := op.Key(splitSeed, "split")
	for i := range order {
		order[i] = int(op.Permute(key, 0, uint32(set.N), uint32(i)))
	}
	for _, part := range []struct {
		name string
		rows []int
	}{{"test", order[:r.test]}, {"train", order[r.test:]}} {
		if len(part.rows) == 0 {
			continue
		}
		var x, t []float32
		var y []uint32
		for _, i := range part.rows {
			x = append(x, set.X[i*set.In:(i+1)*set.In]...)
			t = append(t, set.T[i*set.Targets:(i+1)*set.Targets]...)
			if set.Classes > 0 {
				y = append(y, set.Y[i])
			}
		}
		if set.In > 0 {
			if err := j.pack.Put(rowsOf(part.name), op.T(op.F32, op.Shared, len(part.rows), set.In), 0, floatBytes(x)); err != nil {
				return err
			}
		}
		targets := floatBytes(t)
		if set.Classes > 0 {
			targets = op.Bytes(y)
		}
		if err := j.pack.Put(targetsOf(part.name), r.loss.Target(len(part.rows), r.out), 0, targets); err != nil {
			return err
		}
	}
	for i, c := range j.cells {
		for name, stream := range map[string]string{keyTheta: "theta", keyBasis: "basis", keyOrder: "order"} {
			k := op.Key(c.Seed, stream)
			if err := j.pack.Put(name, op.T(op.U32, op.Seed, 2), j.seeds[i], op.Bytes(k[:])); err != nil {
				return err
			}
		}
		for name, n := range map[string]int{dIn: c.Dim(), stepsIn: c.Steps} {
			if err := j.pack.Put(name, op.T(op.U32, op.Cell), i, op.Bytes([]uint32{uint32(n)})); err != nil {
				return err
			}
		}
		for _, k := range c.Rule.Constants() {
			if err := j.pack.Put(constant(k.Name), op.T(op.F32, op.Cell), i, floatBytes([]float32{k.Value})); err != nil {
				return err
			}
		}
	}
	return nil
}

// once runs one step of a program.
func (j *job) once(ctx context.Context) func(p *graph.Program, err error) error {
	return func(p *graph.Program, err error) error {
		if err != nil {
			return err
		}
		x, err := j.pack.Compile(p)
		if err != nil {
			return err
		}
		defer x.Close()
		return x.Run(ctx, 1)
	}
}

// train runs the training program until every cell has done its steps or has diverged.
func (j *job) train(ctx context.Context, o Options) error {
	p, err := j.recipe.training(j.capacity)
	if err != nil {
		return err
	}
	x, err := j.pack.Compile(p)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Reset(ctx); err != nil {
		return err
	}
	total := 0
	for _, c := range j.cells {
		total = max(total, c.Steps)
	}
	chunk := 4
	for done := 0; done < total; {
		n := min(chunk, total-done)
		start := time.Now()
		if err := x.Run(ctx, n); err != nil {
			return err
		}
		if o.Progress != nil {
			cellSteps := 0
			for _, c := range j.cells {
				cellSteps += min(done+n, c.Steps) - min(done, c.Steps)
			}
			o.Progress.Advance(cellSteps)
		}
		done += n
		if took := time.Since(start); took < chunkTime/2 {
			chunk *= 2
		} else if took > 2*chunkTime {
			chunk = max(1, chunk/2)
		}
	}
	return nil
}

func (j *job) evaluate(ctx context.Context, set string, total int) error {
	rows := min(evalRows, total)
	p, err := j.recipe.evaluation(set, total, rows, j.capacity)
	if err != nil {
		return err
	}
	x, err := j.pack.Compile(p)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Reset(ctx); err != nil {
		return err
	}
	if err := x.Run(ctx, (total+rows-1)/rows); err != nil {
		return err
	}
	return j.once(ctx)(summary(set, total))
}

// result reads what cell i gave.
func (j *job) result(i int) (Result, error) {
	c := j.cells[i]
	res := Result{
		ID: c.ID(), Arm: c.Arm, Axes: c.Axes, Seed: c.Seed, Params: c.Model.D(), D: c.Dim(), Law: op.Version,
		Declared: Declared{TestLoss: Hex(math.Float32frombits(op.NaN))},
	}
	var err error
	word := func(name string) uint32 {
		b := make([]byte, 4)
		if e := j.pack.Read(name, i, b); err == nil {
			err = e
		}
		return binary.LittleEndian.Uint32(b)
	}
	number := func(name string) float32 { return math.Float32frombits(word(name)) }
	d := &res.Declared
	d.Steps = int(word(stepDone))
	d.Diverged = d.Steps < c.Steps
	z := make([]byte, 4*j.capacity)
	if e := j.pack.Read(zState, i, z); err == nil {
		err = e
	}
	h := sha256.Sum256(z[:4*c.Dim()])
	d.Z = hex.EncodeToString(h[:])
	d.TrainLoss, d.TrainCorrect = Hex(number(meanLoss("train"))), int(number(countRight("train")))
	if j.recipe.test > 0 {
		d.TestLoss, d.TestCorrect = Hex(number(meanLoss("test"))), int(number(countRight("test")))
	}
	res.derive(j.recipe.test)
	return res, err
}

func floatBytes(f []float32) []byte {
	b := make([]byte, 0, 4*len(f))
	for _, x := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
