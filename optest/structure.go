package optest

import (
	"math"
	"math/rand/v2"

	"lockstep/op"
)

// Allocations of device memory end on multiples of 64 words. A read beyond the end of an operand is found out only where the
// operand ends there, too: hence cases of 64 words.

// reduction is a shape and axes of it.
type reduction struct {
	dims []int
	axes []int
}

// short are lengths of rows that fill no more than a few registers, of which kernels take several rows at a time: 35 rows are
// some of them, and a rest.
var short = []int{1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32}

// reductions: every set of axes of a small tensor, nothing, one, and numbers of terms round the 32 lanes and the segments of 1024.
func reductions() (list []reduction) {
	for set := range 1 << 3 {
		var axes []int
		for a := range 3 {
			if set>>a&1 == 1 {
				axes = append(axes, a)
			}
		}
		for _, dims := range [][]int{{3, 5, 7}, {1, 40, 1}, {4, 1, 9}, {2, 0, 3}, {33, 17, 32}} {
			list = append(list, reduction{dims, axes})
		}
	}
	list = append(list, reduction{nil, nil}, reduction{[]int{2, 3, 2, 5, 2, 3}, []int{0, 2, 4}}, reduction{[]int{2, 3, 2, 5, 2, 3}, []int{1, 3, 5}})
	for _, n := range []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 1023, 1024, 1025, 1055, 1056, 1057, 2047, 2048, 2049, 3072, 4099} {
		list = append(list, reduction{[]int{n}, []int{0}}, reduction{[]int{n, 3}, []int{0}}, reduction{[]int{2, n}, []int{1}})
	}
	for _, n := range short {
		list = append(list, reduction{[]int{35, n}, []int{1}})
	}
	return append(list,
		reduction{[]int{40, 30, 3}, []int{0, 1}}, reduction{[]int{40, 3, 30}, []int{0, 2}}, reduction{[]int{2, 33, 33}, []int{1, 2}},
		reduction{[]int{1100, 17}, []int{0}}, reduction{[]int{300, 61}, []int{0}}, reduction{[]int{2, 1024, 17}, []int{1}}, reduction{[]int{129, 65}, []int{0}}, reduction{[]int{65, 129}, []int{1}},
		reduction{[]int{1024*1024 + 1025}, []int{0}}) // three levels
}

func reduce(g *table, o func(axes op.Ints) op.Op) {
	for i, r := range reductions() {
		f := flavours[i%len(flavours)]
		g.add(o(op.List(r.axes...)), f.name, f32(f, r.dims...))
	}
	for _, f := range flavours {
		g.add(o(op.List(0)), f.name, f32(f, 1500, 3))
		g.add(o(op.List(1)), f.name, f32(f, 9, 300))
	}
	negative := flavour{"only -0", func(*rand.Rand, int) float32 { return float32(math.Copysign(0, -1)) }}
	for _, n := range short {
		g.add(o(op.List(1)), negative.name, f32(negative, 35, n))
	}
}

func sums(g *table)  { reduce(g, func(axes op.Ints) op.Op { return op.Sum{Axes: axes} }) }
func means(g *table) { reduce(g, func(axes op.Ints) op.Op { return op.Mean{Axes: axes} }) }

// alongAxes are the cases of maxima: every axis, ties, zeros of both signs and NaNs at any place.
func alongAxes(o func(axis int8) op.Op) func(g *table) {
	return func(g *table) {
		for axis := range 3 {
			for _, f := range flavours {
				g.add(o(int8(axis)), f.name, f32(f, 3, 5, 7))
			}
			g.add(o(int8(axis)), "one place", f32(bits, 1, 1, 1))
		}
		for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 1025} {
			g.add(o(0), "any bits", f32(bits, n, 5))
			g.add(o(1), ramp.name, f32(ramp, 5, n))
			g.add(o(1), zeros.name, f32(zeros, 5, n))
		}
		for _, n := range short {
			for _, f := range []flavour{bits, special, zeros} {
				g.add(o(1), f.name, f32(f, 35, n))
			}
		}
		g.add(o(1), "no rows", f32(bits, 0, 4))
	}
}

func softmaxes(g *table) {
	for _, c := range []int{1, 2, 3, 7, 8, 9, 10, 16, 17, 33, 64, 65, 1025} {
		g.add(op.Softmax{}, gauss.name, f32(gauss, 5, c))
	}
	for _, f := range flavours {
		g.add(op.Softmax{}, f.name, f32(f, 6, 10))
		g.add(op.Softmax{}, f.name, f32(f, 2, 3, 4))
		g.add(op.Softmax{}, f.name, f32(f, 35, 60)) // more than a block
		g.add(op.Softmax{}, f.name, f32(f, 22, 100))
	}
	g.add(op.Softmax{}, "a vector", f32(wide, 33))
	g.add(op.Softmax{}, "more segments than lanes", f32(gauss, 34000))
	g.add(op.Softmax{}, "no rows", f32(wide, 0, 3))
}

func xents(g *table) {
	for _, c := range []int{1, 2, 3, 7, 8, 9, 10, 16, 17, 33, 1025} {
		g.add(op.Xent{}, gauss.name, f32(gauss, 5, c), about(uint32(c), 5, 1))
	}
	for _, f := range flavours {
		g.add(op.Xent{}, f.name, f32(f, 33, 10), about(10, 33, 1))
		g.add(op.Xent{}, f.name, f32(f, 35, 60), about(60, 35, 1))
		g.add(op.Xent{}, f.name, f32(f, 22, 100), about(100, 22, 1))
	}
	g.add(op.Xent{}, "no rows", f32(wide, 0, 3), about(3, 0, 1))
}

func xentgrads(g *table) {
	for _, c := range []int{1, 2, 3, 7, 8, 9, 10, 16, 17, 33, 1025} {
		g.add(op.XentGrad{}, gauss.name, f32(gauss, 5, c), about(uint32(c), 5, 1), f32(gauss, 5, 1))
	}
	for _, f := range flavours {
		g.add(op.XentGrad{}, f.name, f32(f, 33, 10), about(10, 33, 1), f32(f, 33, 1))
		g.add(op.XentGrad{}, f.name, f32(f, 35, 60), about(60, 35, 1), f32(f, 35, 1))
		g.add(op.XentGrad{}, f.name, f32(f, 22, 100), about(100, 22, 1), f32(f, 22, 1))
	}
	g.add(op.XentGrad{}, "no rows", f32(wide, 0, 3), about(3, 0, 1), f32(wide, 0, 1))
}

// copied are the element types that are moved and not computed with.
var copied = []op.DType{op.F32, op.U32, op.I32, op.Bool}

func broadcasts(g *table) {
	for i, s := range [][2][]int{
		{{}, {}}, {{}, {5}}, {{}, {3, 0}}, {{1}, {17}}, {{17}, {17}}, {{17}, {3, 17}}, {{5, 1}, {5, 33}}, {{1, 33}, {5, 33}}, {{1, 1}, {4, 9}}, {{3, 1, 5}, {3, 4, 5}},
		{{1, 4, 1}, {3, 4, 5}}, {{4, 1}, {2, 3, 4, 5}}, {{1, 3, 1, 5, 1, 2}, {2, 3, 4, 5, 2, 2}}, {{1}, {0}}, {{0}, {3, 0}}, {{1, 1000}, {20, 1000}}, {{1000, 1}, {1000, 20}}, {{2, 1, 1}, {2, 1, 7}}, {{64, 1}, {64, 3}},
	} {
		for j := range copied {
			if j == 0 || i%2 == 0 {
				g.add(op.Broadcast{To: op.S(s[1]...)}, "any bits", oneWord(copied[j], s[0]...))
			}
		}
	}
}

func onehots(g *table) {
	for _, to := range []op.DType{op.F32, op.Bool} {
		for _, n := range []int32{0, 1, 2, 10, 33} {
			g.add(op.OneHot{Axis: 1, N: n, To: to}, "indices", about(uint32(n), 17, 1))
			g.add(op.OneHot{Axis: 0, N: n, To: to}, "indices", about(uint32(n), 1, 5, 3))
			g.add(op.OneHot{Axis: 1, N: n, To: to}, "indices", about(uint32(n), 3, 1, 5))
		}
		g.add(op.OneHot{Axis: 0, N: 7, To: to}, "one index", about(7, 1))
	}
}

func picks(g *table) {
	for axis := range 3 {
		for _, f := range []flavour{bits, special} {
			index := []int{3, 5, 7}
			n := index[axis]
			index[axis] = 1
			g.add(op.Pick{Axis: int8(axis)}, f.name, f32(f, 3, 5, 7), about(uint32(n), index...))
		}
	}
	g.add(op.Pick{Axis: 1}, "a long one", f32(bits, 1000, 10), about(10, 1000, 1))
	g.add(op.Pick{Axis: 1}, "64 words", f32(bits, 64, 3), about(3, 64, 1))
	g.add(op.Pick{Axis: 1}, "from nothing", f32(bits, 4, 0), about(0, 4, 1))
}

func reshapes(g *table) {
	for _, s := range [][2][]int{{{}, {1}}, {{1, 1}, {}}, {{12}, {3, 4}}, {{3, 4}, {2, 6}}, {{0, 3}, {5, 0}}, {{2, 3, 4}, {24}}, {{odd}, {1, odd, 1}}} {
		for _, d := range copied {
			g.add(op.Reshape{To: op.S(s[1]...)}, "any bits", oneWord(d, s[0]...))
		}
	}
}

func transposes(g *table) {
	for _, d := range copied {
		for _, p := range []op.Ints{"0,1,2", "0,2,1", "1,0,2", "1,2,0", "2,0,1", "2,1,0"} {
			g.add(op.Transpose{Perm: p}, "any bits", oneWord(d, 3, 5, 7))
			g.add(op.Transpose{Perm: p}, "any bits", oneWord(d, 1, 9, 1))
		}
		for _, s := range [][2]int{{0, 3}, {1, 1}, {7, 9}, {8, 8}, {15, 17}, {16, 16}, {31, 33}, {64, 65}, {1, 100}, {100, 1}} {
			g.add(op.Transpose{Perm: "1,0"}, "any bits", oneWord(d, s[0], s[1]))
		}
	}
	g.add(op.Transpose{Perm: "0,2,1"}, "64 words", f32(bits, 2, 4, 8))
	g.add(op.Transpose{}, "a scalar", f32(bits))
	g.add(op.Transpose{Perm: "5,3,1,0,2,4"}, "six axes", f32(bits, 2, 3, 2, 5, 2, 3))
	g.add(op.Transpose{Perm: "1,0"}, "a large one", f32(bits, 257, 130))
}

func slicings(g *table) {
	for _, d := range copied {
		for axis, n := range []int{3, 5, 9} {
			for _, r := range [][2]int{{0, n}, {0, 0}, {n, 0}, {1, n - 1}, {0, n - 1}, {1, 1}, {n - 1, 1}} {
				g.add(op.Slice{Axis: int8(axis), Start: int32(r[0]), Len: int32(r[1])}, "any bits", oneWord(d, 3, 5, 9))
			}
		}
	}
	g.add(op.Slice{Axis: 1, Start: 0, Len: 4}, "64 words of 128", f32(bits, 16, 8))
	g.add(op.Slice{Axis: 1, Start: 17, Len: 65}, "a long one", f32(bits, 40, 100))
	g.add(op.Slice{Axis: 0, Start: 17, Len: 65}, "a long one", f32(bits, 100, 40))
}

func paddings(g *table) {
	for _, d := range copied {
		for axis := range 3 {
			for _, r := range [][2]int32{{0, 0}, {1, 0}, {0, 1}, {2, 3}} {
				g.add(op.Pad{Axis: int8(axis), Before: r[0], After: r[1]}, "any bits", oneWord(d, 3, 5, 9))
				g.add(op.Pad{Axis: int8(axis), Before: r[0], After: r[1]}, "nothing", oneWord(d, 2, 0, 3))
			}
		}
	}
	g.add(op.Pad{Axis: 1, Before: 17, After: 65}, "a long one", f32(bits, 40, 100))
}

func tails(g *table) {
	for axis, n := range []int{3, 5, 9} {
		for klen := range n + 2 { // one too many: the law cuts it
			g.addRelated(op.Tail{Axis: int8(axis)}, "NaN in the pads", func(_ *rand.Rand, in []op.Tensor) { pads(in[0], axis, uint32(klen)) },
				f32(bits, 3, 5, 9), exactly(klen))
		}
	}
	for _, n := range lengths {
		g.add(op.Tail{}, "any klen", f32(bits, n), below(uint32(n+1)))
	}
	g.add(op.Tail{Axis: 1}, "a long one", f32(bits, 33, 1000), exactly(777))
}

func concats(g *table) {
	for _, d := range copied {
		g.add(op.Concat{}, "one operand", oneWord(d, 5))
		g.add(op.Concat{}, "an empty operand", oneWord(d, 5), oneWord(d, 0), oneWord(d, 3))
		g.add(op.Concat{Axis: 0}, "any bits", oneWord(d, 2, 5, 3), oneWord(d, 1, 5, 3), oneWord(d, 4, 5, 3))
		g.add(op.Concat{Axis: 1}, "any bits", oneWord(d, 2, 5, 3), oneWord(d, 2, 1, 3), oneWord(d, 2, 4, 3))
		g.add(op.Concat{Axis: 2}, "any bits", oneWord(d, 2, 5, 3), oneWord(d, 2, 5, 1), oneWord(d, 2, 5, 0), oneWord(d, 2, 5, 17))
	}
}

func splits(g *table) {
	for _, d := range copied {
		g.add(op.Split{Sizes: "5"}, "one part", oneWord(d, 5))
		g.add(op.Split{Sizes: "2,0,3"}, "an empty part", oneWord(d, 5))
		g.add(op.Split{Axis: 0, Sizes: "2,1,4"}, "any bits", oneWord(d, 7, 5, 3))
		g.add(op.Split{Axis: 1, Sizes: "5,1,4"}, "any bits", oneWord(d, 2, 10, 3))
		g.add(op.Split{Axis: 2, Sizes: "3,1,0,17"}, "any bits", oneWord(d, 2, 5, 21))
	}
}

func putrows(g *table) {
	for _, d := range []op.DType{op.F32, op.U32} {
		for _, at := range []int{0, 1, 6, 7, 9, 10, 11, -1} { // -1 is 2^32 - 1
			g.add(op.PutRow{}, "rows from a place on", oneWord(d, 10, 5), oneWord(d, 3, 5), exactly(at))
			g.add(op.PutRow{}, "more rows than there are", oneWord(d, 2, 1), oneWord(d, 5, 1), exactly(at))
		}
		g.add(op.PutRow{}, "64 words", oneWord(d, 8, 8), oneWord(d, 3, 8), exactly(1))
		g.add(op.PutRow{}, "no rows", oneWord(d, 4, 3), oneWord(d, 0, 3), exactly(1))
		g.add(op.PutRow{}, "into nothing", oneWord(d, 0, 3), oneWord(d, 2, 3), exactly(0))
	}
}

func gathers(g *table) {
	for _, d := range []op.DType{op.F32, op.U32} {
		for _, row := range [][]int{nil, {1}, {3}, {8}, {17}, {2, 3}, {0}} {
			for _, b := range []int{0, 1, 9, 33} {
				g.add(op.Gather{}, "indices", oneWord(d, append([]int{11}, row...)...), about(11, b))
			}
		}
		g.add(op.Gather{}, "from nothing", oneWord(d, 0, 3), about(0, 4))
	}
	g.add(op.Gather{}, "64 indices", f32(bits, 11, 3), about(11, 64))
	g.add(op.Gather{}, "a long one", f32(bits, 100, 64), about(100, 300))
}

func scatteradds(g *table) {
	for i, row := range [][]int{nil, {1}, {3}, {8}, {17}, {2, 3}, {0}} {
		for j, b := range []int{0, 1, 9, 33, 1023, 1024, 1025, 2049} {
			f := flavours[(i+j)%len(flavours)]
			g.add(op.ScatterAdd{N: 7}, f.name, about(7, b), f32(f, append([]int{b}, row...)...))
		}
	}
	for _, f := range flavours {
		g.add(op.ScatterAdd{N: 3}, f.name, below(3, 1500), f32(f, 1500, 2))
	}
	g.add(op.ScatterAdd{N: 0}, "into nothing", about(0, 4), f32(gauss, 4, 3))
	g.add(op.ScatterAdd{N: 5}, "a chunk without rows for most places", words(op.U32, func(r *rand.Rand) uint32 { return 4 }, 1030), f32(gauss, 1030, 3))
}
