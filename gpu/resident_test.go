//go:build cuda

package gpu

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// watched is an engine that notes which kernels its programs run by the executor `resident`.
type watched struct {
	*Engine
	seen map[string]bool
}

type watchedPack struct {
	graph.Pack
	seen map[string]bool
}

func (e watched) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, groups)
	return watchedPack{p, e.seen}, err
}

func (p watchedPack) Compile(prog *graph.Program) (graph.Executable, error) {
	x, err := p.Pack.Compile(prog)
	if err == nil {
		for _, k := range x.Kernels() {
			if names, ok := strings.CutPrefix(k.Variant, "resident:"); ok {
				for _, name := range strings.Split(names, "+") {
					p.seen[name] = true
				}
			}
		}
	}
	return x, err
}

// clustersOf tells whether the card has clusters of blocks.
func clustersOf(t *testing.T, e *Engine) (has bool) {
	t.Helper()
	if err := e.do(func() error { has = e.hasClusters(); return nil }); err != nil {
		t.Fatal(err)
	}
	return has
}

// What a card's blocks may have decides how much of a program is resident, and by how many blocks a cell: more of it lies elsewhere where there is
// less, then several blocks share it, and at last `stream` runs it. All give the same.
func TestResidentTakesWhatTheCardHas(t *testing.T) {
	e := device0(t)
	p := traced(t, func(b *graph.Builder) {
		x := b.State("x", b.Input("start", op.T(op.F32, op.Cell, 40, 50)), op.Cell)
		y := b.Do(op.Softmax{}, x) // which joins no chain
		z := b.Do(op.Softmax{}, y)
		b.Output("z", b.Do(op.Mul, y, b.Do(op.Transpose{Perm: op.List(1, 0)}, b.Do(op.Reshape{To: op.S(50, 40)}, z))))
		b.Next(x, b.Do(op.Softmax{}, b.Do(op.Transpose{Perm: op.List(1, 0)}, b.Do(op.Reshape{To: op.S(50, 40)}, z))))
	})
	if !clustersOf(t, e) {
		t.Skip("SKIPPED: the card has no clusters of blocks")
	}
	all := e.info
	clusters := map[bool]clusterState{true: someClusters, false: noClusters}
	var want []byte
	for _, c := range []struct {
		executor string
		shared   int
		clusters bool
		blocks   int // a cell; 0: by stream
		values   int // in the shared memory of all of them
	}{
		{"auto", all.Shared, true, 1, 4}, {"auto", 60 << 10, true, 1, 3}, {"auto", 46 << 10, true, 2, 2}, {"auto", 46 << 10, false, 0, 0}, {"auto", 36 << 10, true, 0, 0}, {"auto", 0, true, 0, 0},
		{"resident", 46 << 10, false, 1, 1}, {"resident:1", 46 << 10, true, 1, 1}, {"resident:2", all.Shared, true, 2, 4}, {"resident:4", 46 << 10, true, 4, 4}, {"stream", all.Shared, true, 0, 0},
	} {
		name := fmt.Sprintf("%s, clusters %v, %d bytes", c.executor, c.clusters, c.shared)
		e.info.Shared, e.clustered = c.shared, clusters[c.clusters]
		if _, err := e.Choose(c.executor); err != nil {
			t.Fatal(err)
		}
		q, err := e.NewPack(2, nil)
		if err != nil {
			t.Fatal(err)
		}
		for cell := range 2 {
			start := op.New(op.T(op.F32, op.Cell, 40, 50))
			for i := range start.W {
				start.SetF(i, float32(i*(cell+3)%17))
			}
			if err := q.Put("start", start.Type, cell, op.Bytes(start.W)); err != nil {
				t.Fatal(err)
			}
		}
		exe, err := q.Compile(p)
		if err == nil {
			err = exe.Reset(t.Context())
		}
		if err == nil {
			err = exe.Run(t.Context(), 3)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		blocks, values := 0, 0
		if r := exe.(*exec).resident; r != nil {
			blocks = r.cluster
			places := map[uint64]bool{}
			for _, at := range r.at {
				if at != 0 {
					places[at] = true
				}
			}
			values = len(places)
			if used := int(r.args.values) + r.bytes; used > c.shared {
				t.Errorf("%s: %d bytes are used", name, used)
			}
		}
		if blocks != c.blocks || values != c.values {
			t.Errorf("%s: %d blocks a cell with %d values; want %d with %d", name, blocks, values, c.blocks, c.values)
		}
		got := make([]byte, 2*4*2000)
		if err := q.ReadAll("z", got); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s: another result", name)
		}
		if err := errors.Join(exe.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	}
	e.info, e.clustered = all, noClusters
	for _, bad := range []string{"", "fast", "resident:3", "resident:", "stream:2", "resident:2", "resident:4"} {
		if _, err := e.Choose(bad); err == nil {
			t.Errorf("%q is an executor of a card without clusters", bad)
		}
	}
}

// TestResidentTemporaryConformance: what the launches of a node hand to each other, and states that are staged, each cell has to itself, wherever
// in the step it is: the cells of `resident` do not wait for each other. ThreadSanitizer sees who meets.
func TestResidentTemporaryConformance(t *testing.T) {
	if only := strings.Split(*onlyKernels, ","); only[0] != "" && !slices.Contains(only, "resident") {
		t.Skipf("no launch of one of %s", *onlyKernels)
	}
	e := device0(t)
	e.executor = "resident"
	const cells = 3
	rows, all := op.Sum{Axes: op.List(1)}, op.Sum{Axes: op.List(0, 1)} // of two launches each, with unlike scratch
	typ, flat, flag := op.T(op.F32, op.Cell, 20, 1100), op.T(op.F32, op.Cell, 20), op.T(op.Bool, op.Cell)
	q, err := e.NewPack(cells, nil)
	if err != nil {
		t.Fatal(err)
	}
	var in []op.Tensor
	for cell := range cells {
		x := op.New(typ)
		for i := range x.W {
			x.SetF(i, float32((i*7+cell)%23)/8)
		}
		in = append(in, x)
		if err := errors.Join(q.Put("x", typ, cell, op.Bytes(x.W)), q.Put("zero", flat, cell, make([]byte, 80)),
			q.Put("true", flag, cell, []byte{1, 0, 0, 0}), q.Put("false", flag, cell, make([]byte, 4))); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := q.Compile(traced(t, func(b *graph.Builder) {
		x := b.State("s", b.Input("x", typ), op.Cell)
		zero := b.Input("zero", flat)
		y, z := b.State("y", zero, op.Cell), b.State("z", zero, op.Cell)
		b.Output("rows", b.Do(rows, x))
		b.Output("all", b.Do(all, x))
		b.Next(x, x)
		b.Next(y, z) // staged
		b.Next(z, y)
		on, off := b.State("on", b.Input("true", flag), op.Cell), b.State("off", b.Input("false", flag), op.Cell)
		b.Next(on, off) // the flag is staged, too
		b.Next(off, on)
		b.Active(on)
	}))
	if err == nil {
		err = errors.Join(exe.Reset(t.Context()), exe.Run(t.Context(), 3))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]op.Op{"rows": rows, "all": all} {
		for cell := range cells {
			want, err := op.Run(o, in[cell])
			if err != nil {
				t.Fatal(err)
			}
			got := op.New(want[0].Type)
			b := make([]byte, 4*len(got.W))
			if err := q.Read(name, cell, b); err != nil {
				t.Fatal(err)
			}
			op.PutWords(got.W, b)
			if d := optest.Diff(got, want[0]); d != "" {
				t.Errorf("%s of cell %d: %s", name, cell, d)
			}
		}
	}
	x := exe.(*exec)
	if x.resident == nil || x.own == 0 {
		t.Fatal("it is not resident, or has no temporary memory: the test shows nothing")
	}
	found := 0
	for _, w := range x.step {
		for _, v := range viewsIn(reflect.ValueOf(w.args.fields)) {
			at := (int64(v.base) - int64(x.temp)) / 4
			if at < 0 || at >= int64(x.own*cells) {
				continue
			}
			if found++; at >= int64(x.own) || v.stride != uint64(x.own) {
				t.Errorf("%s has temporary memory at word %d, and the next cell's %d on; a cell has %d words", w.kernel, at, v.stride, x.own)
			}
		}
	}
	if found < 14 { // of two sums, four staged states and the flag, written and read
		t.Errorf("%d places in temporary memory", found)
	}
	if err := errors.Join(exe.Close(), q.Close()); err != nil {
		t.Error(err)
	}
}

// viewsIn are all views in an argument.
func viewsIn(v reflect.Value) (all []view) {
	switch {
	case v.Type() == reflect.TypeFor[view]():
		return []view{{v.Field(0).Uint(), v.Field(1).Uint(), v.Field(2).Uint()}}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			all = append(all, viewsIn(v.Field(i))...)
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			all = append(all, viewsIn(v.Index(i))...)
		}
	}
	return all
}

// blocksOf is the most blocks of a slot that a case launches for its own op.
func blocksOf(c *optest.Case) (most int) {
	if p := planOf(c.Op, c.In); p != nil {
		for _, l := range p.launches {
			most = max(most, l.x*l.z)
		}
	}
	return most
}

// TestResidentConformance holds the kernels against their laws as the executor `resident` runs them.
func TestResidentConformance(t *testing.T) {
	if only := strings.Split(*onlyKernels, ","); only[0] != "" && !slices.Contains(only, "resident") {
		t.Skipf("no case launches one of %s by the executor resident", *onlyKernels)
	}
	e := watched{device0(t), map[string]bool{}}
	clustered := clustersOf(t, e.Engine)
	ran, failed := 0, 0
	for c := range casesOf([]string{""}) {
		foreign := func(kernel string) bool { return residentOf(kernel) < 0 }
		states, held := optest.Three.States(c), 0
		for _, t := range states {
			held += 4 * graph.Stride(t)
		}
		names := kernelsOf(c)
		if names == nil || slices.ContainsFunc(names, foreign) || len(states) == 0 || held > e.residentShared()-residentFixed {
			continue // for stream, which has other kernels
		}
		if *few > 0 && blocksOf(c) > 100 { // one after the other, with a barrier each
			continue
		}
		ran++
		executors := []string{"resident"}
		switch {
		case !clustered: // some by clusters, too
		case *few > 0 && c.Seed%16 == 0: // of as few fibers as can be
			executors = append(executors, "resident:2")
		case *few == 0 && c.Seed%4 == 0:
			executors = append(executors, fmt.Sprintf("resident:%d", 2+c.Seed/4%2*2))
		}
		for _, e.executor = range executors {
			if err := optest.Check(e, c, optest.Three, ""); err != nil {
				t.Errorf("by %s: %v", e.executor, err)
				if failed++; failed == 10 {
					t.Fatal("10 failures; the other cases are left out")
				}
			}
		}
	}
	t.Logf("%d cases", ran)
	if *few > 0 {
		return
	}
	for _, name := range residentKernels {
		name = strings.TrimSuffix(name, "_256")
		if !e.seen[name] && name != "keep" && name != "iota" && name != "fill" && name != "chain" { // every program has keep; two hang on no state; TestChainConformance has the last
			t.Errorf("no case ran %s", name)
		}
	}
}
