package exhaustive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// few are blocks in which the functions are neither constant nor the identity: from 1 and from -88 on.
var few = []int{0x3f8, 0xc2b}

// functionsOf are those of an operand type with a digest.
func functionsOf(d op.DType) (fs []Function) {
	for _, f := range Functions() {
		if f.In == d {
			fs = append(fs, f)
		}
	}
	return fs
}

func engine(t *testing.T) graph.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustRun(t *testing.T, e graph.Engine, fs []Function, o Options) []Result {
	t.Helper()
	o.Threads = runtime.GOMAXPROCS(0)
	rs, err := Run(context.Background(), e, fs, o)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// way is a variant of the CPU engine, and what of it runs a function.
type way struct {
	name    string
	engine  graph.Engine
	kernels string
}

// ways are the default engine, and each vector variant alone that runs a function by other kernels: without them, AVX2's would run on no machine that
// has AVX-512.
func ways(t *testing.T, f Function) []way {
	t.Helper()
	all := []way{{"default", engine(t), ""}}
	all[0].kernels = fmt.Sprint(kernelsOf(t, all[0].engine, f))
	for _, v := range cpu.Variants() {
		if v == "go" || v == cpu.Law {
			continue
		}
		e, err := cpu.New(cpu.Options{Threads: 1, Variants: []string{v}})
		if err != nil {
			t.Fatal(err)
		}
		kernels := kernelsOf(t, e, f)
		w := way{v, e, fmt.Sprint(kernels)}
		serves := slices.ContainsFunc(kernels, func(k graph.KernelInfo) bool { return k.Variant == v })
		if serves && !slices.ContainsFunc(all, func(x way) bool { return x.kernels == w.kernels }) {
			all = append(all, w)
		}
	}
	return all
}

// kernelsOf is what an engine runs a function by.
func kernelsOf(t *testing.T, e graph.Engine, f Function) []graph.KernelInfo {
	t.Helper()
	w := &worker{run: &run{e: e, fs: []Function{f}}, in: make([]uint32, cellLen), src: make([]byte, 4*cellLen)}
	var err error
	if w.pack, err = e.NewPack(1, nil); err != nil {
		t.Fatal(err)
	}
	defer w.pack.Close()
	if err := w.compile(); err != nil {
		t.Fatal(err)
	}
	defer w.exes[0].Close()
	return w.exes[0].Kernels()
}

// The CPU engine gives the committed digests in a few blocks, by every vector variant.
func TestEngineOnFewBlocks(t *testing.T) {
	ran := map[string]int{}
	for _, f := range Functions() {
		for _, w := range ways(t, f) {
			ran[w.name]++
			r := mustRun(t, w.engine, []Function{f}, Options{Blocks: few})[0]
			if !r.OK() || len(r.Kernels) == 0 || r.Digest != "" {
				t.Errorf("%s, %s: blocks %v differ, %v, by %v, digest %q", r.Function, w.name, r.Differ, r.First, r.Kernels, r.Digest)
			}
		}
	}
	if slices.Contains(cpu.Variants(), "avx512") && ran["avx2"] < len(Functions())/2 {
		t.Errorf("functions that variants run: %v of %d; want AVX2 beside AVX-512", ran, len(Functions()))
	}
	t.Log(ran)
}

// TestEngineOverAllInputs is the same with all of them, and measures the errors once: make test-exhaustive.
func TestEngineOverAllInputs(t *testing.T) {
	if os.Getenv("LOCKSTEP_EXHAUSTIVE") != "1" {
		t.Skip("half an hour or more on two cores for each vector variant; set LOCKSTEP_EXHAUSTIVE=1 to run it")
	}
	for _, f := range Functions() {
		t.Run(f.String(), func(t *testing.T) {
			m := measurementOf(f)
			for i, w := range ways(t, f) {
				o := Options{}
				if m != nil && i == 0 { // the results are the same
					o.Visit = m.visit
				}
				r := mustRun(t, w.engine, []Function{f}, o)[0]
				t.Logf("%s: digest %s, %.1f s on %d threads, by %v", w.name, r.Digest, r.Seconds, runtime.GOMAXPROCS(0), r.Kernels)
				if !r.OK() || r.Digest == "" {
					t.Errorf("%s: digest %s, want %s; blocks %v differ, %v", w.name, r.Digest, r.Want, r.Differ, r.First)
				}
			}
			if m != nil {
				m.measured(t, f)
			}
		})
	}
}

// faulty is an engine that gets the results of some inputs of one function wrong.
type faulty struct {
	graph.Engine
	function string   // its output
	inputs   []uint32 // of which the lowest bit of the result is wrong
	once     bool     // only the first time that a block runs
}

type faultyPack struct {
	graph.Pack
	e     *faulty
	first uint32
	seen  map[uint32]bool
}

func (e *faulty) NewPack(cells int, g graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, g)
	return &faultyPack{Pack: p, e: e, seen: map[uint32]bool{}}, err
}

func (p *faultyPack) Put(name string, t op.Type, slot int, src []byte) error {
	p.first = binary.LittleEndian.Uint32(src)
	return p.Pack.Put(name, t, slot, src)
}

func (p *faultyPack) Read(name string, cell int, dst []byte) error {
	err := p.Pack.Read(name, cell, dst)
	if name != p.e.function {
		return err
	}
	width := uint32(len(dst) / cellLen)
	for _, x := range p.e.inputs {
		if x/cellLen*cellLen == p.first && !(p.e.once && p.seen[x]) {
			p.seen[x] = true
			dst[(x-p.first)*width] ^= 1
		}
	}
	return err
}

// A wrong result is found, in the function that has it, with its input.
func TestRunFindsTheFirstDifference(t *testing.T) {
	for _, law := range []bool{false, true} {
		o := Options{Blocks: []int{0x41a, 0xbf8}, Law: law}
		for i, f := range []Function{{op.Neg, op.F32, op.F32}, {op.Cast{To: op.I8}, op.F32, op.I8}} {
			fs := []Function{{op.Relu, op.F32, op.F32}, f}
			e := &faulty{Engine: engine(t), function: "y1", inputs: []uint32{0xbf8fffff, 0xbf8fffff - cellLen, 0x41a00003, 0x41a00002}}
			rs := mustRun(t, e, fs, o)
			if !rs[0].OK() {
				t.Errorf("relu is said to be wrong: %+v", rs[0])
			}
			want := []string{"input 41a00002 gives c1a00003 instead of c1a00002", "input 41a00002 gives 00000015 instead of 00000014"}[i]
			if r := rs[1]; r.OK() || !slices.Equal(r.Differ, []int{0x41a, 0xbf8}) || r.First == nil || r.First.String() != want {
				t.Errorf("law %v, %s: blocks %x differ, %v; want 41a and bf8, %s", law, f, r.Differ, r.First, want)
			}
		}
	}
	e := &faulty{Engine: engine(t), function: "y0", inputs: []uint32{0x41a00002}, once: true}
	r := mustRun(t, e, []Function{{op.Neg, op.F32, op.F32}}, Options{Blocks: []int{0x41a, 0xbf8}})[0]
	if r.OK() || len(r.Differ) != 1 || r.First != nil {
		t.Errorf("an error that does not come again: %+v", r)
	}
}

func TestRunRefuses(t *testing.T) {
	fs := functionsOf(op.F32)
	if _, err := Run(context.Background(), engine(t), []Function{fs[0], functionsOf(op.U32)[0]}, Options{}); err == nil || !strings.Contains(err.Error(), "one operand type") {
		t.Errorf("functions of two types: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := 0
	_, err := Run(ctx, engine(t), fs[:1], Options{Threads: 2, Progress: func(n, all int) {
		if done = n; n == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || done > 4 {
		t.Errorf("%d blocks after an interruption at 2: %v", done, err)
	}
	broken := &refusing{engine(t)}
	if _, err := Run(context.Background(), broken, fs[:2], Options{Threads: 3}); !errors.Is(err, errBroken) {
		t.Errorf("an engine that breaks: %v", err)
	}
}

var errBroken = errors.New("broken")

// refusing is an engine whose packs take no array.
type refusing struct{ graph.Engine }
type refusingPack struct{ graph.Pack }

func (e *refusing) NewPack(cells int, g graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, g)
	return refusingPack{p}, err
}
func (refusingPack) Put(string, op.Type, int, []byte) error { return errBroken }
