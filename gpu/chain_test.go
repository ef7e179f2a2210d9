//go:build cuda

package gpu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
)

// chainCase is a step on some states that is to be one chain, and what it gives by the laws.
type chainCase struct {
	name   string
	states []op.Tensor // of cell 0; those of others are drawn alike
	body   func(do func(o op.Op, in ...op.Value) op.Value, s []op.Value) []op.Value
	want   string // kernels that must be its ops
}

// A constant that a chain makes for itself, and that others read, too, is in memory for them.
func TestConstantsOfChainsAndOthers(t *testing.T) {
	e := device0(t)
	e.executor = "stream"
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.State("x", b.Fill(3, 4, 4), op.Cell)
		two := b.Fill(2, 4, 4)
		y := b.Do(op.Sub, b.Do(op.Mul, x, two), two) // 4
		b.Next(x, b.Do(op.MatMul{}, y, two))         // 32
	})
	if err != nil {
		t.Fatal(err)
	}
	q, x := compiled(t, e, p)
	if err := x.Run(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4*2*16)
	if err := q.ReadAll("x", got); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * 16 {
		if w := binary.LittleEndian.Uint32(got[4*i:]); w != math.Float32bits(32) {
			t.Fatalf("word %d is %08x; want 32", i, w)
		}
	}
	if n := len(x.step); n != 3 { // the chain, the product, the state
		t.Errorf("%d launches", n)
	}
}

// traced is a program, which must trace.
func traced(t *testing.T, f func(b *graph.Builder)) *graph.Program {
	t.Helper()
	p, err := graph.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// live is a step of a chain that has so many results to keep before it uses one.
func live(n int) func(b *graph.Builder) {
	return func(b *graph.Builder) {
		x := b.State(fmt.Sprint("x", n), b.Fill(1, 300), op.Cell)
		all := []op.Value{b.Do(op.Exp, x)}
		for range n - 1 {
			all = append(all, b.Do(op.Tanh, all[len(all)-1]))
		}
		y := all[0]
		for ; len(all) > 3; all = all[3:] {
			y = b.Do(op.Select{}, b.Do(op.Gt, y, all[1]), all[2], all[3])
		}
		b.Next(x, y)
	}
}

// Programs of one engine do not take each other's shared memory away.
func TestChainsOfTwoPrograms(t *testing.T) {
	e := device0(t)
	e.executor = "stream"
	var all []*exec
	for _, n := range []int{13, 16, 14} {
		_, x := compiled(t, e, traced(t, live(n)))
		all = append(all, x)
	}
	most := 0
	for _, x := range append(all, all...) {
		for _, w := range x.step {
			if most = max(most, w.shared); strings.HasPrefix(w.kernel, "unary_") { // a last op may be by itself
				t.Errorf("a launch of %s", w.kernel)
			}
		}
		if err := x.Run(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if most <= 48<<10 {
		t.Errorf("chains take %d bytes of shared memory at most: the test shows nothing", most)
	}
}

// A chain has room for as many operands as its kernel takes, and constants that it makes itself count once; it may make a constant and what it
// is spread to.
func TestChainsAreFull(t *testing.T) {
	e := device0(t)
	e.executor = "stream"
	_, x := compiled(t, e, traced(t, func(b *graph.Builder) {
		for i := range 20 {
			v := b.State(fmt.Sprint("x", i), b.Fill(1, 300), op.Cell)
			b.Next(v, b.Do(op.Mul, v, b.Fill(float32(i)+2, 300)))
		}
	}))
	for _, w := range x.step {
		if w.kernel != "chain" && w.kernel != "keep" {
			t.Errorf("a launch of %s", w.kernel)
		}
	}
	_, x = compiled(t, e, traced(t, func(b *graph.Builder) { // 64 operands, 32 steps
		for i := range 32 {
			v := b.State(fmt.Sprint("v", i), b.Fill(1, 300), op.Cell)
			b.Next(v, b.Do(op.Neg, v))
		}
	}))
	if x.step[0].kernel != "chain" || x.step[1].kernel == "chain" || x.Run(t.Context(), 1) != nil {
		t.Errorf("32 ops of 64 operands run by %s, %s", x.step[0].kernel, x.step[1].kernel)
	}
	for _, constantFirst := range []bool{true, false} {
		q, x := compiled(t, e, traced(t, func(b *graph.Builder) {
			x, y := b.State("x", b.Fill(3), op.Cell), b.State("y", b.Fill(3, 1, 1), op.Cell)
			two := b.Fill(2)
			spread := b.Do(op.Broadcast{To: op.S(1, 1)}, two)
			for i := range 2 {
				if constantFirst == (i == 0) {
					b.Next(x, b.Do(op.Neg, b.Do(op.Mul, x, two)))
				} else {
					b.Next(y, b.Do(op.Neg, b.Do(op.Add, y, spread)))
				}
			}
		}))
		if err := x.Run(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float32{"x": -6, "y": -5} {
			got := make([]byte, 8)
			if err := q.ReadAll(name, got); err != nil || binary.LittleEndian.Uint32(got[4:]) != math.Float32bits(want) {
				t.Errorf("%s is % x, %v; want %v", name, got[4:], err, want)
			}
		}
	}
}

// TestRandomPrograms runs random programs by both executors, on one engine, and compares every array with the laws'.
func TestRandomPrograms(t *testing.T) {
	if *onlyKernels != "" || *few > 0 {
		t.Skip("it launches all kernels")
	}
	e := device0(t)
	chains := 0
	for i := range 120 {
		r := rand.New(rand.NewPCG(uint64(i), 21))
		b := make([]byte, 16+r.IntN(400))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		draw := optest.NewRandom
		if i%4 == 3 {
			draw = optest.NewStates
		}
		p, err := draw(b)
		if err != nil {
			t.Fatalf("program %d: %v", i, err)
		}
		for _, executor := range []string{"stream", "resident", "resident:2"} {
			e.executor = executor
			if err := p.Check(e); err != nil {
				t.Fatalf("program %d by %s: %v", i, executor, err)
			}
		}
		if tape := fused(p.Program); tape != nil {
			for _, g := range tape.Groups {
				if g.Len > 0 {
					chains++
				}
			}
		}
	}
	if chains < 5 {
		t.Errorf("%d chains in 120 programs", chains)
	}
}

// TestChainConformance holds chains against the laws of their ops, as launches and as instructions of `resident`: every op on every type,
// results in registers and in memory, every way in which an operand is spread, and lengths about those of blocks.
func TestChainConformance(t *testing.T) {
	e := device0(t)
	only := strings.Split(*onlyKernels, ",")
	for _, by := range []struct{ executor, kernel, variant string }{{"stream", "chain", "cuda:chain"}, {"resident", "resident", "resident:chain"}} {
		if only[0] != "" && !slices.Contains(only, by.kernel) {
			continue
		}
		e.executor, e.blocking = by.executor, by.executor == "stream" // each array by itself: a stray access meets no other one
		seen := map[string]bool{}
		for i, c := range chainCases() {
			if *few > 0 && i%*few != 0 {
				continue
			}
			seen[c.want] = true
			if err := c.check(e, by.variant, uint64(i)); err != nil {
				t.Fatalf("%s: by %s: %v", c.name, by.executor, err)
			}
		}
		if *few > 0 {
			continue
		}
		for _, name := range chainOps[1:] {
			if !seen[name] {
				t.Errorf("no case has %s in a chain", name)
			}
		}
	}
}

func chainCases() (all []chainCase) {
	lengths := []int{272, 1023, 1024, 1040, 2500} // scratch is planned in granules of 16
	for _, o := range op.All {
		pointwise, ok := o.(op.Pointwise)
		if !ok {
			continue
		}
		kinds := []op.Op{pointwise.(op.Op)}
		if _, is := o.(op.Cast); is {
			kinds = []op.Op{op.Cast{To: op.F32}, op.Cast{To: op.U32}, op.Cast{To: op.I32}}
		}
		for _, o := range kinds {
			for _, in := range typesOf(o) {
				n := lengths[len(all)%len(lengths)]
				c := chainCase{name: fmt.Sprintf("%s on %v, %d words", op.Describe(o), in, n), want: planOf(o, typed(in, n)).launches[0].kernel}
				for range 2 { // operands of two such nodes
					for _, d := range in {
						c.states = append(c.states, op.New(op.T(d, op.Cell, n)))
					}
				}
				c.states = append(c.states, op.New(op.T(op.Bool, op.Cell, n)))
				k, kept := len(in), len(all)%2 == 0
				c.body = func(do func(o op.Op, in ...op.Value) op.Value, s []op.Value) []op.Value {
					a, b := do(o, s[:k]...), do(o, s[k:2*k]...)
					y := do(op.Select{}, s[2*k], a, b)
					if kept { // a result that is read again from where it was put
						return []op.Value{y, a}
					}
					return []op.Value{y}
				}
				all = append(all, c)
			}
		}
	}
	for _, dims := range [][2]int{{1, 1}, {3, 5}, {40, 33}, {7, 1000}, {1025, 2}} {
		rows, columns := dims[0], dims[1]
		f := func(dims ...int) op.Tensor { return op.New(op.T(op.F32, op.Cell, dims...)) }
		all = append(all, chainCase{name: fmt.Sprintf("spread over %v", dims), want: "binary_sub",
			states: []op.Tensor{f(rows, columns), f(1, columns), f(rows, 1), f(1, 1)},
			body: func(do func(o op.Op, in ...op.Value) op.Value, s []op.Value) []op.Value {
				wide := func(v op.Value) op.Value { return do(op.Broadcast{To: op.S(rows, columns)}, v) }
				row := wide(s[1])
				y := do(op.Sub, do(op.Mul, do(op.Add, s[0], row), wide(s[2])), wide(s[3]))
				c := do(op.Fill{DType: op.F32, Bits: 0x3f000000, To: op.S(rows, columns)})
				return []op.Value{do(op.Max, y, c), row} // row is wanted whole, too
			}})
	}
	return all
}

// typesOf are the types of the operands on which a pointwise op has a kernel that chains have.
func typesOf(o op.Op) (all [][]op.DType) {
	types := []op.DType{op.F32, op.U32, op.I32, op.Bool}
	for n := 1; n <= 3; n++ {
		in := make([]op.DType, n)
		for i := range 1 << (2 * n) {
			for k := range in {
				in[k] = types[i>>(2*k)&3]
			}
			if p := planOf(o, typed(in, 2)); p != nil && slices.Contains(chainOps, p.launches[0].kernel) {
				all = append(all, slices.Clone(in))
			}
		}
	}
	return all
}

func typed(in []op.DType, n int) (types []op.Type) {
	for _, d := range in {
		types = append(types, op.T(d, op.Cell, n))
	}
	return types
}

// check runs the case on two cells, and compares them with the laws.
func (c *chainCase) check(e *Engine, variant string, seed uint64) (err error) {
	const cells = 2
	r := rand.New(rand.NewPCG(seed, 5))
	p, err := graph.Trace(func(b *graph.Builder) {
		var s []op.Value
		for i, x := range c.states {
			v := b.State(fmt.Sprint("s", i), b.Input(fmt.Sprint("in", i), x.Type), op.Cell)
			b.Next(v, v)
			s = append(s, v)
		}
		for i, v := range c.body(func(o op.Op, in ...op.Value) op.Value { return b.Do(o, in...) }, s) {
			b.Output(fmt.Sprint("y", i), v)
		}
	})
	if err != nil {
		return err
	}
	q, err := e.NewPack(cells, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	want := make([][]op.Tensor, cells)
	for cell := range cells {
		values := []op.Tensor{{}}
		for i, x := range c.states {
			x := op.New(x.Type)
			for k := range x.W {
				x.W[k] = word(r, x.DType)
				if i > 0 && c.states[i-1].Type == x.Type && r.IntN(6) == 0 { // a tie
					x.W[k] = values[i].W[k]
				}
			}
			if x.DType == op.F32 {
				op.Canonical(x.W)
			}
			err = errors.Join(err, q.Put(fmt.Sprint("in", i), x.Type, cell, op.Bytes(x.W)))
			values = append(values, x)
		}
		do := func(o op.Op, in ...op.Value) op.Value {
			var ts []op.Tensor
			for _, v := range in {
				ts = append(ts, values[v])
			}
			out, e := op.Run(o, ts...)
			if err = errors.Join(err, e); e != nil {
				return 0
			}
			values = append(values, out[0])
			return op.Value(len(values) - 1)
		}
		var s []op.Value
		for i := range c.states {
			s = append(s, op.Value(1+i))
		}
		for _, v := range c.body(do, s) {
			want[cell] = append(want[cell], values[v])
		}
	}
	if err != nil {
		return err
	}
	x, err := q.Compile(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	for _, k := range x.Kernels() {
		if !k.Once && k.Variant != variant {
			return fmt.Errorf("%s runs by %s, not by %s", k.Op, k.Variant, variant)
		}
	}
	if err := errors.Join(x.Reset(context.Background()), x.Run(context.Background(), 1)); err != nil {
		return err
	}
	for cell := range cells {
		for i, w := range want[cell] {
			got := op.New(w.Type)
			b := make([]byte, 4*len(w.W))
			if err := q.Read(fmt.Sprint("y", i), cell, b); err != nil {
				return err
			}
			op.PutWords(got.W, b)
			if d := optest.Diff(got, w); d != "" {
				return fmt.Errorf("result %d of cell %d: %s", i, cell, d)
			}
		}
	}
	return nil
}

// word draws a word of a type: floats of all magnitudes, now and then special ones.
func word(r *rand.Rand, d op.DType) uint32 {
	switch {
	case d == op.Bool:
		return r.Uint32() & 1
	case r.IntN(4) == 0:
		return []uint32{0, 1, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800000, 0xffffffff, 0x7fffffff, 0xbf800000, 0x4f000000}[r.IntN(11)]
	case r.IntN(2) == 0:
		return r.Uint32()
	}
	return 0x3f000000 + r.Uint32N(1<<25) | r.Uint32()&0x80000000
}
