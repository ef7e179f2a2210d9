package truth

import (
	"math"
	"slices"

	"lockstep/op"
)

// The truths of the ops that are no functions of one element, by index formulas.

func selectTruth(_ op.Op, in []Array) Array {
	return Build(in[1].DType, in[1].Dims, func(at []int) float64 {
		if in[0].At(at...) == 1 {
			return in[1].At(at...)
		}
		return in[2].At(at...)
	})
}

func fillTruth(o op.Op, _ []Array) Array {
	f := o.(op.Fill)
	one := From(op.Words32(f.DType, op.S(), uint32(f.Bits)))
	return Build(f.DType, f.To.Dims(), func([]int) float64 { return one.X[0] })
}

func iotaTruth(o op.Op, _ []Array) Array {
	return Build(op.U32, []int{int(o.(op.Iota).N)}, func(at []int) float64 { return float64(at[0]) })
}

func castTruth(o op.Op, in []Array) Array {
	lo, hi := math.Inf(-1), math.Inf(1)
	switch o.(op.Cast).To {
	case op.U32:
		lo, hi = 0, 0x1p+32-1
	case op.I32:
		lo, hi = -0x1p+31, 0x1p+31-1
	case op.I8:
		lo, hi = -128, 127
	}
	return Build(o.(op.Cast).To, in[0].Dims, func(at []int) float64 {
		x := in[0].At(at...)
		if x != x {
			return 0
		}
		if in[0].DType == op.F32 && x-x == 0 {
			x = NearestEven(x)
		}
		return math.Min(math.Max(x, lo), hi)
	})
}

// NearestEven is the integer nearest to a finite x, of two the even one.
func NearestEven(x float64) float64 {
	floor := math.Floor(x)
	if frac := x - floor; frac > 0.5 || frac == 0.5 && math.Mod(floor, 2) != 0 {
		return floor + 1
	}
	return floor
}

func iaddTruth(_ op.Op, in []Array) Array {
	return Build(in[0].DType, in[0].Dims, func(at []int) float64 { return float64(int64(in[0].At(at...)+in[1].At(at...)) & math.MaxUint32) })
}

// Entry reads element (r, c) below batch axes of a matrix that may be transposed; a matrix without batch axes serves every batch entry.
func (a Array) Entry(transposed bool, batch []int, r, c int) float64 {
	if transposed {
		r, c = c, r
	}
	return a.At(append(slices.Clone(batch[:len(a.Dims)-2]), r, c)...)
}

// Chain calls f for the terms of a matrix product: output index, batch index, row, column and the number of terms.
func Chain(ta, tb bool, a, b Array, klen []Array, f func(batch []int, i, j, k int) float64) Array {
	m, k, n := a.Dims[len(a.Dims)-2], a.Dims[len(a.Dims)-1], b.Dims[len(b.Dims)-1]
	if ta {
		m, k = k, m
	}
	if tb {
		n = b.Dims[len(b.Dims)-2]
	}
	if len(klen) > 0 {
		k = min(k, int(klen[0].X[0]))
	}
	batch := a.Dims[:len(a.Dims)-2]
	if len(b.Dims) > len(a.Dims) {
		batch = b.Dims[:len(b.Dims)-2]
	}
	return Build(op.F32, append(slices.Clone(batch), m, n), func(at []int) float64 { return f(at[:len(batch)], at[len(batch)], at[len(batch)+1], k) })
}

func matmulTruth(o op.Op, in []Array) Array {
	p := o.(op.MatMul)
	return Chain(p.TA, p.TB, in[0], in[1], in[2:], func(batch []int, i, j, k int) (y float64) {
		for l := range k {
			y += in[0].Entry(p.TA, batch, i, l) * in[1].Entry(p.TB, batch, l, j)
		}
		return y
	})
}

func matmuljvpTruth(o op.Op, in []Array) Array {
	p := o.(op.MatMulJVP)
	return Chain(p.TA, p.TB, in[0], in[1], in[4:], func(batch []int, i, j, k int) (y float64) {
		for l := range k {
			y += in[2].Entry(p.TA, batch, i, l)*in[1].Entry(p.TB, batch, l, j) + in[0].Entry(p.TA, batch, i, l)*in[3].Entry(p.TB, batch, l, j)
		}
		return y
	})
}

func ternaryTruth(o op.Op, in []Array) Array {
	y := matmulTruth(op.MatMul{TB: o.(op.TernaryMM).TB}, in)
	if in[0].DType == op.I8 {
		y.DType = op.I32
	}
	return y
}

func ternaryTailTruth(o op.Op, in []Array) Array {
	y := ternaryTruth(op.TernaryMM{TB: o.(op.TernaryMMTail).TB}, in[:2])
	return tailTruth(op.Tail{Axis: 1}, []Array{y, in[2]})
}

func matmulTailTruth(o op.Op, in []Array) Array {
	y := matmulTruth(op.MatMul(o.(op.MatMulTail)), in[:2])
	return tailTruth(op.Tail{Axis: int8(len(y.Dims) - 1)}, []Array{y, in[2]})
}

func sumTruth(o op.Op, in []Array) Array {
	dims := slices.Clone(in[0].Dims)
	for _, a := range o.(op.Sum).Axes.Slice() {
		dims[a] = 1
	}
	y := New(op.F32, dims...)
	Each(in[0].Dims, func(at []int) {
		to := slices.Clone(at)
		for d, n := range dims {
			if n == 1 {
				to[d] = 0
			}
		}
		y.X[y.Offset(to...)] += in[0].At(at...)
	})
	return y
}

func meanTruth(o op.Op, in []Array) Array {
	y := sumTruth(op.Sum(o.(op.Mean)), in)
	for i := range y.X {
		y.X[i] /= float64(len(in[0].X)) / float64(len(y.X))
	}
	return y
}

func amaxTruth(o op.Op, in []Array) Array {
	axis := int(o.(op.AMax).Axis)
	return Build(op.F32, With(in[0].Dims, axis, 1), func(at []int) float64 {
		best := in[0].At(at...)
		for k := range in[0].Dims[axis] {
			best = Larger(best, in[0].At(With(at, axis, k)...))
		}
		return best
	})
}

// argmaxTruth looks from the last index to the first for the largest element.
func argmaxTruth(o op.Op, in []Array) Array {
	axis := int(o.(op.ArgMax).Axis)
	return Build(op.U32, With(in[0].Dims, axis, 1), func(at []int) float64 {
		best := in[0].Dims[axis] - 1
		for k := best; k >= 0; k-- {
			x, y := in[0].At(With(at, axis, k)...), in[0].At(With(at, axis, best)...)
			if x != x || y == y && (x > y || x == y && (math.Signbit(y) || !math.Signbit(x))) {
				best = k
			}
		}
		return float64(best)
	})
}

func onehotTruth(o op.Op, in []Array) Array {
	h := o.(op.OneHot)
	return Build(h.To, With(in[0].Dims, int(h.Axis), int(h.N)), func(at []int) float64 {
		return Bit(in[0].At(With(at, int(h.Axis), 0)...) == float64(at[h.Axis]))
	})
}

func pickTruth(o op.Op, in []Array) Array {
	axis := int(o.(op.Pick).Axis)
	return Build(op.F32, in[1].Dims, func(at []int) float64 {
		if k := in[1].At(at...); k < float64(in[0].Dims[axis]) {
			return in[0].At(With(at, axis, int(k))...)
		}
		return 0
	})
}

func broadcastTruth(o op.Op, in []Array) Array {
	to := o.(op.Broadcast).To.Dims()
	return Build(in[0].DType, to, func(at []int) float64 {
		from := slices.Clone(at[len(to)-len(in[0].Dims):])
		for d, n := range in[0].Dims {
			if n == 1 {
				from[d] = 0
			}
		}
		return in[0].At(from...)
	})
}

func reshapeTruth(o op.Op, in []Array) Array {
	return Array{in[0].DType, o.(op.Reshape).To.Dims(), in[0].X}
}

func transposeTruth(o op.Op, in []Array) Array {
	p := o.(op.Transpose).Perm.Slice()
	dims := make([]int, len(p))
	for i, a := range p {
		dims[i] = in[0].Dims[a]
	}
	return Build(in[0].DType, dims, func(at []int) float64 {
		from := make([]int, len(p))
		for i, a := range p {
			from[a] = at[i]
		}
		return in[0].At(from...)
	})
}

func sliceTruth(o op.Op, in []Array) Array {
	s := o.(op.Slice)
	return Build(in[0].DType, With(in[0].Dims, int(s.Axis), int(s.Len)), func(at []int) float64 {
		return in[0].At(With(at, int(s.Axis), at[s.Axis]+int(s.Start))...)
	})
}

func padTruth(o op.Op, in []Array) Array {
	p := o.(op.Pad)
	n := in[0].Dims[p.Axis]
	return Build(in[0].DType, With(in[0].Dims, int(p.Axis), int(p.Before)+n+int(p.After)), func(at []int) float64 {
		if k := at[p.Axis] - int(p.Before); k >= 0 && k < n {
			return in[0].At(With(at, int(p.Axis), k)...)
		}
		return 0
	})
}

func tailTruth(o op.Op, in []Array) Array {
	return Build(op.F32, in[0].Dims, func(at []int) float64 {
		if float64(at[o.(op.Tail).Axis]) < in[1].X[0] {
			return in[0].At(at...)
		}
		return 0
	})
}

func concatTruth(o op.Op, in []Array) Array {
	axis, total := int(o.(op.Concat).Axis), 0
	for _, x := range in {
		total += x.Dims[axis]
	}
	return Build(in[0].DType, With(in[0].Dims, axis, total), func(at []int) float64 {
		k, i := at[axis], 0
		for ; k >= in[i].Dims[axis]; i++ {
			k -= in[i].Dims[axis]
		}
		return in[i].At(With(at, axis, k)...)
	})
}

func splitTruth(o op.Op, in []Array) (out []Array) {
	s := o.(op.Split)
	start := 0
	for _, n := range s.Sizes.Slice() {
		out = append(out, sliceTruth(op.Slice{Axis: s.Axis, Start: int32(start), Len: int32(n)}, in))
		start += n
	}
	return out
}

func putrowTruth(_ op.Op, in []Array) Array {
	return Build(in[0].DType, in[0].Dims, func(at []int) float64 {
		if k := float64(at[0]) - in[2].X[0]; k >= 0 && k < float64(in[1].Dims[0]) {
			return in[1].At(int(k), at[1])
		}
		return in[0].At(at...)
	})
}

func gatherTruth(_ op.Op, in []Array) Array {
	return Build(in[0].DType, With(in[0].Dims, 0, in[1].Dims[0]), func(at []int) float64 {
		if k := in[1].X[at[0]]; k < float64(in[0].Dims[0]) {
			return in[0].At(With(at, 0, int(k))...)
		}
		return 0
	})
}

func scatteraddTruth(o op.Op, in []Array) Array {
	n := int(o.(op.ScatterAdd).N)
	return Build(op.F32, With(in[1].Dims, 0, n), func(at []int) (y float64) {
		for i, k := range in[0].X {
			if k == float64(at[0]) {
				y += in[1].At(With(at, 0, i)...)
			}
		}
		return y
	})
}

func softmaxTruth(_ op.Op, in []Array) Array {
	last := len(in[0].Dims) - 1
	return Build(op.F32, in[0].Dims, func(at []int) float64 {
		sum := 0.
		for c := range in[0].Dims[last] {
			sum += math.Exp(in[0].At(With(at, last, c)...) - in[0].At(at...))
		}
		return 1 / sum
	})
}

func xentTruth(_ op.Op, in []Array) Array {
	p := softmaxTruth(nil, in)
	return Build(op.F32, in[1].Dims, func(at []int) float64 { return -math.Log(p.At(at[0], int(in[1].At(at...)))) })
}

func xentgradTruth(_ op.Op, in []Array) Array {
	p := softmaxTruth(nil, in)
	return Build(op.F32, in[0].Dims, func(at []int) float64 {
		return (p.At(at...) - Bit(in[1].At(at[0], 0) == float64(at[1]))) * in[2].At(at[0], 0)
	})
}
