package exhaustive

import (
	"cmp"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"lockstep/internal/files"
	"lockstep/op"
	"lockstep/optest/ulp"
)

var publish = flag.Bool("publish", false, "write the errors of the functions that run into optest/ulp/errors.txt, with LOCKSTEP_EXHAUSTIVE=1")

// measurement collects the errors of a function's results, part by part, in any order.
type measurement struct {
	ulp.Function
	mu    sync.Mutex
	parts map[uint32]ulp.Error // by first argument
	err   error
}

// measurementOf is nil for what approximates no real function.
func measurementOf(f Function) *measurement {
	if u, ok := ulp.Named(f.String()); ok {
		return &measurement{Function: u, parts: map[uint32]ulp.Error{}}
	}
	return nil
}

func (m *measurement) visit(_ Function, first uint32, results []byte) {
	y := make([]uint32, len(results)/4)
	op.PutWords(y, results)
	e, err := m.Measure(first, y)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[first], m.err = e, cmp.Or(m.err, err)
}

// sum is what was found of all parts.
func (m *measurement) sum(t *testing.T, f Function) (e ulp.Error) {
	t.Helper()
	if m.err != nil {
		t.Fatal(m.err)
	}
	var firsts []uint32
	for first := range m.parts {
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	for _, first := range firsts {
		e.Merge(m.parts[first])
	}
	return m.Publish(e, func(x float32) float32 {
		y, err := op.Run(f.Op, op.Float32s(op.S(1), x))
		if err != nil {
			t.Fatal(err)
		}
		return y[0].F()[0]
	})
}

// measured holds the errors over all inputs against the published ones, or publishes them.
func (m *measurement) measured(t *testing.T, f Function) {
	t.Helper()
	e := m.sum(t, f)
	t.Logf("largest error %.4f ULP at %x, %.4f at %x of normal numbers; %d results not correctly rounded", e.Largest, e.At, e.Normal, e.NormalAt, e.Misrounded)
	const file = "../ulp/errors.txt"
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	all, err := ulp.Parse(string(text)) // as it is now: another function may just have been written
	if err != nil {
		t.Fatal(err)
	}
	if *publish {
		all[m.Name] = e
		if err := files.WriteWhole(filepath.FromSlash(file), []byte(ulp.Format(all))); err != nil {
			t.Fatal(err)
		}
		return
	}
	if e != all[m.Name] {
		t.Errorf("%+v; errors.txt has %+v", e, all[m.Name])
	}
}

// TestErrorsOnFewBlocks measures the blocks with the largest errors and a spread of others: no error is larger than the published one, and that one is
// there.
func TestErrorsOnFewBlocks(t *testing.T) {
	all, err := ulp.Published()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Functions() {
		m := measurementOf(f)
		if m == nil {
			continue
		}
		want, ok := all[m.Name]
		if !ok {
			t.Errorf("errors.txt lacks %s: make exhaustive-errors", f)
			continue
		}
		blocks := []int{0x3f1, 0xc0a}
		for _, x := range []float32{want.At, want.NormalAt} {
			blocks = append(blocks, int(math.Float32bits(x)/BlockLen))
		}
		slices.Sort(blocks)
		for _, b := range slices.Compact(blocks) {
			m.visit(f, uint32(b*BlockLen), op.Bytes(f.Law(b)))
		}
		e := m.sum(t, f)
		if e.Misrounded > want.Misrounded || e.Zeros > want.Zeros {
			t.Errorf("%s: %d results are not correctly rounded, %d zeros wrong; of all inputs it should be %d and %d", f, e.Misrounded, e.Zeros, want.Misrounded, want.Zeros)
		}
		if e.Misrounded, e.Zeros = want.Misrounded, want.Zeros; e != want {
			t.Errorf("%s: %+v; errors.txt has %+v", f, e, want)
		}
	}
}
