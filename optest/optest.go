// Package optest is the conformance suite: it holds an engine against the laws of package op, bit for bit.
//
// A table (see Cases) lists, for every op, attributes, shapes and values at which implementations go wrong. Run traces each
// case as a program of one op, runs it on the engine in two packings, and compares every word of every result with the law.
// An engine calls it from one line of its own tests. Complete tells which ops an engine leaves to the law.
package optest

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// Options say how Run goes about it.
type Options struct {
	// Seed picks the random values; 0 is a seed as good as any other.
	Seed uint64
	// Others are further engines, such as the same one with another number of threads; they must give the same bits in the
	// pack of three cells.
	Others []graph.Engine
	// Variant restricts Run to the cases of which at least one node runs on this variant (graph.KernelInfo); empty: all.
	Variant string
	// Ops restricts Run to the ops of these names; empty: all.
	Ops []string
	// Only restricts Run to the cases that it is true of; nil: all.
	Only func(c *Case) bool
}

// enough is the number of failures of one op after which Run turns to the next one.
const enough = 3

// Run compares an engine with the law of every op of op.All. A failure saves its operands under testdata/failures of the
// calling package and prints the command that replays it.
func Run(t *testing.T, e graph.Engine, o Options) {
	t.Helper()
	total := 0
	for _, proto := range op.All {
		if len(o.Ops) > 0 && !slices.Contains(o.Ops, proto.Name()) {
			continue
		}
		t.Run(proto.Name(), func(t *testing.T) {
			cases, ran, failed := Cases(proto, o.Seed), 0, 0
			defer func() { total += ran }()
			if len(cases) == 0 {
				t.Fatalf("no cases for %s: add a generator to the table of package optest", proto.Name())
			}
			for _, c := range cases {
				if o.Only != nil && !o.Only(c) {
					continue
				}
				errs := []error{Check(e, c, Alone, o.Variant), Check(e, c, Three, o.Variant)}
				for _, other := range o.Others {
					errs = append(errs, Check(other, c, Three, o.Variant))
				}
				if !errors.Is(errs[0], errDeclined) {
					ran++
				}
				for _, err := range errs {
					if err == nil || errors.Is(err, errDeclined) {
						continue
					}
					failed++
					t.Error(err)
					if f := (*Failure)(nil); errors.As(err, &f) {
						t.Log(f.Save("testdata/failures"))
					}
				}
				if failed >= enough {
					t.Fatalf("%d failures; the other cases of %s are left out", failed, proto.Name())
				}
			}
			if o.Variant != "" {
				t.Logf("%d of %d cases ran on %s", ran, len(cases), o.Variant)
			}
		})
	}
	if total == 0 && !t.Failed() {
		t.Errorf("no case ran on %s of variant %q: nothing was tested", e.Name(), o.Variant)
	}
}

// law is the variant that stands for "no twin" in graph.KernelInfo.
const law = "law"

// Complete fails for an op that runs on the law in all of its cases and is not among the exceptions, and for an exception
// that is out of date: a name of no op, or of one that has a twin. A node that needs no kernel at all, such as a view, counts
// as a twin, the kernels of a composite's expansion do not.
func Complete(t *testing.T, e graph.Engine, exceptions []string) {
	t.Helper()
	for _, name := range exceptions {
		if _, err := op.Named(name); err != nil {
			t.Errorf("exception: %v", err)
		}
	}
	for _, proto := range op.All {
		twin := false
		for _, c := range Cases(proto, 0) {
			if twin = twin || hasTwin(t, e, c); twin {
				break
			}
		}
		switch excepted := slices.Contains(exceptions, proto.Name()); {
		case !twin && !excepted:
			t.Errorf("%s has no twin on %s: write one, or declare it an exception", proto.Name(), e.Name())
		case twin && excepted:
			t.Errorf("%s has a twin on %s: it is no exception any more", proto.Name(), e.Name())
		}
	}
}

// hasTwin tells whether an engine runs the case's op by something else than the law.
func hasTwin(t *testing.T, e graph.Engine, c *Case) bool {
	r, err := newRun(e, c, Alone)
	if err != nil {
		t.Errorf("%s: %v", c, err)
		return true // reported, but not as a missing twin
	}
	defer r.close()
	kernels := r.exe.Kernels()
	return len(kernels) == 0 || slices.ContainsFunc(kernels, func(k graph.KernelInfo) bool {
		return k.Variant != law && k.Op == op.Describe(c.Op)
	})
}

// Kernels tells what runs the nodes of a case on an engine. Error: graph.ErrNoKernel, or what else the engine says.
func Kernels(e graph.Engine, c *Case) ([]graph.KernelInfo, error) {
	r, err := newRun(e, c, Alone)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.exe.Kernels(), nil
}

// Required lists the variants and engines that the environment variable REQUIRE names, such as REQUIRE=avx2,cuda.
func Required() (names []string) {
	for name := range strings.SplitSeq(os.Getenv("REQUIRE"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Absent ends a test whose variant or engine this machine or build lacks: it fails if REQUIRE names it, else it is skipped.
func Absent(t *testing.T, name string) {
	t.Helper()
	if slices.Contains(Required(), name) {
		t.Fatalf("%s is absent from this build or machine, and REQUIRE=%s names it", name, os.Getenv("REQUIRE"))
	}
	t.Skipf("SKIPPED: %s is absent from this build or machine (REQUIRE=%s would fail here)", name, name)
}
