package bench

import (
	"context"
	"errors"
	"fmt"

	"lockstep/analysis/curvature"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/model"
	"lockstep/op"
)

// Derivatives: what is measured of a model's loss.
const (
	Gradient = "gradient"
	Hessian  = "hessian" // times a vector
	GGN      = "ggn"     // the Gauss-Newton matrix, times a vector
)

// CurvatureRows is the batch whose mean loss is differentiated.
const CurvatureRows = 128

// CurvatureVectors is the most vectors of a model.
const CurvatureVectors = 8

// CurvatureSpec says what is differentiated: that many models of equal shapes on the same rows, and that many vectors for each.
type CurvatureSpec struct {
	Model   string `json:"model"` // a name of CurvatureModels
	What    string `json:"what"`  // gradient, hessian, ggn
	Models  int    `json:"models"`
	Vectors int    `json:"vectors"` // 1 of a gradient
	// Kept: the parameters stay as they are from product to product, and what hangs on them alone is computed once. Otherwise each product begins with
	// the parameters, as the first one at new ones does.
	Kept bool `json:"kept,omitempty"`
}

// String is the spec as part of a case's name.
func (c CurvatureSpec) String() string {
	what := c.What
	if c.Kept {
		what += "-kept"
	}
	return fmt.Sprintf("%s/%s/models=%d/vectors=%d", c.Model, what, c.Models, c.Vectors)
}

// Cells is the number of products.
func (c CurvatureSpec) Cells() int { return c.Models * c.Vectors }

// curvatureModels: a network and its rows; one line per entry.
var curvatureModels = []struct {
	name string
	spec model.Spec
	rows func(in, out, rows int) (x, y op.Tensor, err error)
}{
	{"mlp", model.Spec{In: 784, Init: model.LeCun, Layers: []model.Layer{
		model.Linear{Out: 200, Bias: true}, model.Tanh, model.Linear{Out: 200, Bias: true}, model.Tanh, model.Linear{Out: 10, Bias: true}}}, grey},
	{"transformer", model.Spec{In: 16, Vocab: 256, Init: model.Torch, Layers: []model.Layer{
		model.Embedding{Vocab: 256, Out: 64, Positions: true}, model.Attention{Heads: 4, Causal: true, Norm: true, Bias: true},
		model.Attention{Heads: 4, Causal: true, Norm: true, Bias: true}, model.LayerNorm{}, model.Last, model.Linear{Out: 8, Bias: true}}}, markers},
}

// CurvatureModels lists the networks: an MLP 784-200-200-10 with tanh on made-up grey pixels, whose second derivative vanishes nowhere; and a
// decoder of two layers of attention on the marker task, the recipe of arXiv 2602.10496 reduced to 64 columns.
func CurvatureModels() (names []string) {
	for _, m := range curvatureModels {
		names = append(names, m.name)
	}
	return names
}

// grey are pixels, uniform in [0, 1), and labels. A time does not hang on them.
func grey(in, out, rows int) (x, y op.Tensor, err error) {
	x, y = op.New(op.T(op.F32, op.Shared, rows, in)), op.New(op.T(op.U32, op.Shared, rows, 1))
	op.Uniform{To: op.S(rows, in), Hi: op.B(1)}.Law([]op.Tensor{x}, stream("bench.x", 0))
	op.RandInt{To: op.S(rows, 1), N: uint32(out)}.Law([]op.Tensor{y}, stream("bench.y", 0))
	return x, y, nil
}

// stream are the operands of a draw: step t of a stream of seed 0.
func stream(name string, t uint32) []op.Tensor {
	key := op.Key(0, name)
	return []op.Tensor{op.Words32(op.U32, op.S(2), key[:]...), op.Words32(op.U32, op.S(), t)}
}

// markers are rows of the marker task.
func markers(in, out, rows int) (x, y op.Tensor, err error) {
	set, err := data.Source{}.Open("marker-addition", data.Setting{Key: "markers", Value: 2}, data.Setting{Key: "rows", Value: rows})
	if err != nil {
		return x, y, err
	}
	x, y = op.Float32s(op.S(rows, in), set.X[:rows*in]...), op.New(op.T(op.U32, op.Shared, rows, 1))
	copy(y.W, set.Y)
	return x, y, nil
}

// CurvatureObjective is the mean cross-entropy of a network over rows, at the initial parameters of seeds 0 to models - 1; the engine draws them.
// Its Kind is the Hessian.
func CurvatureObjective(ctx context.Context, e graph.Engine, name string, models, rows int) (*curvature.Objective, error) {
	for _, m := range curvatureModels {
		if m.name != name {
			continue
		}
		o := &curvature.Objective{Model: m.spec, Loss: model.CrossEntropy, Kind: curvature.Hessian}
		var err error
		if o.X, o.Y, err = m.rows(m.spec.In, m.spec.Out(), rows); err != nil {
			return nil, err
		}
		o.Theta, err = initial(ctx, e, m.spec, models)
		return o, err
	}
	return nil, nearest.Unknown("network", name, CurvatureModels())
}

// initial are the initial parameters of seeds, f32[D] each.
func initial(ctx context.Context, e graph.Engine, s model.Spec, seeds int) (all [][]float32, err error) {
	p, err := graph.Trace(func(b *graph.Builder) {
		b.OutputOver("theta", s.Theta0(b, b.Input("key", op.T(op.U32, op.Cell, 2))), op.Cell)
	})
	if err != nil {
		return nil, err
	}
	pack, err := e.NewPack(seeds, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	for c := range seeds {
		key := op.Key(uint64(c), "theta")
		if err := pack.Put("key", op.T(op.U32, op.Cell, 2), c, op.Bytes(key[:])); err != nil {
			return nil, err
		}
	}
	x, err := pack.Compile(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if err := x.Run(ctx, 1); err != nil {
		return nil, err
	}
	for c := range seeds {
		t, err := read(pack, "theta", c, s.D())
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// read is a cell's array of n float32.
func read(p graph.Pack, name string, cell, n int) ([]float32, error) {
	t, b := op.New(op.T(op.F32, op.Shared, n)), make([]byte, 4*n)
	if err := p.Read(name, cell, b); err != nil {
		return nil, err
	}
	op.PutWords(t.W, b)
	return t.F(), nil
}

// CurvatureVector is vector k of model m, n standard normal numbers: the same whatever the number of models and vectors.
func CurvatureVector(m, k, n int) []float32 {
	t := op.New(op.T(op.F32, op.Shared, n))
	op.Normal{To: op.S(n)}.Law([]op.Tensor{t}, stream("bench.v", uint32(m*CurvatureVectors+k)))
	return t.F()
}

// Products are a spec's products at work on a pack, each cell's vector in its place: a model's cells are one behind the other.
type Products struct {
	Size int // of a product
	pack graph.Pack
	exe  graph.Executable
}

// curvatureProgram is the operator of a spec, for what Bind and Steps say, and the program of a step.
func curvatureProgram(o *curvature.Objective, s CurvatureSpec) (a curvature.Operator, p *graph.Program, err error) {
	of := *o
	of.Theta = o.Theta[:s.Models]
	switch s.What {
	case Gradient:
		if s.Vectors != 1 {
			return a, nil, fmt.Errorf("%d gradients of a model; it has one", s.Vectors)
		}
		if a, err = of.Operator(); err == nil {
			p, err = of.Gradient()
		}
	case Hessian, GGN:
		of.Kind = curvature.Kind(s.What)
		if a, err = of.Operator(); err == nil {
			p, err = a.Program(s.Vectors)
		}
	default:
		err = nearest.Unknown("derivative", s.What, []string{Gradient, Hessian, GGN})
	}
	if err == nil && !s.Kept {
		p = anew(p)
	}
	return a, p, err
}

// anew makes every input that a model has for itself a state that a step replaces by itself, and that starts as the input: then what hangs on it is
// computed in each step, and not once.
func anew(p *graph.Program) *graph.Program {
	q := *p
	q.In = append([]graph.Named(nil), p.In...)
	q.Types, q.State = append([]op.Type(nil), p.Types...), append([]graph.State(nil), p.State...)
	for i, n := range q.In {
		if t := p.Types[n.V]; t.Domain != op.Shared {
			v := op.Value(len(q.Types))
			q.Types = append(q.Types, t)
			q.In[i].V = v
			q.State = append(q.State, graph.State{Name: n.Name + ".now", Init: v, In: n.V, Next: n.V})
		}
	}
	return &q
}

// curvatureGroups say which cells are of one model.
func curvatureGroups(s CurvatureSpec) graph.Groups {
	of := make([]int, s.Cells())
	for c := range of {
		of[c] = c / s.Vectors
	}
	return graph.Groups{op.Model: of}
}

// NewProducts makes the products of the first models of an objective ready, with the vectors of CurvatureVector.
func NewProducts(ctx context.Context, e graph.Engine, o *curvature.Objective, s CurvatureSpec) (*Products, error) {
	return newProducts(ctx, e, o, s, 0, 0)
}

// newProducts is NewProducts of models that have other numbers elsewhere, from m on, and of their vectors from k on.
func newProducts(ctx context.Context, e graph.Engine, o *curvature.Objective, s CurvatureSpec, m, k int) (w *Products, err error) {
	a, p, err := curvatureProgram(o, s)
	if err != nil {
		return nil, err
	}
	w = &Products{Size: a.N}
	if w.pack, err = e.NewPack(s.Cells(), curvatureGroups(s)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
			w = nil
		}
	}()
	if err = a.Bind(w.pack, s.Vectors); err != nil {
		return w, err
	}
	if w.exe, err = w.pack.Compile(p); err != nil {
		return w, err
	}
	if err = w.exe.Reset(ctx); err != nil || s.What == Gradient {
		return w, err
	}
	for c := range s.Cells() {
		v := op.Float32s(op.S(1, a.N), CurvatureVector(m+c/s.Vectors, k+c%s.Vectors, a.N)...)
		if err = w.pack.Write(curvature.Vector, c, op.Bytes(v.W)); err != nil {
			return w, err
		}
	}
	return w, nil
}

// Run multiplies so many times.
func (w *Products) Run(ctx context.Context, n int) error { return w.exe.Run(ctx, n) }

// Of is a cell's product, f32[Size], after a Run.
func (w *Products) Of(cell int) ([]float32, error) {
	return read(w.pack, curvature.Product, cell, w.Size)
}

// Close gives the pack back.
func (w *Products) Close() (err error) {
	if w.exe != nil {
		err = w.exe.Close()
	}
	return errors.Join(err, w.pack.Close())
}
