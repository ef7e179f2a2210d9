//go:build !purego

package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"testing"

	"lockstep/op"
	"lockstep/optest"
)

// The conformance suite holds the twins to the laws on general grounds. The tests of this file are about what the vector twins
// are made of: blocks of rows, kinds of panels, packing, chunks.

func needAVX2(t *testing.T) {
	t.Helper()
	if !hasAVX2 {
		optest.Absent(t, "avx2")
	}
}

// againstLaw runs the vector twins of an op on guarded operands and compares their results with the law's. There is at least one.
func againstLaw(t *testing.T, o op.Op, in ...op.Tensor) {
	t.Helper()
	c := &optest.Case{Op: o}
	for _, x := range in {
		c.In = append(c.In, x.Type)
	}
	result, err := o.Shape(c.In)
	if err != nil {
		t.Fatal(err)
	}
	want := []op.Tensor{op.New(result[0])}
	o.Law(want, in)
	ran := false
	for _, family := range Variants() {
		kernel, variant := pick(o, c.In, []string{family})
		if variant == Law || variant == "go" {
			continue
		}
		ran = true
		planned := 0
		if words := scratches[reflect.TypeOf(o)]; words != nil {
			planned = words(o, c.In, 1)
		}
		for _, flush := range []bool{false, true} {
			if s := guardedRun(t, kernel, newWorkspace(planned), want, in, flush); s != "" {
				t.Fatalf("%s twin of %#v on %v, guard pages %v: %s", family, o, c.In, flush, s)
			}
		}
	}
	if !ran {
		t.Fatalf("%v has no vector twin for %v", o, c.In)
	}
}

// guardedRun says how a kernel's results, or their neighbourhood, differ from what they should be.
func guardedRun(t *testing.T, kernel kernel, w *workspace, want, in []op.Tensor, flush bool) (fault string) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("the kernel panics: %v", r)
		}
	}()
	var all []*optest.Guarded
	guard := func(ts []op.Tensor) (inner []op.Tensor) {
		for _, x := range ts {
			g, err := optest.Guard(x, flush)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
			inner = append(inner, g.Tensor)
		}
		return inner
	}
	defer func() {
		for _, g := range all {
			g.Close()
		}
	}()
	operands, out := guard(in), guard(want)
	all[len(in)].Poisoned()
	kernel(w, out, operands)
	if s := optest.Diff(out[0], want[0]); s != "" {
		return s
	}
	for i, g := range all {
		if s := g.Broken(); s != "" {
			return fmt.Sprintf("operand or result %d: %s", i, s)
		}
		if s := g.Changed(); i < len(in) && s != "" {
			return fmt.Sprintf("operand %d: %s", i, s)
		}
	}
	return ""
}

// hard draws float32 at which orders and roundings show: normal values whose sums cancel, few subnormals, zeros of both
// signs, and rarely an infinity or a NaN.
func hard(r *rand.Rand, dims ...int) op.Tensor {
	t := op.New(op.T(op.F32, op.Shared, dims...))
	for i := range t.W {
		x := float32(r.NormFloat64())
		switch r.IntN(64) {
		case 0:
			x = float32(math.Copysign(0, r.NormFloat64()))
		case 1:
			x *= 0x1p-130
		case 2:
			x = -1000 * (1 + 0x1p-23*float32(r.IntN(3)))
		case 3:
			x = 1000
		case 4:
			if r.IntN(100) == 0 {
				x = float32([]float64{math.Inf(1), math.Inf(-1), math.NaN()}[r.IntN(3)])
			}
		}
		t.SetF(i, x)
	}
	return t
}

// padded makes the entries of a matrix from klen on along an axis NaN.
func padded(x op.Tensor, axis int, klen uint32) {
	for i := range x.W {
		if at := [2]int{i / x.At(1), i % x.At(1)}; at[axis] >= int(klen) {
			x.W[i] = op.NaN
		}
	}
}

// bothProducts checks a MatMul and its tangent, with NaN in the pads where there is a klen.
func bothProducts(t *testing.T, r *rand.Rand, o op.MatMul, m, k, n int, klen ...uint32) {
	t.Helper()
	var a, b [2]op.Tensor
	for i := range a {
		a[i], b[i] = hard(r, sided(o.TA, m, k)...), hard(r, sided(o.TB, k, n)...)
	}
	var ragged []op.Tensor
	for _, l := range klen {
		for i := range a {
			padded(a[i], map[bool]int{true: 0, false: 1}[o.TA], l)
			padded(b[i], map[bool]int{true: 1, false: 0}[o.TB], l)
		}
		ragged = append(ragged, op.Words32(op.U32, op.S(), l))
	}
	againstLaw(t, o, append([]op.Tensor{a[0], b[0]}, ragged...)...)
	againstLaw(t, op.MatMulJVP(o), append([]op.Tensor{a[0], b[0], a[1], b[1]}, ragged...)...)
	againstLaw(t, op.MatMulTail(o), a[0], b[0], op.Words32(op.U32, op.S(), uint32(r.IntN(n+1))))
}

var transposes = []op.MatMul{{}, {TA: true}, {TB: true}, {TA: true, TB: true}}

// TestMatMulTiles takes every number of rows that some tile or pair of tiles ends with, and every kind of panel.
func TestMatMulTiles(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(5, 6))
	for _, o := range transposes {
		for m := 1; m <= 25; m++ { // tiles have up to 12 rows, panels up to 32 columns
			for n := 1; n <= 67; n += 1 + n/34 {
				bothProducts(t, r, o, m, 1+r.IntN(11), n)
			}
		}
	}
}

// TestMatMulRow takes a single row: every number of terms that a kernel of its own ends with, and of registers of columns; more columns
// than stay in a cache; chunks, klen, and batches.
func TestMatMulRow(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(23, 24))
	for _, o := range transposes {
		for k := 1; k <= 40; k++ {
			for _, n := range []int{8, 15, 16, 17, 24, 31, 32, 33, 100} {
				bothProducts(t, r, o, 1, k, n)
			}
		}
		for n := 8; n <= 13*16+1; n++ { // up to all registers of AVX-512
			bothProducts(t, r, o, 1, 1+r.IntN(40), n)
			bothProducts(t, r, o, 1, n+1+r.IntN(3), n) // more terms than columns
		}
		for _, n := range []int{255, 256, 257, fewColumns, fewColumns + 1} {
			bothProducts(t, r, o, 1, 1030, n)
		}
		for _, k := range []int{1023, 1024, 1025, 2050, 3075} {
			bothProducts(t, r, o, 1, k, 101)
		}
		for _, klen := range []uint32{0, 1, 9, 1023, 1025, 1041, 1042, 1 << 31} {
			bothProducts(t, r, o, 1, 1042, 37, klen)
		}
		bothProducts(t, r, o, 1, 11, rowColumns+77)
		bothProducts(t, r, o, 1, 1027, rowColumns+1)
		againstLaw(t, o, hard(r, append([]int{3}, sided(o.TA, 1, 19)...)...), hard(r, append([]int{3}, sided(o.TB, 19, 21)...)...))
	}
}

// TestMatMulJoint takes cells of one matrix together: of equal and of different klen, ascending and not, up to a chunk and beyond, whose
// rows follow one another, or lie at a distance, or at none in particular.
func TestMatMulJoint(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(25, 26))
	for _, o := range []op.Op{op.MatMul{}, op.MatMul{TB: true}, op.MatMulTail{}, op.MatMulTail{TB: true}} {
		tail, isTail := o.(op.MatMulTail)
		plain, _ := o.(op.MatMul)
		tb := plain.TB || tail.TB
		for _, s := range [][3]int{{1, 37, 100}, {1, 37, 7}, {2, 20, 50}, {1, 1024, 33}, {1, 1025, 33}, {1, 2050, 40}, {1, 0, 9}, {3, 5, 0}, {1, 1030, 1100}, {1, 200, 100}} {
			m, k, n := s[0], s[1], s[2]
			for _, lengths := range [][]uint32{nil, {5}, {0, 0, 3, 3, 9, 30}, {7, 3, 3, 40, 41, 0}, {1, 1023, 1024, 1025, 2050}, {0, 1 << 31}, {10, 200}} { // {10, 200}: the last cell goes on alone
				if isTail && lengths == nil {
					continue
				}
				for _, apart := range []int{0, 3, -1} {
					cells := max(len(lengths), 3)
					if lengths != nil {
						cells = len(lengths)
					}
					b := hard(r, sided(tb, k, n)...)
					var in, out, want [][]op.Tensor
					place := func(dims ...int) func() op.Tensor { // tensors in one memory
						x := op.New(op.T(op.F32, op.Shared, dims...))
						size, step := len(x.W), len(x.W)+3
						memory, at := make([]uint32, step*cells), 0
						if apart < 0 {
							at = (cells - 1) * step // from the last place to the first
						}
						return func() op.Tensor {
							x.W = memory[at : at+size : at+size]
							if at += size + apart; apart < 0 {
								at -= size + apart + step
							}
							return x
						}
					}
					nextIn, nextOut := place(m, k), place(m, n)
					for i := range cells {
						x, y := nextIn(), nextOut()
						copy(x.W, hard(r, m, k).W)
						one := []op.Tensor{x, b}
						if lengths != nil {
							one = append(one, op.Words32(op.U32, op.S(), lengths[i]))
						}
						law := op.New(op.T(op.F32, op.Shared, m, n))
						o.Law([]op.Tensor{law}, one)
						in, out, want = append(in, one), append(out, []op.Tensor{y}), append(want, []op.Tensor{law})
					}
					for family, maker := range joints[reflect.TypeOf(o)] {
						if !slices.Contains(Variants(), family) {
							continue
						}
						types := []op.Type{in[0][0].Type, b.Type}
						types[0].Domain = op.Cell
						for _, y := range out {
							for i := range y[0].W {
								y[0].W[i] = 0xdeadbeef
							}
						}
						maker(o, types)(&workspace{}, out, in)
						for i := range out {
							if s := optest.Diff(out[i][0], want[i][0]); s != "" {
								t.Fatalf("%s joint twin of %#v, %v, lengths %v, cells %d words apart: cell %d: %s", family, o, s, lengths, apart, i, s)
							}
						}
					}
				}
			}
		}
	}
}

// TestMatMulPacking takes operands B around the size from which panels are packed, with tails of terms and columns.
func TestMatMulPacking(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(7, 8))
	for _, o := range transposes {
		for _, s := range [][3]int{{23, 97, 64}, {24, 96, 64}, {24, 97, 64}, {25, 131, 79}, {24, 64, 97}, {26, 193, 33}} {
			bothProducts(t, r, o, s[0], s[1], s[2])
		}
	}
}

// TestMatMulSlabs takes an A and a B that are so large that rows of A are packed, and panels of B fetched ahead.
func TestMatMulSlabs(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(21, 22))
	for _, o := range transposes {
		bothProducts(t, r, o, 259, 263, 131)
	}
	bothProducts(t, r, op.MatMul{TA: true}, 256, 261, 128, 260)
	bothProducts(t, r, op.MatMul{TA: true}, 257, 1030, 129)
	againstLaw(t, op.MatMul{TA: true}, hard(r, 2, 260, 259), hard(r, 2, 260, 130))
}

// TestMatMulChunks takes contractions and klen around the chunks of the law.
func TestMatMulChunks(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(9, 10))
	for _, o := range transposes {
		for _, k := range []int{1023, 1024, 1025, 2047, 2048, 2049, 3073} {
			bothProducts(t, r, o, 7, k, 9)
			bothProducts(t, r, o, 1, k, 17)
		}
		for _, klen := range []uint32{0, 1, 2, 7, 1023, 1024, 1025, 2047, 2048, 2049, 1 << 31} {
			bothProducts(t, r, o, 5, 2050, 11, klen)
		}
		for klen := range uint32(20) {
			bothProducts(t, r, o, 13, 19, 18, klen)
		}
	}
}

// TestMatMulUnderflow: a first chunk that ends in -0 is -0, and a chunk of -0 added to it leaves it so.
func TestMatMulUnderflow(t *testing.T) {
	needAVX2(t)
	for _, s := range [][2]int{{7, 1}, {7, 1024}, {7, 1025}, {7, 2048}, {1, 1}, {1, 1024}, {1, 1025}, {1, 2048}} {
		m, k := s[0], s[1]
		a, b := op.New(op.T(op.F32, op.Shared, m, k)), op.New(op.T(op.F32, op.Shared, k, 19))
		for i := range m { // the last term of each chunk underflows from below
			for l := range k {
				if l == k-1 || l%op.Chunk == op.Chunk-1 {
					a.SetF(i*k+l, -0x1p-100)
				}
			}
		}
		for i := range b.W {
			b.SetF(i, 0x1p-100)
		}
		againstLaw(t, op.MatMul{}, a, b)
		out := op.New(op.T(op.F32, op.Shared, m, 19))
		op.MatMul{}.Law([]op.Tensor{out}, []op.Tensor{a, b})
		if out.W[0] != 1<<31 {
			t.Fatalf("the test is of no use: k = %d gives %08x", k, out.W[0])
		}
	}
}

// TestMatMulBatch: the rows of all batch entries are taken together where B has no batch axes and A is not transposed.
func TestMatMulBatch(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(17, 18))
	for _, o := range transposes {
		for _, batch := range [][2]int{{3, 0}, {0, 3}, {3, 3}} {
			a, b := sided(o.TA, 7, 21), sided(o.TB, 21, 19)
			if batch[0] > 0 {
				a = append([]int{batch[0]}, a...)
			}
			if batch[1] > 0 {
				b = append([]int{batch[1]}, b...)
			}
			againstLaw(t, o, hard(r, a...), hard(r, b...))
			againstLaw(t, op.MatMulJVP(o), hard(r, a...), hard(r, b...), hard(r, a...), hard(r, b...))
		}
	}
}
