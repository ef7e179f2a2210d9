//go:build !purego

package cpu

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lockstep/op"
	"lockstep/optest"
)

// anyCodes draws all four codes, in the pads of the rows, too.
func anyCodes(r *rand.Rand, rows, cols int) op.Tensor {
	w := op.New(op.T(op.T2, op.Shared, rows, cols))
	for i := range w.W {
		w.W[i] = r.Uint32()
	}
	return w
}

// allCodes is a matrix of one code.
func allCodes(code uint32, rows, cols int) op.Tensor {
	w := op.New(op.T(op.T2, op.Shared, rows, cols))
	for i := range w.W {
		w.W[i] = code * 0x55555555
	}
	return w
}

// bothWays checks x [m, k] against W [k, n] and against W^T stored as [n, k].
func bothWays(t *testing.T, x op.Tensor, w func(rows, cols int) op.Tensor, n int) {
	t.Helper()
	againstLaw(t, op.TernaryMM{}, x, w(x.At(1), n))
	againstLaw(t, op.TernaryMM{TB: true}, x, w(n, x.At(1)))
}

// TestTernaryBlocks takes contractions and outputs around blocks of 128 codes, rows of 64, and the chunks of both kernels.
func TestTernaryBlocks(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(11, 12))
	random := func(rows, cols int) op.Tensor { return anyCodes(r, rows, cols) }
	for _, n := range []int{1, 3, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256, 257, 300, 511, 513, 800} {
		for _, k := range []int{1, 2, 3, 7, 8, 9, 63, 64, 65, 100, 127, 128, 129, 192} {
			bothWays(t, normals(r, 1+r.IntN(2), k), random, n)
		}
	}
	bothWays(t, normals(r, 93, 200), random, 70) // more rows than go through W together
	lengths := []int{columnRows - 1, columnRows, columnRows + 1, 2*columnRows - 1, 2*columnRows + 1, 3 * columnRows}
	for _, s := range ternarySets {
		if d := s.dots; d != nil {
			for _, off := range []int{-65, -64, -1, 0, 1, 65, d.block, d.most*d.block + 64} {
				lengths = append(lengths, d.most*d.block+off)
			}
		}
	}
	for _, k := range lengths {
		bothWays(t, normals(r, 1, k), random, 70)
	}
}

// TestTernarySums takes the largest sums that the bytes of a number can make: whatever adds them up in too few bits overflows.
func TestTernarySums(t *testing.T) {
	needAVX2(t)
	numbers := map[string]float32{
		"largest number":         1<<30 - 1<<6, // float32 has 24 bits
		"lowest number":          -(1<<30 - 1<<6),
		"three digits of -128":   -0x808080,
		"three digits of 127":    0x7f7f7f,
		"low bytes of 255":       0xffffff,
		"one":                    1,
		"low bytes, two's, of 0": -0x1000000,
	}
	lengths := []int{2, 64, 257, 511, 512, 513, 2048, 2049, 4097}
	for _, s := range ternarySets {
		if s.columns != nil && s.mostTerms < 1<<20 { // more the law would not bear
			lengths = append(lengths, s.mostTerms-1, s.mostTerms, s.mostTerms+1)
		}
	}
	for name, q := range numbers {
		t.Run(name, func(t *testing.T) {
			for _, k := range lengths {
				n := 67
				if k > 5000 {
					n = 3
				}
				x := op.New(op.T(op.F32, op.Shared, 1, k))
				for l := range x.W {
					x.SetF(l, q)
				}
				if math.Abs(float64(q)) < 0x1p+29 {
					x.SetF(k-1, 0x1p+29) // the scale becomes E = 29, and q are the fixed-point numbers themselves
				}
				for code := range uint32(4) {
					bothWays(t, x, func(rows, cols int) op.Tensor { return allCodes(code, rows, cols) }, n)
				}
			}
		})
	}
}

// TestTernaryFloatSums: the float64 sums of columnsAVX2 are exact up to the last of the most terms that it takes, all of them as large as they can be but the
// last, which makes the sum odd.
func TestTernaryFloatSums(t *testing.T) {
	needAVX2(t)
	const largest = 1<<30 - 1<<6
	terms := ternarySets[0].mostTerms
	if s := ternarySets[0]; s.family != "avx2" || terms > 1<<32 {
		t.Fatalf("%s takes %d terms: no float64 holds their sums", s.family, terms)
	}
	w := &workspace{}
	last := ternary{x: []float32{largest, 65}, Scale: op.ScaleOf([]float32{largest})}
	tables, index := last.tables(w, 2, 2), w.Words(blockCodes)
	codes := allCodes(1, 1, blockCodes)
	ternaryIndex(&index[0], &codes.W[0], 0, 0, 1)
	before := int64(terms-2) * largest
	sums := float64s(w.Words(2 * blockCodes))
	for i := range sums {
		sums[i] = float64(before)
	}
	ternaryColumns(&sums[0], &index[0], &tables[0], len(tables), 1, 1<<15*(1+1<<8+1<<16+1<<24)-1<<31)
	for i, s := range sums {
		if want := before + largest + 65; int64(s) != want {
			t.Fatalf("sum %d of %d terms is %d; want %d", i, terms, int64(s), want)
		}
	}
}

// TestTernaryScales takes rows from the lowest scale to the highest, sums that cancel, and rows that are no numbers.
func TestTernaryScales(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(13, 14))
	random := func(rows, cols int) op.Tensor { return anyCodes(r, rows, cols) }
	const k = 75
	for e := -149; e <= 127; e += 3 {
		x := op.New(op.T(op.F32, op.Shared, 1, k))
		for l := range k { // exponents down to 40 below the largest
			x.SetF(l, float32(math.Ldexp(r.Float64()*float64(1-2*r.IntN(2)), e+1-r.IntN(40))))
		}
		bothWays(t, x, random, 33)
	}
	for at := range k + 1 {
		for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
			x := op.New(op.T(op.F32, op.Shared, 2, k)) // one row with it, one of zeros
			if at < k {
				x.SetF(at, float32(special))
			}
			bothWays(t, x, random, 9)
		}
	}
}

// TestTernaryRagged: what lies beyond klen is not read, and outputs beyond klen are +0.
func TestTernaryRagged(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(15, 16))
	for _, size := range [][2]int{{130, 70}, {300, 129}} {
		k, n := size[0], size[1]
		for _, klen := range []uint32{0, 1, 2, 63, 64, 65, 70, 127, 128, 129, 130, 300, math.MaxUint32} {
			l := op.Words32(op.U32, op.S(), klen)
			for _, tb := range []bool{false, true} {
				w := anyCodes(r, sided(tb, k, n)[0], sided(tb, k, n)[1])
				x := normals(r, 3, k)
				againstLaw(t, op.TernaryMMTail{TB: tb}, x, w, l)
				padded(x, 1, klen)
				againstLaw(t, op.TernaryMM{TB: tb}, x, w, l)
			}
		}
	}
}

// TestTernaryJoint: cells of different lengths, with rows that are no numbers among them, have their own bits if they share W.
func TestTernaryJoint(t *testing.T) {
	needAVX2(t)
	r := rand.New(rand.NewPCG(19, 20))
	o := op.TernaryMM{}
	for _, size := range [][3]int{{1, 70, 300}, {2, columnRows + 9, 130}, {1, 2*columnRows + 1, 513}, {1, 511, 258}} {
		m, k, n := size[0], size[1], size[2]
		codes := anyCodes(r, k, n)
		for _, lens := range [][]int{{k, k - 1, k - 2}, {k - 1, 0, 1, 2, 7, 8, 9}, {k - 3, k - 4, columnRows, columnRows + 1, 3}, {k}} {
			var in, want, got [][]op.Tensor
			for i, l := range lens {
				x := normals(r, m, k)
				if i == 1 {
					x.W[0] = op.NaN
				}
				padded(x, 1, uint32(l))
				cell := []op.Tensor{x, codes, op.Words32(op.U32, op.S(), uint32(l))}
				out := func() []op.Tensor { return []op.Tensor{op.New(op.T(op.F32, op.Shared, m, n))} }
				in, want, got = append(in, cell), append(want, out()), append(got, out())
				o.Law(want[i], cell)
			}
			types := []op.Type{in[0][0].Type, in[0][1].Type, in[0][2].Type}
			for _, s := range ternarySets {
				family := s.family
				makeKernel := joints[reflect.TypeFor[op.TernaryMM]()][family]
				if makeKernel == nil || !slices.Contains(Variants(), family) {
					continue
				}
				kernel := makeKernel(o, types)
				if kernel == nil {
					continue // too many terms for this family
				}
				for i := range got {
					for j := range got[i][0].W {
						got[i][0].W[j] = 0x7fdead01
					}
				}
				kernel(&workspace{}, got, in)
				for i := range got {
					if s := optest.Diff(got[i][0], want[i][0]); s != "" {
						t.Errorf("%s: cell %d of lengths %v of %v: %s", family, i, lens, size, s)
					}
				}
			}
		}
	}
}
