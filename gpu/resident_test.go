//go:build cuda

package gpu

import (
	"errors"
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

// A card's blocks may have less shared memory than a program would like to have: then more of it lies elsewhere, and at last none of it is resident.
func TestResidentTakesWhatTheCardHas(t *testing.T) {
	e := device0(t)
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.State("x", b.Fill(0, 2000), op.Cell)
		y := b.Do(op.Exp, x)
		b.Output("z", b.Do(op.Mul, y, b.Do(op.Neg, y)))
		b.Next(x, b.Do(op.Add, x, y))
	})
	if err != nil {
		t.Fatal(err)
	}
	all := e.info.Shared
	inside := -1
	for _, c := range []struct {
		shared   int
		resident bool
	}{{all, true}, {60 << 10, true}, {44 << 10, false}, {0, false}} {
		e.info.Shared = c.shared
		q, err := e.NewPack(2, nil)
		if err != nil {
			t.Fatal(err)
		}
		exe, err := q.Compile(p)
		if err == nil {
			err = exe.Reset(t.Context())
		}
		if err == nil {
			err = exe.Run(t.Context(), 2)
		}
		x := exe.(*exec)
		if err != nil || (x.resident != nil) != c.resident {
			t.Fatalf("%d bytes: resident %v, %v; want %v", c.shared, x.resident != nil, err, c.resident)
		}
		if r := x.resident; r != nil {
			if used := int(r.args.values) + r.bytes; used > c.shared || inside >= 0 && r.bytes >= inside {
				t.Errorf("%d bytes: %d are used, %d of them for values, and %d where there is more", c.shared, used, r.bytes, inside)
			}
			inside = r.bytes
		}
		if err := errors.Join(exe.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestResidentConformance holds the kernels against their laws as the executor `resident` runs them.
func TestResidentConformance(t *testing.T) {
	if only := strings.Split(*onlyKernels, ","); only[0] != "" && !slices.Contains(only, "resident") {
		t.Skipf("no case launches one of %s by the executor resident", *onlyKernels)
	}
	e := watched{device0(t), map[string]bool{}}
	e.executor = "resident"
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
		ran++
		if err := optest.Check(e, c, optest.Three, ""); err != nil {
			t.Error(err)
			if failed++; failed == 10 {
				t.Fatal("10 failures; the other cases are left out")
			}
		}
	}
	t.Logf("%d cases", ran)
	if *few > 0 {
		return
	}
	for _, name := range residentKernels {
		name = strings.TrimSuffix(name, "_256")
		if !e.seen[name] && name != "keep" && name != "iota" && name != "fill" { // every program has keep; the others hang on no state
			t.Errorf("no case ran %s", name)
		}
	}
}
