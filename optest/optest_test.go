package optest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// faulty is an engine with a planted fault: it is right but for what spoil does to an array that is read.
type faulty struct {
	graph.Engine
	spoil func(name string, cell int, b []byte)
}

type faultyPack struct {
	graph.Pack
	spoil func(name string, cell int, b []byte)
}

func (e faulty) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, groups)
	return faultyPack{p, e.spoil}, err
}

func (p faultyPack) Read(name string, cell int, dst []byte) error {
	err := p.Pack.Read(name, cell, dst)
	p.spoil(name, cell, dst)
	return err
}

func lawEngine(t *testing.T) *cpu.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{Threads: 1, Variants: []string{cpu.Law}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestPlantedFaults: the suite finds a single wrong bit, a wrong zero, a NaN with a payload, an operand that was written to,
// and a fault that only a pack shows, and it says where.
func TestPlantedFaults(t *testing.T) {
	flip := func(word int, mask uint32) func(b []byte) {
		return func(b []byte) {
			if 4*word < len(b) {
				binary.LittleEndian.PutUint32(b[4*word:], binary.LittleEndian.Uint32(b[4*word:])^mask)
			}
		}
	}
	each := func(f func(w uint32) uint32) func(b []byte) {
		return func(b []byte) {
			for i := 0; i < len(b); i += 4 {
				binary.LittleEndian.PutUint32(b[i:], f(binary.LittleEndian.Uint32(b[i:])))
			}
		}
	}
	for _, f := range []struct {
		name, array string
		op          op.Op
		packing     optest.Packing
		cell        int
		spoil       func(b []byte)
		says        []string
	}{
		{"last bit", "out0", op.Add, optest.Alone, 0, flip(3, 1), []string{"result 0", "1 of", "at [3]", "1 ULP", "add: law", "seed"}},
		{"sign of zero", "out0", op.MatMul{}, optest.Alone, 0, each(func(w uint32) uint32 {
			if w<<1 == 0 {
				return 0
			}
			return w
		}), []string{"80000000", "1 ULP"}},
		{"payload", "out0", op.Mul, optest.Alone, 0, each(func(w uint32) uint32 {
			if w == op.NaN {
				return 0xffc00000
			}
			return w
		}), []string{"got ffc00000 want 7fc00000", "NaN"}},
		{"operand", "in1", op.Sub, optest.Alone, 0, flip(0, 1<<31), []string{"operand 1, after the run"}},
		{"last cell", "out0", op.Exp, optest.Three, 2, flip(0, 2), []string{"three cells, cell 2"}},
		{"second result", "out1", op.Split{}, optest.Three, 1, flip(0, 1), []string{"result 1"}},
		{"one code", "out0", op.Ternary{}, optest.Alone, 0, flip(0, 2), []string{"at [0 0]"}},
		{"one byte", "out0", op.Cast{}, optest.Alone, 0, flip(0, 1<<8), []string{"at [1]"}},
	} {
		e := faulty{lawEngine(t), func(name string, cell int, b []byte) {
			if name == f.array && cell == f.cell {
				f.spoil(b)
			}
		}}
		var found *optest.Failure
		for _, c := range optest.Cases(f.op, 0) {
			if o, ok := c.Op.(op.Cast); f.name == "one byte" && !(ok && o.To == op.I8) {
				continue
			}
			if err := optest.Check(lawEngine(t), c, f.packing, ""); err != nil {
				t.Fatalf("%s: without a fault: %v", f.name, err)
			}
			if err := optest.Check(e, c, f.packing, ""); errors.As(err, &found) && !misses(err.Error(), f.says) {
				break
			}
		}
		switch {
		case found == nil:
			t.Errorf("%s: the fault is not found", f.name)
		case misses(found.Error(), f.says):
			t.Errorf("%s: the message lacks one of %q:\n%v", f.name, f.says, found)
		}
	}
}

// misses tells whether text lacks one of the parts.
func misses(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// TestReplay: the operands of a failure are saved so that reading them and setting the attributes of the printed command
// give the case again.
func TestReplay(t *testing.T) {
	cases := append(optest.Cases(op.MatMul{}, 0), optest.Cases(op.Uniform{}, 0)...)
	cases = append(cases, optest.Cases(op.TernaryMM{}, 0)...)
	dir := t.TempDir()
	for _, c := range []*optest.Case{cases[40], cases[len(cases)-1], optest.Cases(op.Uniform{}, 0)[40]} {
		f := &optest.Failure{Case: c, Variant: "law", In: c.Draw(0)}
		line := f.Save(dir)
		command, ok := strings.CutPrefix(line, "replay: lockstep op run ")
		if !ok {
			t.Fatalf("%s: %s", c, line)
		}
		o, err := op.Named(c.Op.Name())
		words := strings.Fields(command)
		for i := 0; err == nil && i < len(words); i++ {
			switch {
			case words[i] == "--attr":
				key, value, _ := strings.Cut(words[i+1], "=")
				o, err = op.WithAttr(o, key, value)
			case strings.HasSuffix(words[i], ".npy") && strings.HasPrefix(words[i], dir):
				_, err = os.Stat(words[i])
			}
		}
		if err != nil || o != c.Op {
			t.Errorf("%s\n%s\ngives %v, error %v", c, line, o, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".gitignore")); err != nil {
		t.Errorf("saved operands would be committed: %v", err)
	}
}

// TestEveryOpHasCases and attributes that are really different.
func TestEveryOpHasCases(t *testing.T) {
	for _, o := range op.All {
		seen := map[string]bool{}
		for _, c := range optest.Cases(o, 0) {
			if c.Op.Name() != o.Name() {
				t.Errorf("a case of %s stands among those of %s", c.Op.Name(), o.Name())
			}
			if _, err := c.Op.Shape(c.In); err != nil {
				t.Errorf("%v", err)
			}
			seen[op.Describe(c.Op)] = true
		}
		if d, ok := o.(op.Twofold); ok && len(seen) == 1 {
			if of, _ := d.Primal(); len(optest.Cases(of, 0)[0].In) == 1 && len(op.Attrs(of)) == 0 {
				continue // With can only be 1
			}
		}
		if len(seen) == 0 || len(op.Attrs(o)) > 0 && len(seen) < 2 {
			t.Errorf("%s: %d attribute values", o.Name(), len(seen))
		}
	}
}

// TestCasesAreReproducible: a seed gives the same values again, another seed and another slot give others.
func TestCasesAreReproducible(t *testing.T) {
	a, b := optest.Cases(op.Exp, 7)[5], optest.Cases(op.Exp, 8)[5]
	if optest.Diff(a.Draw(0)[0], a.Draw(1)[0]) == "" || optest.Diff(a.Draw(0)[0], b.Draw(0)[0]) == "" {
		t.Error("two slots or two seeds have equal values")
	}
	if optest.Cases(op.Exp, 7)[5] != a {
		t.Error("the table is made twice")
	}
}

// TestEmptyRunFails: an engine that computes nothing does not pass, which it would if arrays kept their old results.
func TestEmptyRunFails(t *testing.T) {
	c := optest.Cases(op.Add, 0)[10]
	if err := optest.Check(idle{lawEngine(t)}, c, optest.Alone, ""); err == nil {
		t.Error("an engine that does not run passes")
	}
}

type idle struct{ graph.Engine }

func (e idle) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	p, err := e.Engine.NewPack(cells, groups)
	return idlePack{p}, err
}

type idlePack struct{ graph.Pack }

func (p idlePack) Compile(prog *graph.Program) (graph.Executable, error) {
	x, err := p.Pack.Compile(prog)
	return idleExecutable{x}, err
}

type idleExecutable struct{ graph.Executable }

func (idleExecutable) Run(context.Context, int) error { return nil }

// TestDiffOfBytes: what lies beyond the last int8 counts; pads of ternary rows do not.
func TestDiffOfBytes(t *testing.T) {
	for _, d := range []op.DType{op.I8, op.T2} {
		a, b := op.New(op.T(d, op.Shared, 1, 5)), op.New(op.T(d, op.Shared, 1, 5))
		a.W[len(a.W)-1] = 0x7f << 24
		if found := optest.Diff(a, b) != ""; found != (d == op.I8) {
			t.Errorf("%s: a difference beyond the elements is found: %v", d, found)
		}
	}
}
