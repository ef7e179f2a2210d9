package cpu

import (
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// lawful are the ops that this engine leaves to the law, the composites among them to their expansions. The laws of gather, pad, tail,
// concat and putrow are copies of memory as they stand; iota runs once, and pick reads one element of a row.
var lawful = []string{
	"fill", "iota", "pick", "pad", "tail", "concat", "putrow", "gather",
}

// In these tests no kernel of an engine may take more scratch memory than plans count.
func TestMain(m *testing.M) {
	outgrown = func(needed, planned int) {
		panic(fmt.Sprintf("a kernel takes %d words of scratch memory; the plan has %d", needed, planned))
	}
	os.Exit(m.Run())
}

// names are the variants that this build knows, and those that REQUIRE names and no other engine has.
func names() (names []string) {
	for _, v := range variants {
		names = append(names, v.name)
	}
	for _, name := range optest.Required() {
		if !slices.Contains(names, name) && !slices.Contains([]string{"cuda", "emu"}, name) {
			names = append(names, name)
		}
	}
	return names
}

func engine(t *testing.T, threads int, variants ...string) *Engine {
	t.Helper()
	e, err := New(Options{Threads: threads, Variants: variants})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestConformance holds each variant alone, and all together, against the laws.
func TestConformance(t *testing.T) {
	for _, v := range names() {
		t.Run(v, func(t *testing.T) {
			if !slices.Contains(Variants(), v) {
				optest.Absent(t, v)
			}
			optest.Run(t, engine(t, 1, v), optest.Options{Variant: v})
		})
	}
	t.Run("all", func(t *testing.T) {
		one, three := engine(t, 1, Variants()...), engine(t, 3, Variants()...)
		optest.Run(t, one, optest.Options{Others: []graph.Engine{three}})
	})
}

func TestComplete(t *testing.T) {
	if !hasAVX2 || !hasGo {
		optest.Absent(t, "avx2")
	}
	left := lawful
	if !slices.Contains(Variants(), "avx512") {
		left = append(left[:len(left):len(left)], "dualtanh", "dualsigmoid")
	}
	optest.Complete(t, engine(t, 1), left)
}

// TestGuards runs every registered twin on operands between poisoned words and against guard pages, at addresses that
// are multiples of 4 bytes only, and into results that hold poison before. It compares bits, the words around the results, and operands.
func TestGuards(t *testing.T) {
	for _, v := range names() {
		if v == Law {
			continue
		}
		t.Run(v, func(t *testing.T) {
			if !slices.Contains(Variants(), v) {
				optest.Absent(t, v)
			}
			kernels := 0
			for _, proto := range op.All {
				failed := 0
				for _, c := range optest.Cases(proto, 0) {
					ran, wrong := guardedTwin(t, v, c)
					kernels, failed = kernels+ran, failed+wrong
					if failed >= 3 {
						break
					}
				}
			}
			if kernels == 0 {
				t.Errorf("no %s twin serves any case: nothing was tested", v)
			}
			t.Logf("%d runs of kernels", kernels)
		})
	}
}

// guardedTwin runs a family's twin, if it has one that serves the case, between poisoned words and against guard pages.
func guardedTwin(t *testing.T, family string, c *optest.Case) (ran, wrong int) {
	t.Helper()
	maker := twins[reflect.TypeOf(c.Op)][family]
	if maker == nil {
		return 0, 0
	}
	k := maker(c.Op, c.In)
	if k == nil {
		return 0, 0
	}
	for _, flush := range []bool{false, true} {
		ran++
		if err := guarded(k, c, flush); err != nil {
			t.Errorf("%s twin of %s, guard pages %v: %v", family, c, flush, err)
			wrong++
		}
	}
	return ran, wrong
}

// guarded runs a kernel on guarded tensors. A touched guard page is an error and not the end of the test.
func guarded(k kernel, c *optest.Case, flush bool) (err error) {
	want, err := c.Want(nil)
	if err != nil {
		return err
	}
	var all []*optest.Guarded
	guard := func(ts []op.Tensor) (inner []op.Tensor, err error) {
		for _, x := range ts {
			g, err := optest.Guard(x, flush)
			if err != nil {
				return nil, err
			}
			all = append(all, g)
			inner = append(inner, g.Tensor)
		}
		return inner, nil
	}
	defer func() {
		for _, g := range all {
			g.Close()
		}
	}()
	for _, w := range []*workspace{{}, crewed(3)[0]} { // alone, and in as many parts as there can be
		if err := guardedIn(w, k, c, want, guard, &all); err != nil {
			return err
		}
	}
	return nil
}

// guardedIn runs a kernel in a workspace.
func guardedIn(w *workspace, k kernel, c *optest.Case, want []op.Tensor, guard func(ts []op.Tensor) ([]op.Tensor, error), guards *[]*optest.Guarded) (err error) {
	if w.crew != nil {
		defer cutSmall()()
	}
	before := len(*guards)
	in, err := guard(c.Draw(0))
	if err != nil {
		return err
	}
	out, err := guard(want)
	if err != nil {
		return err
	}
	all := (*guards)[before:]
	for _, g := range all[len(in):] {
		g.Poisoned()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the kernel panics: %v", r)
		}
	}()
	k(w, out, in)
	for i, g := range all {
		if i < len(in) {
			if s := g.Changed(); s != "" {
				return fmt.Errorf("operand %d: %s", i, s)
			}
		} else if s := optest.Diff(out[i-len(in)], want[i-len(in)]); s != "" {
			return fmt.Errorf("result %d: %s", i-len(in), s)
		}
		if s := g.Broken(); s != "" {
			return fmt.Errorf("operand or result %d: %s", i, s)
		}
	}
	return nil
}

// TestFamilies: a twin of a family that is no variant would never run.
func TestFamilies(t *testing.T) {
	for kind, families := range twins {
		for family := range families {
			if family == Law || !slices.Contains(names(), family) {
				t.Errorf("the %s twin of %s belongs to no variant", family, kind)
			}
		}
	}
}
