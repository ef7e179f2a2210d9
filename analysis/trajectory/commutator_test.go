package trajectory_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/analysis/trajectory"
	"lockstep/cpu"
	"lockstep/model"
	"lockstep/op"
	"lockstep/optest/reference"
)

func probe() trajectory.Probe {
	s := model.Spec{In: 4, Vocab: 5, Init: model.He, Layers: []model.Layer{
		model.Embedding{Vocab: 5, Out: 4, Positions: true}, model.Attention{Heads: 2, Causal: true, Norm: true}, model.LayerNorm{}, model.Last, model.Linear{Out: 3, Bias: true}}}
	p := trajectory.Probe{Model: s, Loss: model.CrossEntropy, Batch: 3, Pairs: 2, Seed: 7}
	p.X, p.Y = op.New(op.T(op.F32, op.Shared, 10, 4)), op.New(op.T(op.U32, op.Shared, 10, 1))
	for i := range p.X.W {
		p.X.SetF(i, float32(i*i%5))
	}
	for i := range p.Y.W {
		p.Y.W[i] = uint32(i % 3)
	}
	return p
}

func parameters(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.7 * r.NormFloat64())
	}
	return x
}

func measure(t *testing.T, p trajectory.Probe, how cpu.Options, snapshots ...[]float32) []trajectory.Moment {
	t.Helper()
	e, err := cpu.New(how)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := p.Measure(context.Background(), e, snapshots)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCommutator: two Hessian-vector products are the limit of the finite difference of two steps of gradient descent, in float64, as the learning rate goes to 0.
func TestCommutator(t *testing.T) {
	p := probe()
	theta := parameters(1, p.Model.D())
	got := measure(t, p, cpu.Options{}, theta)[0]
	key := op.Key(p.Seed, "commutator")
	for pair := range p.Pairs {
		rows, err := op.Run(op.RandInt{To: op.S(2 * p.Batch), N: 10}, op.Words32(op.U32, op.S(2), key[:]...), op.Words32(op.U32, op.S(), uint32(pair)))
		if err != nil {
			t.Fatal(err)
		}
		gradient := func(at []float64, index []uint32) []float64 {
			var x [][]float32
			var y []int
			for _, r := range index {
				x, y = append(x, p.X.F()[r*4:r*4+4]), append(y, int(p.Y.W[r]))
			}
			return reference.Gradient(p.Model, p.Loss, at, x, y, nil)
		}
		step := func(at, g []float64, eta float64) []float64 {
			y := slices.Clone(at)
			for i := range y {
				y[i] -= eta * g[i]
			}
			return y
		}
		a, b := rows[0].W[:p.Batch], rows[0].W[p.Batch:]
		start := make([]float64, len(theta))
		for i, v := range theta {
			start[i] = float64(v)
		}
		last := math.Inf(1)
		for _, eta := range []float64{1e-2, 1e-3, 1e-4} {
			ab := step(start, gradient(start, a), eta)
			ab = step(ab, gradient(ab, b), eta)
			ba := step(start, gradient(start, b), eta)
			ba = step(ba, gradient(ba, a), eta)
			off, size := 0., 0.
			for i := range ab {
				d := (ab[i] - ba[i]) / (eta * eta)
				off, size = off+math.Pow(float64(got.Commutators[pair][i])-d, 2), size+d*d
			}
			rel := math.Sqrt(off / size)
			if !(rel < last) {
				t.Errorf("pair %d: at eta = %v the finite difference is %.2g off, and was %.2g before", pair, eta, rel, last)
			}
			last = rel
		}
		if !(last < 1e-3) {
			t.Errorf("pair %d: the finite difference is %.2g off at eta = 1e-4; want 1e-3", pair, last)
		}
		t.Logf("pair %d: %.2g off at eta = 1e-4", pair, last)
		norm := 0.
		for _, v := range gradient(start, a) {
			norm += v * v
		}
		if math.Abs(math.Sqrt(norm)-float64(got.GradientA[pair])) > 1e-5*math.Sqrt(norm) {
			t.Errorf("the norm of gradient A is %v; want %v", got.GradientA[pair], math.Sqrt(norm))
		}
	}
}

// TestMeasure: a snapshot's moment hangs on its place and itself alone, not on the threads or the variant.
func TestMeasure(t *testing.T) {
	p := probe()
	var path [][]float32
	for i := range uint64(5) {
		path = append(path, parameters(i, p.Model.D()))
	}
	want := measure(t, p, cpu.Options{Threads: 2}, path...)
	for _, how := range []cpu.Options{{Threads: 1}, {Threads: 1, Variants: []string{cpu.Law}}} {
		for i, m := range measure(t, p, how, path...) {
			if !slices.EqualFunc(m.Commutators, want[i].Commutators, slices.Equal[[]float32]) || m.Entropy != want[i].Entropy || !slices.Equal(m.GradientB, want[i].GradientB) {
				t.Errorf("snapshot %d: other bits with %+v", i, how)
			}
		}
	}
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if rest, err := p.MeasureFrom(context.Background(), e, path[3:], 3); err != nil || !slices.Equal(rest[1].Commutators[1], want[4].Commutators[1]) {
		t.Errorf("the end of the path by itself has other bits, error %v", err)
	}
	// More snapshots than a pack takes: those of the later packs have the batches of their own places.
	for i := range uint64(16) {
		path = append(path, parameters(5+i, p.Model.D()))
	}
	long := measure(t, p, cpu.Options{}, path...)
	for _, i := range []int{4, 15, 16, 20} {
		if alone, err := p.MeasureFrom(context.Background(), e, path[i:i+1], i); err != nil || !slices.Equal(alone[0].Commutators[1], long[i].Commutators[1]) {
			t.Errorf("snapshot %d of %d by itself has other bits, error %v", i, len(path), err)
		}
	}
	if slices.Equal(want[0].Commutators[0], want[0].Commutators[1]) || want[0].Entropy <= 0 || want[0].Entropy >= float32(math.Log(4)) {
		t.Errorf("two pairs give one commutator, or the entropy %v is not between 0 and log 4", want[0].Entropy)
	}
	// Equal keys for all positions: every weight is 1/4, and the entropy log 4.
	flat := make([]float32, p.Model.D())
	for i := range flat {
		flat[i] = 0.25
	}
	if e := measure(t, p, cpu.Options{}, flat)[0].Entropy; math.Abs(float64(e)-math.Log(4)) > 1e-6 {
		t.Errorf("of equal weights the entropy is %v; want log 4", e)
	}
}
