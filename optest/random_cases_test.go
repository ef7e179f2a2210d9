package optest_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// forced is the CPU engine with one variant alone, by its name, or with all of them, on two threads: "".
type forced struct {
	variant string
	engine  graph.Engine
}

func variantEngines(t testing.TB) (all []forced) {
	t.Helper()
	add := func(variant string, o cpu.Options) {
		e, err := cpu.New(o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, forced{variant, e})
	}
	add("", cpu.Options{Threads: 2})
	for _, v := range cpu.Variants() {
		if v != cpu.Law {
			add(v, cpu.Options{Threads: 1, Variants: []string{v}})
		}
	}
	return all
}

// setting is a number from the environment, or what it is otherwise.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestRandomCases runs ops of random attributes, shapes and values on every engine. LOCKSTEP_CASES=100000 runs more of them, LOCKSTEP_SEED others; FuzzCases
// goes on without an end.
func TestRandomCases(t *testing.T) {
	cases := setting(t, "LOCKSTEP_CASES", 2000)
	if testing.Short() {
		cases = 200
	}
	seed, failed := setting(t, "LOCKSTEP_SEED", 0), 0
	all := variantEngines(t)
	for i := range cases {
		for _, e := range all {
			if err := optest.CheckRandom(e.engine, e.variant, seed, i); err != nil {
				t.Error(err)
				if failed++; failed == 3 {
					t.Fatal("three failures; the other cases are left out")
				}
			}
		}
	}
}

// Random cases have every op that engines compute, and products with every transpose, batches on either side alone, and 1 for every size.
func TestRandomCasesReach(t *testing.T) {
	ops, products := map[string]bool{}, map[string]int{}
	for i := range uint64(2000) {
		c := optest.RandomCase(0, i)
		ops[c.Op.Name()] = true
		o, ok := c.Op.(op.MatMul)
		if j, jvp := c.Op.(op.MatMulJVP); jvp {
			o, ok = op.MatMul(j), true
		}
		if d, dual := c.Op.(op.Dual[op.MatMul]); dual {
			o, ok = d.Of, true
		}
		if !ok {
			continue
		}
		a, b := c.In[0].Shape, c.In[1].Shape
		d, _ := o.Dims(a, b)
		for size, n := range map[string]int{"m": d.M, "k": d.K, "n": d.N} {
			if n == 1 && d.Batch > 1 && min(d.M*d.K, d.K*d.N) > 0 && (a.Rank == 2 || b.Rank == 2) {
				products[fmt.Sprintf("%+v, batch of a %v, %s is 1", o, a.Rank > 2, size)]++
			}
		}
	}
	if len(products) != 4*2*3 {
		t.Errorf("%d kinds of products with sizes of 1 and a batch on one side; want all 24: %v", len(products), products)
	}
	for _, o := range op.All {
		if !slices.Contains(moved, o.Name()) && !ops[o.Name()] {
			t.Errorf("no case of 2000 is of %s", o.Name())
		}
	}
}

// moved are the ops that only move or name data: random programs have them, random cases have not.
var moved = []string{"fill", "iota", "pick", "reshape", "slice", "pad", "tail", "concat", "split", "putrow", "gather"}

func FuzzCases(f *testing.F) {
	f.Add(uint64(1), uint64(0))
	all := variantEngines(f)
	f.Fuzz(func(t *testing.T, seed, i uint64) {
		for _, e := range all {
			if err := optest.CheckRandom(e.engine, e.variant, seed, i); err != nil {
				t.Fatal(err)
			}
		}
	})
}
