package curvature

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
)

// The arrays by which a product and an estimator meet, f32[1, N] per cell.
const (
	Vector  = "vector"  // what the matrix is multiplied with
	Product = "product" // the result
)

// Operator is a symmetric matrix, or one for each of several models, given by a program that multiplies a vector of each cell with the
// matrix of the cell's model.
type Operator struct {
	N      int // size of the matrix
	Models int // that it is for
	Steps  int // of the program, for one product
	// Program traces the program for cells of which so many share a model; what belongs to a model is then over the domain Over(vectors). It has
	// the state Vector, which it keeps, and leaves the product in the output Product after Steps steps; it can then begin again. Vector is a state
	// and no input, so that what does not hang on it is computed once.
	Program func(vectors int) (*graph.Program, error)
	// Bind puts the program's inputs into a pack; slot m of what is over Over(vectors) is model m's.
	Bind func(p graph.Pack, vectors int) error
	// Binds names what Bind puts there, such as by a hash: a checkpoint is taken up only by a session of the same. nil: whoever keeps checkpoints sees to that.
	Binds func() string
}

// Over is the domain of what belongs to a model with so many vectors: cells of one model have it together; a model that is alone in its cell
// has its tangents computed beside it.
func Over(vectors int) op.Domain {
	if vectors == 1 {
		return op.Cell
	}
	return op.Model
}

// Session is an operator at work on a pack of models, with a number of vectors for each.
type Session struct {
	Operator
	Vectors  int
	pack     graph.Pack
	hash     [32]byte // of the product's program
	product  graph.Executable
	programs map[string]graph.Executable
	states   []state // of all programs
	began    bool    // the product's own states are set
	lanczos  int     // steps of the processes that the basis is of
	last     loop    // the estimation that has ended last
	keep     Keeper
	seed     uint64
	told     func(done, of int)
}

// state is an array that a checkpoint holds.
type state struct {
	name string
	t    op.Type
}

// Options are of a session.
type Options struct {
	Vectors int // at a time, for each model; 0: 1
	Seed    uint64
	Keep    Keeper // nil: nothing is kept
	// Progress, if there is one, is told after each step of an estimation how many of them are done, and first how many a checkpoint had.
	Progress func(done, of int)
}

// Keeper keeps checkpoints of long estimations.
type Keeper interface {
	// Due tells whether it is time for one.
	Due() bool
	// Save writes one; fill writes its content.
	Save(fill func(w io.Writer) error) error
	// Load opens the last one; nil: there is none.
	Load() (*data.TensorsFile, error)
}

// New makes a session. Errors: those of the engine and of Bind.
func New(e graph.Engine, o Operator, how Options) (s *Session, err error) {
	how.Vectors = max(1, how.Vectors)
	if o.N < 1 || o.Steps < 1 || o.Models < 1 {
		return nil, fmt.Errorf("curvature: matrices of size %d of %d models, multiplied in %d steps; want at least 1 of each", o.N, o.Models, o.Steps)
	}
	program, err := o.Program(how.Vectors)
	if err != nil {
		return nil, err
	}
	groups := graph.Groups{op.Model: make([]int, o.Models*how.Vectors)}
	for c := range groups[op.Model] {
		groups[op.Model][c] = c / how.Vectors
	}
	s = &Session{Operator: o, Vectors: how.Vectors, hash: program.Hash(), programs: map[string]graph.Executable{}, keep: how.Keep, seed: how.Seed, told: how.Progress}
	if s.pack, err = e.NewPack(s.cells(), groups); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			s = nil
		}
	}()
	if err = o.Bind(s.pack, how.Vectors); err != nil {
		return s, err
	}
	key := op.Key(how.Seed, "probe")
	if err = s.pack.Put(keyProbe, op.T(op.U32, op.Shared, 2), 0, op.Bytes(key[:])); err != nil {
		return s, err
	}
	for c := range s.cells() {
		if err = s.pack.Put(firstProbe, op.T(op.U32, op.Cell), c, op.Bytes([]uint32{uint32(c % s.Vectors)})); err != nil {
			return s, err
		}
	}
	s.product, err = s.compile(program)
	return s, err
}

// The arrays by which cells know their random vectors.
const (
	keyProbe   = "key.probe"   // u32[2]: the stream
	firstProbe = "probe.first" // u32[] per cell: the number of its first vector
)

// probes gives the numbers of a cell's random vectors: first, and how much the next ones are apart.
func (s *Session) probes(b *graph.Builder) (key, first, apart op.Value) {
	return b.Input(keyProbe, op.T(op.U32, op.Shared, 2)), b.Input(firstProbe, op.T(op.U32, op.Cell)), b.FillU(uint32(s.Vectors))
}

func (s *Session) cells() int { return s.Models * s.Vectors }

// sized is the name of an array whose shape hangs on numbers: other numbers are another array.
func sized(name string, n ...int) string {
	for _, v := range n {
		name += fmt.Sprintf(".%d", v)
	}
	return name
}

// result is the product at hand. It is a state and no input: what a program computes once must not be computed again after each product.
func (s *Session) result(b *graph.Builder) op.Value {
	v := b.State(Product, b.Fill(0, 1, s.N), op.Cell)
	b.Next(v, v)
	return v
}

// vector is the type of a vector of each cell.
func (s *Session) vector() op.Type { return op.T(op.F32, op.Cell, 1, s.N) }

// compile prepares a program and notes its states.
func (s *Session) compile(p *graph.Program) (graph.Executable, error) {
	for _, st := range p.State {
		one := state{st.Name, p.Types[st.In]}
		if !slices.Contains(s.states, one) {
			s.states = append(s.states, one)
		}
	}
	return s.pack.Compile(p)
}

// program traces and compiles a program once.
func (s *Session) program(name string, trace func(b *graph.Builder)) (graph.Executable, error) {
	if x := s.programs[name]; x != nil {
		return x, nil
	}
	p, err := graph.Trace(trace)
	if err != nil {
		return nil, err
	}
	x, err := s.compile(p)
	if err == nil {
		s.programs[name] = x
	}
	return x, err
}

// begin sets the product's own states, once.
func (s *Session) begin(ctx context.Context) error {
	if s.began {
		return nil
	}
	s.began = true
	return s.product.Reset(ctx)
}

// multiply leaves the products of all cells' vectors. When ctx ends it stops between two batches, and the next one begins anew.
func (s *Session) multiply(ctx context.Context) error {
	whole := context.WithoutCancel(ctx) // a batch that has begun is added up
	each := s.Steps
	if ctx.Done() != nil {
		each = 1
	}
	for i := 0; i < s.Steps; i += each {
		err := ctx.Err()
		if err == nil {
			err = s.product.Run(whole, each)
		}
		if err != nil {
			s.began = false
			return err
		}
	}
	return nil
}

// Multiply gives the products of the matrices with vectors f32[cells, N], one after the other.
func (s *Session) Multiply(ctx context.Context, vectors []float32) ([]float32, error) {
	if len(vectors) != s.cells()*s.N {
		return nil, fmt.Errorf("curvature: %d numbers; want %d vectors of %d", len(vectors), s.cells(), s.N)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	for c := range s.cells() {
		x := op.Float32s(op.S(1, s.N), vectors[c*s.N:(c+1)*s.N]...)
		if err := s.pack.Write(Vector, c, op.Bytes(x.W)); err != nil {
			return nil, err
		}
	}
	if err := s.multiply(ctx); err != nil {
		return nil, err
	}
	return s.read(Product, s.N)
}

// read is an array of n float32 of each cell.
func (s *Session) read(name string, n int) ([]float32, error) {
	w, err := s.words(name, n)
	return op.Tensor{W: w}.F(), err
}

func (s *Session) words(name string, n int) ([]uint32, error) {
	b, w := make([]byte, 4*n*s.cells()), make([]uint32, n*s.cells())
	if err := s.pack.ReadAll(name, b); err != nil {
		return nil, err
	}
	op.PutWords(w, b)
	return w, nil
}

// Close gives the pack back.
func (s *Session) Close() (err error) {
	for _, x := range s.programs {
		err = errors.Join(err, x.Close())
	}
	if s.product != nil {
		err = errors.Join(err, s.product.Close())
	}
	return errors.Join(err, s.pack.Close())
}

// Matrix gives each model's whole matrix f32[N, N], one after the other, by N products with unit vectors: for small ones, such as those in a subspace.
func (s *Session) Matrix(ctx context.Context) ([][]float32, error) {
	all := make([][]float32, s.Models)
	for m := range all {
		all[m] = make([]float32, s.N*s.N)
	}
	for from := 0; from < s.N; from += s.Vectors {
		v := make([]float32, s.cells()*s.N)
		for c := range s.cells() {
			if i := from + c%s.Vectors; i < s.N {
				v[c*s.N+i] = 1
			}
		}
		y, err := s.Multiply(ctx, v)
		if err != nil {
			return nil, err
		}
		for c := range s.cells() {
			if i := from + c%s.Vectors; i < s.N {
				copy(all[c/s.Vectors][i*s.N:], y[c*s.N:(c+1)*s.N])
			}
		}
	}
	return all, nil
}
