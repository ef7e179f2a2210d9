//go:build cuda

package gpu

import (
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
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
		if names := kernelsOf(c); names == nil || slices.ContainsFunc(names, foreign) || !optest.Three.Steps(c) {
			continue
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
