// Package cpu is the CPU engine: the auditor of every other one. It runs each op by a fast twin where this machine has one
// and by the op's law elsewhere; the bits are the same, and Executable.Kernels says which ran.
//
// A pack runs cell-major: a thread takes one cell, or a block of cells that share a basis, through many steps while its parameters and
// activations stay in cache. Threads meet only where a program computes something for several cells in each step. Those that have no cell (of a pack of
// fewer cells than threads, or at its end) take parts of the others' kernels: see crew.go, and workspace.split for how a kernel is cut. What of a step
// runs together is found in layout.go, and told by Explain:
//
//   - A chain is pointwise ops, one after the other, that run a part of their elements at a time: what only goes from op to op
//     stays in the first-level cache, and is never whole.
//
//   - A joint node is a product with a basis that several cells share, such as P z: one for all cells of a block, of which there are up
//     to 32 then. It ends a phase of the step. In a phase the cells of the block go one after the other, in the scratch of one; what
//     crosses from phase to phase is kept for each.
//
//   - An update is a chain that ends the step and makes nothing but next states. Nothing reads the old ones after it, so it writes in
//     place; for active cells alone.
//
//   - Bands are what goes by the rows of a batch, where that is more than stays near or threads are idle: a few rows go through all of it, and then the next
//     ones. What only goes from op to op stays in the nearest caches, and a band is what an idle thread can take (bands.go; rowwise.go tells
//     which ops go by rows).
//
// A cell that is alone with a matrix by whose transpose it multiplies, a dense basis on the way back, may have a transposed copy of it.
//
// Without fusion (Options.NoFuse), and by the laws alone, every op of every cell runs by itself. The bits are the same.
package cpu

import (
	"fmt"
	"runtime"

	"lockstep/graph"
	"lockstep/internal/memory"
	"lockstep/op"
)

// Options choose how, never what, the engine computes.
type Options struct {
	Threads  int      // 0: GOMAXPROCS
	Variants []string // families of twins that may be used, see Variants; nil: Defaults. The law is always allowed
	NoFuse   bool     // run every node by itself, and every cell: slower, with the same bits
}

// Engine runs packs on the CPU.
type Engine struct {
	threads  int
	variants []string
	noFuse   bool
	crews    crews
}

var _ graph.Engine = (*Engine)(nil)

// New makes an engine; it refuses a negative number of threads and variants that this build or machine lacks.
func New(o Options) (*Engine, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads; want at least 1, or 0 for all", o.Threads)
	}
	if err := checkVariants(o.Variants); err != nil {
		return nil, err
	}
	e := &Engine{threads: o.Threads, variants: o.Variants, noFuse: o.NoFuse}
	if e.threads == 0 {
		e.threads = runtime.GOMAXPROCS(0)
	}
	if o.Variants == nil {
		e.variants = Defaults()
	}
	return e, nil
}

// Name is "cpu".
func (*Engine) Name() string { return "cpu" }

// Available leaves the rest of the process, and others, a fifth of what the host has.
func (*Engine) Available() (int64, error) { return memory.Available() / 10 * 8, nil }

// Close does nothing: the engine holds no resource of its own.
func (*Engine) Close() error { return nil }

func (e *Engine) has(o op.Op, in []op.Type) bool {
	_, variant := pick(o, in, e.variants)
	return variant != Law
}

// Plan adds up the arrays of the programs, what they compute once, and each thread's scratch.
func (e *Engine) Plan(ps []*graph.Program, cells int, groups graph.Groups) (graph.Memory, error) {
	slots, err := slotsOf(cells, groups)
	if err != nil {
		return graph.Memory{}, err
	}
	var words, scratch int64
	names := map[string]bool{}
	array := func(name string, t op.Type) error {
		n, err := slots.Count(t.Domain)
		if err == nil && !names[name] {
			names[name] = true
			words += int64(n) * int64(graph.Stride(t))
		}
		return err
	}
	for _, p := range ps {
		l := e.layOut(p, slots)
		t := l.t
		for _, in := range t.P.In {
			if err := array(in.Name, t.P.Types[in.V]); err != nil {
				return graph.Memory{}, err
			}
		}
		for _, s := range t.P.State {
			if err := array(s.Name, t.P.Types[s.In]); err != nil {
				return graph.Memory{}, err
			}
		}
		outs := map[op.Value]bool{}
		for _, o := range t.P.Out {
			outs[o.V] = true
			if err := array(o.Name, t.P.OutType(o)); err != nil {
				return graph.Memory{}, err
			}
		}
		for _, v := range l.arrays() {
			if !outs[v] {
				k, err := slots.Count(t.P.Types[v].Domain)
				if err != nil {
					return graph.Memory{}, err
				}
				words += int64(k) * int64(graph.Stride(t.P.Types[v]))
			}
		}
		values, kernels := l.words(cells, e.threads)
		scratch = max(scratch, int64(values)*int64(min(e.threads, cells))+int64(kernels)*int64(e.threads))
	}
	return graph.Memory{Bytes: 4 * (words + scratch)}, nil
}

// slotsOf checks a pack's groups.
func slotsOf(cells int, groups graph.Groups) (*graph.Slots, error) {
	s, err := graph.NewSlots(cells, groups)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return s, nil
}
