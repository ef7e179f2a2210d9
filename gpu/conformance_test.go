//go:build cuda

package gpu

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"lockstep/cuda/loader"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

var (
	onlyKernels = flag.String("kernels", "", "run the cases that launch one of these `KERNELS`, separated by commas, and no others")
	few         = flag.Int("few", 0, "run `N` cases of each kernel, spread over the sizes up to 20,000 words and blocks of 576 threads, and those of optest.Turns; 0: all")
)

// device0 is an engine on the first card, or on the emulated driver.
func device0(t *testing.T) *Engine {
	t.Helper()
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
	e, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// kernelsOf are the kernels that a case launches for its own op: keep, the copy, for a view; none, if it is expanded.
func kernelsOf(c *optest.Case) (names []string) {
	p := planOf(c.Op, c.In)
	if _, expanded := c.Op.(op.Composite); p == nil && expanded {
		return nil
	}
	if p == nil {
		return []string{"keep"}
	}
	for _, l := range p.launches {
		names = append(names, l.kernel)
	}
	return names
}

// chosen are the cases that the flags choose: all, those of some kernels, a few of each.
func chosen() map[*optest.Case]bool { return casesOf(strings.Split(*onlyKernels, ",")) }

// casesOf are the cases that launch one of the kernels, all of [""]: by the flag -few a few of each kernel.
func casesOf(only []string) map[*optest.Case]bool {
	whole := only[0] == ""
	wanted := func(c *optest.Case) (names []string) {
		return slices.DeleteFunc(kernelsOf(c), func(k string) bool { return !whole && !slices.Contains(only, k) })
	}
	var cases []*optest.Case
	for _, o := range op.All {
		for _, c := range optest.Cases(o, 0) {
			large := threadsOf(c) > 576 && !strings.HasPrefix(c.Note, optest.Turns) // ThreadSanitizer has fibers for so many
			if (whole || len(wanted(c)) > 0) && !(*few > 0 && large) {
				cases = append(cases, c)
			}
		}
	}
	if *few > 0 {
		cases = optest.Few(cases, *few, wanted)
	}
	all := map[*optest.Case]bool{}
	for _, c := range cases {
		all[c] = true
	}
	return all
}

// threadsOf is the size of the largest block that a case launches for its own op.
func threadsOf(c *optest.Case) (most int) {
	if p := planOf(c.Op, c.In); p != nil {
		for _, l := range p.launches {
			most = max(most, l.block)
		}
	}
	return most
}

// littered is a device whose memory is not zero where nothing has been written: each word is a NaN of its own.
type littered struct {
	device
	e *Engine
}

func litter(at uint64) uint32 { return 0x7fa00000 | uint32(at/4)&0x1fffff }

func (d littered) clear(p uint64, bytes int64) error {
	words := make([]uint32, bytes/4)
	for i := range words {
		words[i] = litter(p + 4*uint64(i))
	}
	return d.e.stage.write(p, op.Bytes(words))
}

// tidy is an engine that fails a test in which something was written behind the end of an array, before the next one.
type tidy struct {
	*Engine
	t *testing.T
}

type tidyPack struct {
	*pack
	t *testing.T
}

func (e tidy) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, groups)
	if err != nil {
		return nil, err
	}
	return tidyPack{p.(*pack), e.t}, nil
}

func (p tidyPack) Close() error {
	for name, a := range p.arrays {
		n, err := p.slots.Count(a.Domain)
		if err != nil {
			return err
		}
		b := make([]byte, (4*n*graph.Stride(a.Type)+255)/256*256)
		if len(b) == 0 {
			continue
		}
		if err := p.e.do(func() error { return p.e.stage.read(b, a.base) }); err != nil {
			break // told already
		}
		words := make([]uint32, len(b)/4)
		op.PutWords(words, b)
		for i, w := range words {
			slot, at := i/graph.Stride(a.Type), i%graph.Stride(a.Type)
			if (slot >= n || at >= a.Words()) && w != litter(a.base+4*uint64(i)) {
				p.t.Errorf("array %s, %s, slot %d: word %d was written: %08x", name, a.Type, slot, at, w)
				break
			}
		}
	}
	return p.pack.Close()
}

// expanded are the composites that have no kernel of their own: they are pointwise, so a chain runs what they consist of in one launch, on words that it
// reads once.
var expanded = []string{"dualtanh", "dualsigmoid", "dualgelu"}

// TestConformance holds every kernel against its law, in the order of threads and blocks that LOCKSTEP_EMU_ORDER gives.
func TestConformance(t *testing.T) {
	e := device0(t)
	t.Logf("on %s", e.Info())
	// Kernels that stride over the z of a grid must do so in small cases, too.
	defer func(z int) { maxZ = z }(maxZ)
	maxZ = 2
	cases := chosen()
	if len(cases) == 0 {
		t.Skipf("no case launches one of %s", *onlyKernels)
	}
	if len(*onlyKernels) == 0 && *few == 0 {
		optest.Complete(t, e, expanded)
	}
	e.dev = littered{e.dev, e}
	e.executor = "stream" // TestResidentConformance is for the other one
	optest.Run(t, tidy{e, t}, optest.Options{Only: func(c *optest.Case) bool { return cases[c] }})
	if *onlyKernels != "" {
		return
	}
	// The emulated driver's list of its kernels: one that never ran was not tested.
	list, err := os.ReadFile(os.Getenv("LOCKSTEP_CUDA_DRIVER") + ".kernels")
	if err != nil {
		t.Logf("whether every kernel ran is not known: %v", err)
		return
	}
	for name := range strings.FieldsSeq(string(list)) {
		if _, ran := e.funcs[name]; !ran && !strings.HasPrefix(name, "peak_") && name != "resident" && name != "chain" { // other tests have these
			t.Errorf("no case launched the kernel %s", name)
		}
	}
}
