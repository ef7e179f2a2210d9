package exhaustive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"lockstep/graph"
	"lockstep/op"
)

// Options say what Run compares, and with what.
type Options struct {
	Blocks   []int               // nil: all
	Law      bool                // compare with the law, run here and now, instead of with the committed digests
	Threads  int                 // how many blocks are at work at once, at least 1
	Progress func(done, all int) // called after each block, never twice at once

	// Visit, unless nil, is given a function's results for ascending inputs, as little-endian words, before it returns; it may be called by several
	// threads at once.
	Visit func(f Function, first uint32, results []byte)
}

// Result is what Run found for a function.
type Result struct {
	Function Function
	Kernels  []graph.KernelInfo
	Digest   string      // SHA-256 in hexadecimal digits; empty unless all blocks ran
	Want     string      // the law's
	Differ   []int       // the blocks that differ from the law's
	First    *Difference // in the lowest of them; nil if it did not differ when it ran once more
	Seconds  float64     // that the threads spent with it, running, copying and hashing, divided by their number
}

// OK tells whether all that was compared has the bits of the law.
func (r *Result) OK() bool { return len(r.Differ) == 0 && r.Digest == r.Want }

// Difference is an input whose result is not the law's.
type Difference struct{ Input, Got, Want uint32 }

func (d *Difference) String() string {
	return fmt.Sprintf("input %08x gives %08x instead of %08x", d.Input, d.Got, d.Want)
}

// run is a Run under way. All functions have one operand type, so that a block is bound once for all.
type run struct {
	e      graph.Engine
	fs     []Function
	blocks []int
	o      Options
	want   map[string]Sums

	mu          sync.Mutex
	taken, done int                   // blocks
	sums        [][][sha256.Size]byte // [functions, blocks]
	found       []Result              // by function
}

// Run holds an engine against the laws of functions of one operand type. Errors: functions of several types; one whose digest is not
// committed; what the engine or ctx says. A difference is no error: see Result.OK.
func Run(ctx context.Context, e graph.Engine, fs []Function, o Options) ([]Result, error) {
	r := &run{e: e, fs: fs, blocks: o.Blocks, o: o}
	if len(fs) == 0 {
		return nil, nil
	}
	if r.blocks == nil {
		for b := range Blocks {
			r.blocks = append(r.blocks, b)
		}
	}
	var err error
	if r.want, err = Committed(); err != nil {
		return nil, err
	}
	for _, f := range fs {
		if f.In != fs[0].In {
			return nil, fmt.Errorf("%s takes %s, %s takes %s: want functions of one operand type", fs[0], fs[0].In, f, f.In)
		}
		if _, ok := r.want[f.String()]; !ok && !o.Law {
			return nil, fmt.Errorf("no digest of %s is committed: compare a sample of blocks with the law", f)
		}
		r.found = append(r.found, Result{Function: f})
		r.sums = append(r.sums, make([][sha256.Size]byte, Blocks))
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, max(1, min(o.Threads, len(r.blocks))))
	var threads sync.WaitGroup
	for i := range errs {
		threads.Go(func() {
			if errs[i] = r.work(inner); errs[i] != nil {
				cancel() // the others
			}
		})
	}
	threads.Wait()
	for _, err := range errs {
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.Canceled)) {
			return nil, err
		}
	}
	for i, f := range fs {
		x := &r.found[i]
		slices.Sort(x.Differ)
		x.Seconds /= float64(len(errs))
		if !o.Law && len(r.blocks) == Blocks {
			x.Digest, x.Want = fmt.Sprintf("%x", sumOf(r.sums[i])), fmt.Sprintf("%x", r.want[f.String()].All)
		}
	}
	return r.found, nil
}

// cellLen is how many inputs an engine takes at once: with their results and intermediate values, some 80 MiB for each thread.
const cellLen = 1 << 18

// worker is a pack of one cell with the operand x and, for each function, a program that makes y0, y1, ..
type worker struct {
	*run
	pack    graph.Pack
	exes    []graph.Executable
	in      []uint32
	src     []byte    // in, as bytes
	dst     []byte    // a function's results for it
	seconds []float64 // by function
}

// work takes blocks until none is left.
func (r *run) work(ctx context.Context) (err error) {
	w := &worker{run: r, in: make([]uint32, cellLen), src: make([]byte, 4*cellLen), dst: make([]byte, 4*cellLen), seconds: make([]float64, len(r.fs))}
	if w.pack, err = r.e.NewPack(1, nil); err != nil {
		return err
	}
	defer func() {
		for _, x := range w.exes {
			err = errors.Join(err, x.Close())
		}
		err = errors.Join(err, w.pack.Close())
	}()
	if err := w.compile(); err != nil {
		return err
	}
	for block, ok := r.take(); ok; block, ok = r.take() {
		sums, err := w.block(ctx, block)
		if err == nil {
			err = w.judge(ctx, block, sums)
		}
		if err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, x := range w.exes {
		r.found[i].Seconds += w.seconds[i]
		r.found[i].Kernels = x.Kernels()
	}
	return nil
}

func (r *run) take() (block int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == len(r.blocks) {
		return 0, false
	}
	r.taken++
	return r.blocks[r.taken-1], true
}

// compile makes a program of each function.
func (w *worker) compile() error {
	if err := w.bind(0); err != nil {
		return err
	}
	for i, f := range w.fs {
		p, err := graph.Trace(func(b *graph.Builder) { b.Output(fmt.Sprint("y", i), b.Do(f.Op, b.Input("x", f.in(cellLen)))) })
		if err != nil {
			return err
		}
		x, err := w.pack.Compile(p)
		if err != nil {
			return err
		}
		w.exes = append(w.exes, x)
	}
	return nil
}

// bind puts the inputs from first on.
func (w *worker) bind(first int) error {
	inputs(w.in, first)
	op.PutBytes(w.src, w.in)
	return w.pack.Put("x", w.fs[0].in(cellLen), 0, w.src)
}

// results runs function i on what is bound. They stand in a buffer that the next call uses again.
func (w *worker) results(ctx context.Context, i int) ([]byte, error) {
	if err := w.exes[i].Run(ctx, 1); err != nil {
		return nil, err
	}
	dst := w.dst[:4*w.fs[i].out(cellLen).Words()]
	return dst, w.pack.Read(fmt.Sprint("y", i), 0, dst)
}

// block runs every function over a block.
func (w *worker) block(ctx context.Context, block int) (sums [][sha256.Size]byte, err error) {
	h := make([]hash.Hash, len(w.fs))
	for i := range h {
		h[i] = sha256.New()
	}
	for at := 0; at < BlockLen; at += cellLen {
		if err := w.bind(block*BlockLen + at); err != nil {
			return nil, err
		}
		for i := range w.fs {
			start := time.Now()
			y, err := w.results(ctx, i)
			if err != nil {
				return nil, err
			}
			h[i].Write(y)
			w.seconds[i] += time.Since(start).Seconds()
			if w.o.Visit != nil {
				w.o.Visit(w.fs[i], uint32(block*BlockLen+at), y)
			}
		}
	}
	for i := range h {
		sums = append(sums, [sha256.Size]byte(h[i].Sum(nil)))
	}
	return sums, nil
}

// judge compares a block's digests with the laws'. In the lowest block that differs it looks for the first input that does.
func (w *worker) judge(ctx context.Context, block int, sums [][sha256.Size]byte) error {
	for i, f := range w.fs {
		var law []uint32
		var same bool
		if w.o.Law {
			law = f.Law(block)
			same = sums[i] == sha256.Sum256(op.Bytes(law))
		} else {
			same = markOf(sums[i]) == w.want[f.String()].Blocks[block]
		}
		if !same {
			if err := w.locate(ctx, i, block, law); err != nil {
				return err
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, sum := range sums {
		w.sums[i][block] = sum
	}
	if w.done++; w.o.Progress != nil {
		w.o.Progress(w.done, len(w.blocks))
	}
	return nil
}

// locate notes a block of function i that differs from the law, whose results may be known already.
func (w *worker) locate(ctx context.Context, i, block int, law []uint32) error {
	x := &w.found[i]
	lowest := func() bool { return block == slices.Min(x.Differ) }
	w.mu.Lock()
	x.Differ = append(x.Differ, block)
	look := lowest()
	w.mu.Unlock()
	if !look {
		return nil
	}
	if law == nil {
		law = w.fs[i].Law(block)
	}
	first, err := w.first(ctx, i, block, law)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if lowest() {
		x.First = first
	}
	return nil
}

// first runs function i over a block once more, and finds the first result that is not the law's; nil if all are.
func (w *worker) first(ctx context.Context, i, block int, law []uint32) (*Difference, error) {
	f := w.fs[i]
	got := op.New(f.out(cellLen))
	for at := 0; at < BlockLen; at += cellLen {
		if err := w.bind(block*BlockLen + at); err != nil {
			return nil, err
		}
		y, err := w.results(ctx, i)
		if err != nil {
			return nil, err
		}
		op.PutWords(got.W, y)
		want := op.Tensor{Type: got.Type, W: law[at/cellLen*len(got.W):][:len(got.W)]}
		for k := range cellLen {
			if a, b := element(got, k), element(want, k); a != b {
				return &Difference{Input: uint32(block*BlockLen + at + k), Got: a, Want: b}, nil
			}
		}
	}
	return nil, nil
}

// element is the bits of element i.
func element(t op.Tensor, i int) uint32 {
	if t.DType == op.I8 {
		return uint32(uint8(t.Int8(i)))
	}
	return t.W[i]
}
