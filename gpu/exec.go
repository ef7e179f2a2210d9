package gpu

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"lockstep/graph"
	"lockstep/op"
)

// exec is a program compiled for a pack. By the executor `stream` a step is a list of launches, which is recorded once and replayed, so
// that the host does the same work for a step whatever the number of cells. By the executor `resident`, see resident.go, the list is the
// program of a kernel that does many steps.
type exec struct {
	p        *pack
	t        *graph.Tape
	home     []*array // by value: its array, or that of the value which it is a view of; nil: scratch
	scratch  uint64   // [cells, Scratch.Words]
	temp     uint64   // what the launches of one node hand to each other, and states that are staged
	own      int      // words of temp that each cell has to itself: by `resident` cells are not all at one node; 0: each node has all of temp
	once     []work
	reset    []work
	step     []work
	kernels  []graph.KernelInfo
	fresh    graph.Once
	graph    recording  // of a step; nil until the first
	resident *residence // nil: the executor is `stream`

	// The layout, before anything is allocated.
	region arena             // arrays, scratch and temporary memory
	named  map[string]*array // those of the arrays that the pack does not have yet
	plans  map[*op.Node]*plan
	bound  bool // home, scratch and resident say where every value lies
}

// work is one launch with its argument.
type work struct {
	kernel        string
	f             function
	grid          [3]int
	block, shared int
	cluster       int // blocks of one
	args          argument
}

func (p *pack) Compile(prog *graph.Program) (graph.Executable, error) {
	var x *exec
	err := p.e.do(func() (err error) {
		x, err = p.compile(prog)
		return err
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

func (p *pack) compile(prog *graph.Program) (*exec, error) {
	x, err := p.layout(prog)
	if err != nil {
		return nil, err
	}
	if err := p.settle(&x.region); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	maps.Copy(p.arrays, x.named)
	return x, x.build()
}

// layout finds a place for all that a program computes. Errors: an input that is not bound, or as another type; a node without a
// kernel.
func (p *pack) layout(prog *graph.Program) (*exec, error) {
	x := &exec{p: p, t: fused(prog), named: map[string]*array{}, plans: map[*op.Node]*plan{}}
	x.home = make([]*array, len(x.t.P.Types))
	temp, err := x.plan()
	if err != nil {
		return nil, err
	}
	x.resident = x.reside()
	if err := x.bind(); err != nil {
		return nil, err
	}
	x.bound = true
	if r := x.resident; r != nil {
		x.region.place(int64(r.words), &r.code)
	}
	x.region.place(int64(x.t.Scratch.Words)*int64(p.cells), &x.scratch)
	temp = max(temp, x.stagedWords())
	if x.resident != nil {
		x.own = x.stagedWords()
		for i := range x.t.Step {
			if pl := x.plans[&x.t.Step[i]]; pl != nil {
				x.own = max(x.own, pl.scratch)
			}
		}
		temp = max(temp, x.own*p.cells)
	}
	x.region.place(int64(temp), &x.temp)
	return x, nil
}

// domain is that of a node's results: it runs once for each slot of it.
func (x *exec) domain(n op.Node) op.Domain { return x.t.P.Types[n.Out[0]].Domain }

// plan plans every node that is no view, and is the words of temporary memory that they need.
func (x *exec) plan() (temp int, err error) {
	for _, nodes := range [][]op.Node{x.t.Once, x.t.Step} {
		for i := range nodes {
			n := &nodes[i]
			if x.t.View[n.Out[0]].Of != 0 {
				continue
			}
			in := make([]op.Type, len(n.In))
			for i, v := range n.In {
				in[i] = x.t.P.Types[v]
			}
			pl := planOf(n.Op, in)
			if pl == nil {
				return 0, fmt.Errorf("cuda: %w for %s on %v", graph.ErrNoKernel, op.Describe(n.Op), in)
			}
			slots, err := x.p.slots.Count(x.domain(*n))
			if err != nil {
				return 0, err
			}
			x.plans[n] = pl
			temp = max(temp, pl.scratch*slots)
		}
	}
	return temp, nil
}

// groups ranges over what a step runs together, and its nodes as plans knows them.
func (x *exec) groups() iter.Seq2[*graph.Group, []op.Node] {
	return func(yield func(*graph.Group, []op.Node) bool) {
		at := 0
		for i := range x.t.Groups {
			g := &x.t.Groups[i]
			nodes := x.t.Step[at : at+len(g.Nodes)]
			at += len(nodes)
			if !yield(g, nodes) {
				return
			}
		}
	}
}

// launches are those of nodes that are no chain, with what they are to those who ask for a program's kernels.
func (x *exec) launches(nodes []op.Node, variant string, once bool) (all []work, infos []graph.KernelInfo, err error) {
	for i := range nodes {
		n := &nodes[i]
		pl := x.plans[n]
		if pl == nil {
			continue // a view
		}
		var ran []string
		for _, l := range pl.launches {
			w, err := x.launch(*n, pl, l, once)
			if err != nil {
				return nil, nil, err
			}
			if w != nil {
				all = append(all, *w)
				ran = append(ran, l.kernel)
			}
		}
		if len(ran) == 0 {
			ran = []string{"nothing"} // an empty result
		}
		infos = append(infos, graph.KernelInfo{Op: op.Describe(n.Op), Variant: variant + ":" + strings.Join(ran, "+"), Once: once})
	}
	return all, infos, nil
}

// group is a chain, or nodes that are none.
func (x *exec) group(g *graph.Group, nodes []op.Node, variant string) ([]work, []graph.KernelInfo, error) {
	if g.Len > 0 {
		return x.chained(g, variant)
	}
	return x.launches(nodes, variant, false)
}

// steps are the launches of a step, but for what ends it. Before bind has found a place for every value they have no addresses.
func (x *exec) steps(variant string) (all []work, infos []graph.KernelInfo, err error) {
	for g, nodes := range x.groups() {
		made, known, err := x.group(g, nodes, variant)
		if err != nil {
			return nil, nil, err
		}
		all, infos = append(all, made...), append(infos, known...)
	}
	return all, infos, nil
}

// build makes the launches of the nodes, of Reset, and of what ends a step.
func (x *exec) build() (err error) {
	if x.once, x.kernels, err = x.launches(x.t.Once, "cuda", true); err != nil {
		return err
	}
	for _, s := range x.t.P.State {
		if err := x.copy(&x.reset, x.home[s.In], s.Init); err != nil {
			return err
		}
	}
	variant := "cuda"
	if x.resident != nil {
		variant = "resident"
	}
	var infos []graph.KernelInfo
	if x.step, infos, err = x.steps(variant); err != nil {
		return err
	}
	x.kernels = append(x.kernels, infos...)
	if err := x.finish(); err != nil {
		return err
	}
	if err := x.p.e.find(x.once, x.reset); err != nil {
		return err
	}
	if x.resident != nil {
		return x.settleIn()
	}
	return x.p.e.find(x.step)
}

// launch binds a launch of a node's plan; nil if it has nothing to do.
func (x *exec) launch(n op.Node, pl *plan, l launch, once bool) (*work, error) {
	over := x.domain(n)
	in, err := x.views(n.In, over)
	if err != nil {
		return nil, err
	}
	out, err := x.views(n.Out, over)
	if err != nil {
		return nil, err
	}
	slots := len(x.p.slots.Speakers(over))
	temp := view{base: x.temp, stride: uint64(pl.scratch)}
	if !once && x.own > 0 {
		temp.stride = uint64(x.own)
	}
	args := l.args(places{out, in, temp, slots})
	return newWork(l.kernel, l.x, blocks(slots, max(1, l.cells)), l.z, l.block, l.shared, args), nil
}

// newWork is a launch whose kernel has not been found yet; nil if the grid is empty.
func newWork(kernel string, gx, gy, gz, block, shared int, args argument) *work {
	if gx == 0 || gz == 0 {
		return nil
	}
	return &work{kernel, nil, [3]int{gx, gy, gz}, block, shared, 1, args}
}

// find finds the kernels of launches.
func (e *Engine) find(lists ...[]work) error {
	for _, list := range lists {
		for i := range list {
			w := &list[i]
			var err error
			if w.f, err = e.function(w.kernel, w.shared); err != nil {
				return err
			}
			if want := w.f.argBytes(); want != 0 && want != len(w.args.bytes) {
				return fmt.Errorf("cuda: kernel %s takes %d bytes of arguments; its launcher makes %d", w.kernel, want, len(w.args.bytes))
			}
		}
	}
	return nil
}

// found is a kernel, with the dynamic shared memory that its launches may have.
type found struct {
	function
	shared int
}

// function finds a kernel. Of each there is one limit of shared memory, whichever program asks for it: so it only ever rises.
func (e *Engine) function(name string, shared int) (function, error) {
	has, known := e.funcs[name]
	if known && shared <= has.shared {
		return has.function, nil
	}
	f, err := e.dev.function(name, shared)
	if err == nil {
		e.funcs[name] = found{f, shared}
	}
	return f, err
}

// refresh runs the once nodes if what they read, or an array that holds their results, has changed since they last ran.
func (x *exec) refresh() error {
	if !x.fresh.Stale() {
		return nil
	}
	if err := x.p.e.run(x.once); err != nil {
		return err // and they are stale still
	}
	x.fresh.Ran()
	return nil
}

func (x *exec) Reset(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return x.p.e.do(func() error {
		if err := x.refresh(); err != nil {
			return err
		}
		for _, s := range x.t.P.State {
			x.home[s.In].version++
		}
		if err := x.p.e.run(x.reset); err != nil {
			return err
		}
		return x.p.e.sync()
	})
}

// burst is how many steps are given to the card before the host looks up.
const burst = 64

func (x *exec) Run(ctx context.Context, steps int) error {
	if steps < 0 {
		return fmt.Errorf("cuda: Run of %d steps", steps)
	}
	for done := 0; done < steps; done += burst {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.p.e.do(func() error { return x.advance(min(burst, steps-done)) }); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (x *exec) advance(steps int) error {
	e := x.p.e
	if err := x.refresh(); err != nil {
		return err
	}
	if x.graph == nil && !e.blocking && x.resident == nil {
		g, err := e.dev.record(func() error { return e.run(x.step) })
		if err != nil {
			return err
		}
		x.graph = g
	}
	for _, s := range x.t.P.State {
		x.home[s.In].version++
	}
	for _, o := range x.t.P.Out {
		x.fresh.Change(&x.p.arrays[o.Name].version)
	}
	if x.resident != nil {
		if err := e.run([]work{x.resident.steps(steps)}); err != nil {
			return err
		}
		return e.sync()
	}
	for range steps {
		step := func() error { return e.run(x.step) }
		if x.graph != nil {
			e.give(x.step)
			step = x.graph.replay
		}
		if err := step(); err != nil {
			return err
		}
	}
	return e.sync()
}

func (x *exec) Kernels() []graph.KernelInfo { return slices.Clone(x.kernels) }

func (x *exec) Close() error {
	if x.graph == nil {
		return nil
	}
	g := x.graph
	x.graph = nil
	return x.p.e.do(g.close)
}
