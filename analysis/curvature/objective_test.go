package curvature_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
	"lockstep/model"
	"lockstep/op"
	"lockstep/optest/reference"
	"lockstep/subspace"
)

// problem is an objective of these tests.
type problem struct{ curvature.Objective }

func mlp(act model.Activation, loss model.Loss) problem {
	s := model.Spec{In: 3, Init: model.He, Layers: []model.Layer{
		model.Linear{Out: 5, Bias: true}, act, model.Linear{Out: 4, Bias: true}, act, model.Linear{Out: 3, Bias: true}}}
	return newProblem(s, loss, 7)
}

// transformer is a decoder of two blocks, one with an MLP, on sequences of five tokens.
func transformer() problem {
	s := model.Spec{In: 5, Vocab: 6, Init: model.He, Layers: []model.Layer{
		model.Embedding{Vocab: 6, Out: 4, Positions: true}, model.Attention{Heads: 2, Causal: true, Norm: true},
		model.MLP{Hidden: 5, Activation: model.GELU, Norm: true, Bias: true}, model.LayerNorm{}, model.Last, model.Linear{Out: 3, Bias: true}}}
	return newProblem(s, model.CrossEntropy, 5)
}

func newProblem(s model.Spec, loss model.Loss, rows int) problem {
	o := curvature.Objective{Model: s, Loss: loss, Kind: curvature.Hessian, Theta: [][]float32{normals(3, s.D(), 0.7)}}
	x := normals(4, rows*s.In, 1)
	if s.Vocab > 0 {
		for i := range x {
			x[i] = float32(i * i % s.Vocab)
		}
	}
	o.X = op.Float32s(op.S(rows, s.In), x...)
	o.Y = op.New(op.T(op.U32, op.Shared, rows, 1))
	for i := range o.Y.W {
		o.Y.W[i] = uint32(i * 2 % s.Out())
	}
	if loss == model.SquaredError {
		o.Y = op.Float32s(op.S(rows, s.Out()), normals(5, rows*s.Out(), 1)...)
	}
	return problem{o}
}

func (o problem) session(t testing.TB, how curvature.Options) *curvature.Session {
	t.Helper()
	a, err := o.Operator()
	if err != nil {
		t.Fatal(err)
	}
	return session(t, a, how)
}

// product is the matrix times a vector, at any number of models.
func (o problem) product(t testing.TB, v []float32) []float32 {
	t.Helper()
	y, err := o.session(t, curvature.Options{}).Multiply(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func times(m [][]float64, v []float32) []float64 {
	y := make([]float64, len(m))
	for i := range m {
		for j, x := range v {
			y[i] += m[i][j] * float64(x)
		}
	}
	return y
}

func size(x []float64) (s float64) {
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// largest is the norm of a symmetric matrix, by power iteration of its square.
func largest(m [][]float64) float64 {
	v := make([]float32, len(m))
	for i := range v {
		v[i] = float32(math.Cos(float64(i)))
	}
	n := 0.
	for range 50 {
		y := times(m, v)
		n = size(y) / size(wide(v))
		for i := range v {
			v[i] = float32(y[i] / size(y))
		}
	}
	return n
}

// off is |got - want| / (|M| |v|).
func off(got []float32, want []float64, m [][]float64, v []float32) float64 {
	d := make([]float64, len(want))
	for i := range d {
		d[i] = float64(got[i]) - want[i]
	}
	return size(d) / (largest(m) * size(wide(v)))
}

// TestProducts: every kind of product agrees with the explicit float64 matrix.
func TestProducts(t *testing.T) {
	for name, o := range map[string]problem{
		"relu": mlp(model.ReLU, model.CrossEntropy), "tanh": mlp(model.Tanh, model.CrossEntropy), "gelu": mlp(model.GELU, model.SquaredError),
		"sigmoid": mlp(model.Sigmoid, model.SquaredError), "transformer": transformer(),
	} {
		m := o.explicit()
		v := normals(9, o.Model.D(), 1)
		for kind, want := range map[curvature.Kind][][]float64{curvature.Hessian: m.hessian, curvature.GaussNewton: m.ggn, curvature.EmpiricalFisher: m.empirical} {
			o.Kind = kind
			for _, batch := range []int{0, 1, 2, 5} {
				o.Batch = batch
				if d := off(o.product(t, v), times(want, v), want, v); !(d < 1e-5) {
					t.Errorf("%s, %s in batches of %d: off by %.2g of |M| |v|; want 1e-5", name, kind, batch, d)
				} else if batch == 0 {
					t.Logf("%s, %s: off by %.2g of |M| |v|", name, kind, d)
				}
			}
		}
		// Symmetry, and that Gauss-Newton matrices are positive semi-definite to rounding.
		u := normals(10, o.Model.D(), 1)
		o.Batch = 0
		for _, kind := range curvature.Kinds() {
			o.Kind = kind
			mv, mu := wide(o.product(t, v)), wide(o.product(t, u))
			umv, vmu, vmv := 0., 0., 0.
			for i := range mv {
				umv, vmu, vmv = umv+float64(u[i])*mv[i], vmu+float64(v[i])*mu[i], vmv+float64(v[i])*mv[i]
			}
			if !(math.Abs(umv-vmu) <= 1e-5*size(wide(u))*size(mv)) {
				t.Errorf("%s, %s: u'Mv = %v, v'Mu = %v", name, kind, umv, vmu)
			}
			if kind != curvature.Hessian && !(vmv >= -1e-6*size(wide(v))*size(mv)) {
				t.Errorf("%s, %s: v'Mv = %v is negative", name, kind, vmv)
			}
		}
	}
}

// TestMonteCarloFisher: over many draws its mean is the Gauss-Newton matrix of cross-entropy, and of squared error, up to the scale of the variance.
func TestMonteCarloFisher(t *testing.T) {
	for _, loss := range []model.Loss{model.CrossEntropy, model.SquaredError} {
		o := mlp(model.Tanh, loss)
		m := o.explicit()
		v := normals(9, o.Model.D(), 1)
		want, mean := times(m.ggn, v), make([]float32, o.Model.D())
		o.Kind = curvature.Fisher
		const draws = 400
		for seed := range uint64(draws) {
			o.Seed = seed
			for i, x := range o.product(t, v) {
				mean[i] += x / draws
			}
		}
		dot, norm := 0., 0.
		for i := range want {
			dot += float64(mean[i]) * want[i]
			norm += want[i] * want[i]
		}
		// Of squared error too: (o - y)^2 is -log of a normal density of variance 1/2, whose Fisher matrix is 2 J'J.
		if r := dot / norm; !(math.Abs(r-1) < 0.1) {
			t.Errorf("%s: the mean of %d draws is %.3f of the Fisher matrix's product", loss, draws, r)
		}
	}
}

// TestLosses: the mean loss of each model, in float64, whatever the batches.
func TestLosses(t *testing.T) {
	e := engine(t, cpu.Options{Threads: 2})
	for name, o := range map[string]problem{"mlp": mlp(model.Tanh, model.CrossEntropy), "squared error": mlp(model.GELU, model.SquaredError), "transformer": transformer()} {
		o.Theta = append(o.Theta, normals(8, o.Model.D(), 0.5))
		for _, o.Batch = range []int{0, 1, 2, 3} {
			got, err := o.Losses(t.Context(), e)
			if err != nil || len(got) != 2 {
				t.Fatal(got, err)
			}
			for m, theta := range o.Theta {
				x := make([]number, len(theta))
				for i, v := range theta {
					x[i].A = float64(v)
				}
				n, want := reference.New(o.Model, x), 0.
				for r := range o.Y.At(0) {
					_, loss := o.row(n, r)
					want += loss.A / float64(o.Y.At(0))
				}
				if math.Abs(float64(got[m])-want) > 2e-6*want {
					t.Errorf("%s, model %d in batches of %d: %v; want %v", name, m, o.Batch, got[m], want)
				}
			}
		}
	}
}

// TestRowGradients: per-example gradients are those in float64, of several models at once the bits of each alone, and of a block the block's.
func TestRowGradients(t *testing.T) {
	e := engine(t, cpu.Options{Threads: 2})
	for name, o := range map[string]problem{"mlp": mlp(model.Tanh, model.CrossEntropy), "squared error": mlp(model.GELU, model.SquaredError), "transformer": transformer()} {
		want := o.explicit().slopes
		alone, err := o.RowGradients(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if len(alone) != 1 || len(alone[0]) != len(want) {
			t.Fatalf("%s: gradients of %d rows of %d models", name, len(alone[0]), len(alone))
		}
		for r, g := range alone[0] {
			d := make([]float64, len(g))
			for i, x := range g {
				d[i] = float64(x) - want[r][i]
			}
			if !(size(d) <= 1e-5*size(want[r])) {
				t.Errorf("%s, row %d: off by %.2g of its length", name, r, size(d)/size(want[r]))
			}
		}
		block := o.Model.Blocks()[0]
		o.Theta = append([][]float32{normals(8, o.Model.D(), 0.5)}, o.Theta...)
		both, err := o.RowGradients(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		o.Block = &block
		part, err := o.RowGradients(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		for r, g := range alone[0] {
			if !slices.Equal(bitsOf(both[1][r]), bitsOf(g)) || slices.Equal(bitsOf(both[0][r]), bitsOf(g)) {
				t.Errorf("%s, row %d: beside another model it is another gradient, or the other's", name, r)
			}
			for i, at := range block.Offsets() {
				if part[1][r][i] != g[at] {
					t.Fatalf("%s, row %d: number %d of block %s is %v; want %v", name, r, i, block.Name, part[1][r][i], g[at])
				}
			}
		}
	}
}

// drawn is the problem with the targets that a Fisher matrix of its seed draws, from its own outputs in float64 and the noise of each row.
func (o problem) drawn() problem {
	theta := make([]number, o.Model.D())
	for k, v := range o.Theta[0] {
		theta[k].A = float64(v)
	}
	n := reference.New(o.Model, theta)
	rows, out := o.Y.At(0), o.Model.Out()
	if o.Loss == model.SquaredError {
		out = o.Y.At(1)
	}
	key := op.Key(o.Seed, "fisher")
	y := op.New(o.Y.Type)
	for r := range rows {
		noise := op.New(op.T(op.F32, op.Shared, r+1, out)) // the last row counts: so it does not hang on how many there are
		in := []op.Tensor{op.Words32(op.U32, op.S(2), key[:]...), op.Words32(op.U32, op.S(), 0)}
		if o.Loss == model.CrossEntropy {
			op.Uniform{To: op.S(r+1, out), Hi: op.B(1)}.Law([]op.Tensor{noise}, in)
		} else {
			op.Normal{To: op.S(r+1, out)}.Law([]op.Tensor{noise}, in)
		}
		best, label := math.Inf(-1), 0
		for c, z := range n.Outputs(o.X.F()[r*o.X.At(1) : (r+1)*o.X.At(1)]) {
			e := float64(noise.F()[r*out+c])
			if o.Loss == model.SquaredError {
				y.SetF(r*out+c, float32(z.A-math.Sqrt2*e/2)) // the loss's slope is 2 (z - y)
			} else if v := z.A - math.Log(-math.Log(e)); v > best {
				best, label = v, c
			}
		}
		if o.Loss == model.CrossEntropy {
			y.W[r] = uint32(label)
		}
	}
	o.Y = y
	return o
}

// TestFisher: a product agrees with the explicit matrix of the gradients at the targets that were drawn, in batches that divide the rows, and not.
func TestFisher(t *testing.T) {
	for name, o := range map[string]problem{"cross-entropy": mlp(model.Tanh, model.CrossEntropy), "squared error": mlp(model.Tanh, model.SquaredError), "transformer": transformer()} {
		v := normals(9, o.Model.D(), 1)
		o.Kind = curvature.Fisher
		for _, batch := range []int{0, 2} {
			for o.Seed = range uint64(2) {
				if o.Batch = batch; name == "transformer" && (batch == 0 || o.Seed > 0) {
					continue // its explicit matrix takes a while
				}
				want := o.drawn().explicit().empirical
				if d := off(o.product(t, v), times(want, v), want, v); !(d < 1e-5) {
					t.Errorf("%s, seed %d in batches of %d: off by %.2g of |M| |v|; want 1e-5", name, o.Seed, batch, d)
				}
			}
		}
	}
}

// TestBlocks: restricted to a block the matrix is that block of the whole.
func TestBlocks(t *testing.T) {
	one := transformer()
	one.Model.Layers = slices.Clone(one.Model.Layers)
	attention := one.Model.Layers[1].(model.Attention)
	attention.Heads = 1 // whose columns are all
	one.Model.Layers[1] = attention
	for _, o := range []problem{transformer(), one} {
		testBlocks(t, o)
	}
}

func testBlocks(t *testing.T, o problem) {
	t.Helper()
	whole := o.explicit().hessian
	for _, k := range o.Model.Blocks() {
		o.Block = &k
		at := k.Offsets()
		m := square(len(at))
		for i, p := range at {
			for j, q := range at {
				m[i][j] = whole[p][q]
			}
		}
		v := normals(11, len(at), 1)
		d := make([]float64, len(at))
		want := times(m, v)
		for i, x := range o.product(t, v) {
			d[i] = float64(x) - want[i]
		}
		if !(size(d) <= 1e-5*largest(whole)*size(wide(v))) {
			t.Errorf("block %s of %d parameters: off by %.2g", k.Name, len(at), size(d)/largest(whole)/size(wide(v)))
		}
	}
}

func TestNoSubspaceByParameters(t *testing.T) {
	o := mlp(model.Tanh, model.CrossEntropy)
	o.Subspace = &curvature.Subspace{Map: subspace.Parameters{}, Dim: 6}
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "a subspace by the map parameters, which has no columns") {
		t.Errorf("got %v", err)
	}
}

// TestSubspace: in a subspace the matrix is P^T H P, and the explicit one has its entries.
func TestSubspace(t *testing.T) {
	o := mlp(model.Tanh, model.CrossEntropy)
	h := o.explicit().hessian
	for _, name := range []string{"gaussian", "ternary"} {
		m := subspace.Named(name)
		o.Subspace = &curvature.Subspace{Map: m, Dim: 6, Seed: 3}
		p := columns(t, m, o.Model.D(), 6, 3)
		want := square(6)
		for i := range want {
			hp := make([]float64, o.Model.D())
			for r := range hp {
				for c := range hp {
					hp[r] += h[r][c] * p[i][c]
				}
			}
			for j := range want {
				for r, x := range hp {
					want[j][i] += p[j][r] * x
				}
			}
		}
		got, err := o.session(t, curvature.Options{Vectors: 4}).Matrix(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			for j := range want {
				if !(math.Abs(float64(got[0][i*6+j])-want[i][j]) <= 1e-5*largest(want)) {
					t.Errorf("%s: entry %d, %d is %v; want %v", name, i, j, got[0][i*6+j], want[i][j])
				}
			}
		}
	}
}

// TestPack: sixteen models in one pack, several vectors each, have the bits of each alone, whatever the variant and the threads.
func TestPack(t *testing.T) {
	for name, o := range map[string]problem{"mlp": mlp(model.GELU, model.CrossEntropy), "transformer": transformer()} {
		D := o.Model.D()
		var models [][]float32
		for m := range uint64(16) {
			models = append(models, normals(100+m, D, 0.5))
		}
		for _, kind := range curvature.Kinds() {
			o.Kind, o.Batch = kind, 3
			all := o
			all.Theta = models
			v := normals(12, 16*2*D, 1)
			a, err := all.Operator()
			if err != nil {
				t.Fatal(err)
			}
			pack, err := sessionOn(t, engine(t, cpu.Options{Threads: 2}), a, curvature.Options{Vectors: 2}).Multiply(context.Background(), v)
			if err != nil {
				t.Fatal(err)
			}
			for i, variants := range [][]string{cpu.Variants(), {"avx2"}, {"go"}, {"law"}} {
				if i > 0 && !slices.Contains(cpu.Variants(), variants[0]) {
					t.Logf("SKIPPED: this machine has no %s", variants[0])
					continue
				}
				for _, m := range []int{0, 7, 15} {
					one := o
					one.Theta = models[m : m+1]
					b, err := one.Operator()
					if err != nil {
						t.Fatal(err)
					}
					s := sessionOn(t, engine(t, cpu.Options{Threads: 1, Variants: variants}), b, curvature.Options{})
					for k := range 2 {
						at := (2*m + k) * D
						y, err := s.Multiply(context.Background(), v[at:at+D])
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(bitsOf(y), bitsOf(pack[at:at+D])) {
							t.Fatalf("%s, %s, variants %v: vector %d of model %d differs from the pack's", name, kind, variants, k, m)
						}
					}
				}
			}
		}
	}
}

func bitsOf(x []float32) []uint32 {
	y := make([]uint32, len(x))
	for i, v := range x {
		y[i] = math.Float32bits(v)
	}
	return y
}
