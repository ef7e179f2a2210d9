package optest

import (
	"math/rand/v2"

	"lockstep/op"
)

// sides are the sizes [m, k, n] of matrix products: nothing, one, lanes and tiles give or take one, primes, and contractions
// round the chunk of 1024.
var sides = [][3]int{
	{1, 1, 1}, {0, 3, 2}, {2, 0, 3}, {3, 2, 0}, {0, 0, 0}, {1, 7, 1}, {1, 9, 17}, {5, 7, 3}, {8, 8, 8}, {7, 9, 15}, {9, 5, 16}, {3, 11, 31}, {4, 13, 32},
	{6, 3, 33}, {2, 17, 47}, {12, 6, 48}, {13, 4, 49}, {5, 2, 63}, {4, 2, 64}, {3, 3, 65}, {16, 16, 16}, {17, 15, 33}, {31, 10, 7}, {1, 200, 100}, {100, 20, 1},
	{2, 1023, 3}, {3, 1024, 5}, {5, 1025, 9}, {1, 2047, 17}, {2, 2049, 3}, {7, 1030, 33},
	{50, 18, 10}, {130, 19, 10}, {97, 20, 61}, {200, 17, 60}, // tall tiles, whole and in part
	{128, 5, 122}, {250, 18, 249},
	{64, 9, 10}, // A ends where 256 bytes end, and a tile of terms does not
}

// matrix is [rows, cols], or transposed [cols, rows], below batch axes.
func matrix(f flavour, transposed bool, batch []int, rows, cols int) operand {
	if transposed {
		rows, cols = cols, rows
	}
	return f32(f, append(append([]int{}, batch...), rows, cols)...)
}

// product is one matrix product in the table.
type product struct {
	ta, tb         bool
	m, k, n        int
	f              flavour
	aBatch, bBatch []int
	klen           int // -1: no operand
}

// forProducts calls f for every product of the table.
func forProducts(f func(p product)) {
	transposes := []product{{}, {tb: true}, {ta: true}, {ta: true, tb: true}}
	for i, t := range transposes {
		t.klen = -1
		for j, s := range sides {
			t.m, t.k, t.n = s[0], s[1], s[2]
			t.f = flavours[(i+j)%len(flavours)]
			f(t)
		}
		for _, t.f = range flavours {
			t.m, t.k, t.n = 17, 37, 19
			f(t)
			t.m, t.k, t.n = 1, 130, 101 // a row by a basis, and back
			f(t)
			t.m, t.k, t.n = 1, 180, 170
			f(t)
		}
		// A chunk of products that underflow can end in -0, and more terms must not turn it into +0 before they should.
		t.m, t.k, t.n, t.f = 3, 1026, 9, under
		f(t)
		// All products vanish, and the last one's sign is that of the result: a term too many, or an empty chunk, shows.
		for _, s := range [][3]int{{17, 37, 19}, {3, 1024, 5}, {9, 1024, 9}} {
			t.m, t.k, t.n, t.f = s[0], s[1], s[2], vanishing
			f(t)
		}
		for j, batch := range [][2][]int{{{3}, {3}}, {{}, {3}}, {{3}, {}}, {{2, 2}, {2, 2}}, {{2, 2}, {}}, {{}, {2, 0}}, {{1}, {1}}} {
			t.aBatch, t.bBatch, t.f = batch[0], batch[1], flavours[(i+j)%len(flavours)]
			t.m, t.k, t.n = 5, 7, 9
			f(t)
			t.m, t.k, t.n = 9, 8, 17
			t.klen = 5
			f(t)
			t.klen = -1
		}
		// A batch on one side only, and sizes of 1: a transposed row lies as one that is not, and entries of a batch then follow each other as rows do.
		for j, batch := range [][2][]int{{{3}, {}}, {{}, {3}}, {{2, 2}, {}}, {{1, 3}, {}}} {
			for l, s := range [][3]int{{1, 32, 32}, {1, 33, 10}, {1, 1, 17}, {20, 1, 17}, {20, 33, 1}, {1, 33, 1}} {
				t.aBatch, t.bBatch, t.f = batch[0], batch[1], flavours[(i+j+l)%len(flavours)]
				t.m, t.k, t.n = s[0], s[1], s[2]
				f(t)
			}
		}
		t.aBatch, t.bBatch = nil, nil
		for j, k := range []int{0, 1, 2, 7, 8, 9, 16} {
			t.m, t.k, t.n, t.klen, t.f = 6, 16, 17, k, flavours[(i+j)%len(flavours)]
			f(t)
		}
		for _, k := range []int{0, 1, 1023, 1024, 1025, 1100} {
			t.m, t.k, t.n, t.klen, t.f = 3, 1100, 9, k, gauss
			f(t)
		}
		t.m, t.k, t.n, t.klen = 33, 65, 70, -1
		f(t)
	}
	f(product{m: 31, k: 1031, n: 65, f: gauss, klen: -1})
	f(product{m: 1, k: 17500, n: 2, f: gauss, klen: -1}) // chunks side by side, and more than fit there; then entries of a batch, which share their place
	f(product{m: 1, k: 1100, n: 2, f: flavour{Turns, gauss.draw}, aBatch: []int{3}, bBatch: []int{3}, klen: -1})
	f(product{m: 127, k: 1027, n: 126, f: gauss, klen: -1})       // the largest tiles, and their edges
	f(product{m: 50, k: 1030, n: 28, f: gauss, klen: 1026})       // tiles of two chains a result
	f(product{ta: true, m: 48, k: 16, n: 12, f: gauss, klen: -1}) // A ends where 256 bytes end, and its rows before a tile's do
	f(product{tb: true, m: 60, k: 45, n: 13, f: gauss, klen: -1})
	f(product{m: 57, k: 21, n: 29, f: gauss, klen: -1}) // those tiles again, small enough for the slowest checks
}

// padded puts NaN into the pads of both operands.
func (p product) padded(a, b op.Tensor) {
	ka, kb := int(a.Rank)-1, int(b.Rank)-2
	if p.ta {
		ka--
	}
	if p.tb {
		kb++
	}
	pads(a, ka, uint32(p.klen))
	pads(b, kb, uint32(p.klen))
}

func matmuls(g *table) {
	forProducts(func(p product) {
		o := op.MatMul{TA: p.ta, TB: p.tb}
		a, b := matrix(p.f, p.ta, p.aBatch, p.m, p.k), matrix(p.f, p.tb, p.bBatch, p.k, p.n)
		if p.klen < 0 {
			g.add(o, p.f.name, a, b)
			return
		}
		g.addRelated(o, p.f.name+", NaN in the pads", func(_ *rand.Rand, in []op.Tensor) { p.padded(in[0], in[1]) }, a, b, exactly(p.klen))
		g.add(o, p.f.name+", any klen", a, b, below(uint32(p.k+1)))
	})
}

func matmultails(g *table) {
	forProducts(func(p product) {
		o := op.MatMulTail{TA: p.ta, TB: p.tb}
		a, b := matrix(p.f, p.ta, p.aBatch, p.m, p.k), matrix(p.f, p.tb, p.bBatch, p.k, p.n)
		if p.klen >= 0 {
			g.add(o, p.f.name, a, b, exactly(min(p.klen, p.n)))
		} else {
			g.add(o, p.f.name+", any klen", a, b, below(uint32(p.n+1)))
		}
	})
}

func matmuljvps(g *table) {
	forProducts(func(p product) {
		o := op.MatMulJVP{TA: p.ta, TB: p.tb}
		a, b := matrix(p.f, p.ta, p.aBatch, p.m, p.k), matrix(p.f, p.tb, p.bBatch, p.k, p.n)
		if p.klen < 0 {
			g.add(o, p.f.name, a, b, a, b)
			return
		}
		g.addRelated(o, p.f.name+", NaN in the pads", func(_ *rand.Rand, in []op.Tensor) {
			p.padded(in[0], in[1])
			p.padded(in[2], in[3])
		}, a, b, a, b, exactly(p.klen))
	})
}

// ternarySides are the sizes [m, k, n] of ternary products: rows of codes start on multiples of 64, words hold 16.
var ternarySides = [][3]int{
	{1, 1, 1}, {0, 3, 2}, {2, 0, 3}, {3, 2, 0}, {1, 16, 16}, {2, 15, 17}, {3, 17, 15}, {1, 31, 33}, {4, 32, 31}, {5, 33, 32}, {1, 63, 65}, {2, 64, 64}, {3, 65, 63}, {8, 127, 9},
	{7, 128, 129}, {1, 129, 128}, {9, 200, 7}, {1, 255, 257}, {2, 256, 255}, {1, 257, 256}, {16, 10, 100}, {17, 5, 191}, {1, 1025, 70}, {2, 20, 1025}, {1, 5000, 3}, {1, 3, 5000},
}

// ternaryFlavours adds what matters to fixed-point rows: the lowest scale, entries that are rounded, and overflow.
var ternaryFlavours = append([]flavour{
	{"subnormal rows", subnormal.draw},
	{"six binades and more", scaled(-9, 0)},
	{"sums that overflow", func(r *rand.Rand, _ int) float32 { return (1 + float32(r.Float32())) * 0x1p+126 }},
}, flavours...)

func weights(tb bool, k, n int) operand {
	if tb {
		k, n = n, k
	}
	return codes(k, n)
}

// Turns begins the note of a case in which a block with several warps does one row after the other, on an engine whose grid is
// short: a barrier that is missing between the rows shows in no other. Whoever runs only a few cases should run these.
const Turns = "rows in turn"

// forTernary calls f for every ternary product with float32 activations; klen is -1 where there is no such operand.
func forTernary(f func(tb bool, m, k, n, klen int, v flavour)) {
	for i, tb := range []bool{false, true} {
		for j, s := range ternarySides {
			f(tb, s[0], s[1], s[2], -1, ternaryFlavours[(i+j)%len(ternaryFlavours)])
		}
		for _, v := range ternaryFlavours {
			f(tb, 5, 75, 40, -1, v)
			f(tb, 40, 3, 75, -1, v)
		}
		for j, klen := range []int{0, 1, 15, 16, 17, 63, 64, 65, 99, 100} {
			f(tb, 3, 100, 37, klen, ternaryFlavours[(i+j)%len(ternaryFlavours)])
		}
	}
	f(false, 9, 517, 129, -1, gauss)
	f(true, 3, 517, 5, -1, flavour{Turns, gauss.draw})
}

func ternarymms(g *table) {
	forTernary(func(tb bool, m, k, n, klen int, v flavour) {
		o := op.TernaryMM{TB: tb}
		if klen < 0 {
			g.add(o, v.name, f32(v, m, k), weights(tb, k, n))
			return
		}
		g.addRelated(o, v.name+", NaN in the pads", func(_ *rand.Rand, in []op.Tensor) { pads(in[0], 1, uint32(klen)) },
			f32(v, m, k), weights(tb, k, n), exactly(klen))
		g.add(o, v.name+", any klen", f32(v, m, k), weights(tb, k, n), below(uint32(k+1)))
	})
	for _, tb := range []bool{false, true} {
		for _, s := range ternarySides {
			g.add(op.TernaryMM{TB: tb}, "any int8", int8s(anyInt8, s[0], s[1]), weights(tb, s[1], s[2]))
		}
		// Pairs of -128 overflow sums of 16 bits.
		lowest := int8s(func(*rand.Rand) int8 { return -128 }, 3, 1000)
		g.addRelated(op.TernaryMM{TB: tb}, "all -128 by all +1", func(_ *rand.Rand, in []op.Tensor) {
			for i := range in[1].W {
				in[1].W[i] = 0x55555555
			}
		}, lowest, weights(tb, 1000, 19))
		for _, klen := range []int{0, 1, 63, 64, 65, 100} {
			g.add(op.TernaryMM{TB: tb}, "any int8", int8s(anyInt8, 3, 100), weights(tb, 100, 37), exactly(klen))
		}
	}
}

func ternarymmtails(g *table) {
	forTernary(func(tb bool, m, k, n, klen int, v flavour) {
		if klen >= 0 {
			g.add(op.TernaryMMTail{TB: tb}, v.name, f32(v, m, k), weights(tb, k, n), exactly(min(klen, n)))
		} else {
			g.add(op.TernaryMMTail{TB: tb}, v.name+", any klen", f32(v, m, k), weights(tb, k, n), below(uint32(n+1)))
		}
	})
}
