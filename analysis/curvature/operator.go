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

// Operator is a symmetric matrix, given by a program that multiplies a vector of each cell with the cell's matrix.
type Operator struct {
	N     int // size of the matrix
	Steps int // of Program, for one product
	// Program has the state Vector, which it keeps, and leaves the product in the output Product after Steps steps. It can then begin
	// again. Vector is a state and no input, so that what does not hang on it is computed once.
	Program *graph.Program
	// Groups of a pack of so many models with so many vectors each, of which cell m * vectors + v has vector v of model m; nil: none.
	Groups func(models, vectors int) graph.Groups
	// Bind puts the program's inputs into a pack; nil: there are none.
	Bind func(p graph.Pack) error
}

// Session is an operator at work on a pack of models, with a number of vectors for each.
type Session struct {
	Operator
	Models, Vectors int
	pack            graph.Pack
	product         graph.Executable
	programs        map[string]graph.Executable
	states          []state // of all programs
	began           bool    // the product's own states are set
	done            map[string]int
	keep            Keeper
	seed            uint64
}

// state is an array that a checkpoint holds.
type state struct {
	name string
	t    op.Type
}

// Options are of a session.
type Options struct {
	Models  int // 0: 1
	Vectors int // at a time, for each model; 0: 1
	Seed    uint64
	Keep    Keeper // nil: nothing is kept
}

// Keeper keeps checkpoints of long estimations.
type Keeper interface {
	// Due tells whether it is time for one.
	Due() bool
	// Save writes one; fill writes its content.
	Save(fill func(w io.Writer) error) error
	// Load opens the last one; nil: there is none.
	Load() (*data.Tensors, error)
}

// New makes a session. Errors: those of the engine and of Bind.
func New(e graph.Engine, o Operator, how Options) (s *Session, err error) {
	how.Models, how.Vectors = max(1, how.Models), max(1, how.Vectors)
	if o.N < 1 || o.Steps < 1 {
		return nil, fmt.Errorf("curvature: a matrix of size %d, multiplied in %d steps; want at least 1 of both", o.N, o.Steps)
	}
	var groups graph.Groups
	if o.Groups != nil {
		groups = o.Groups(how.Models, how.Vectors)
	}
	s = &Session{Operator: o, Models: how.Models, Vectors: how.Vectors, programs: map[string]graph.Executable{}, done: map[string]int{}, keep: how.Keep, seed: how.Seed}
	if s.pack, err = e.NewPack(s.cells(), groups); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			s = nil
		}
	}()
	if o.Bind != nil {
		if err = o.Bind(s.pack); err != nil {
			return s, err
		}
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
	s.product, err = s.compile(o.Program)
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

// multiply leaves the products of all cells' vectors.
func (s *Session) multiply(ctx context.Context) error { return s.product.Run(ctx, s.Steps) }

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

// ByModel is the groups of a pack whose models' cells share what is theirs.
func ByModel(models, vectors int) graph.Groups {
	of := make([]int, models*vectors)
	for c := range of {
		of[c] = c / vectors
	}
	return graph.Groups{op.Model: of}
}
