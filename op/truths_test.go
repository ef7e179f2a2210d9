package op_test

import (
	"math"
	"slices"

	"lockstep/op"
)

// The truths of the ops that are no functions of one element, by index formulas.

func selectTruth(_ op.Op, in []array) array {
	return build(in[1].DType, in[1].dims, func(at []int) float64 {
		if in[0].at(at...) == 1 {
			return in[1].at(at...)
		}
		return in[2].at(at...)
	})
}

func fillTruth(o op.Op, _ []array) array {
	f := o.(op.Fill)
	one := arrayOf(op.Words32(f.DType, op.S(), uint32(f.Bits)))
	return build(f.DType, f.To.Dims(), func([]int) float64 { return one.x[0] })
}

func iotaTruth(o op.Op, _ []array) array {
	return build(op.U32, []int{int(o.(op.Iota).N)}, func(at []int) float64 { return float64(at[0]) })
}

func castTruth(o op.Op, in []array) array {
	lo, hi := math.Inf(-1), math.Inf(1)
	switch o.(op.Cast).To {
	case op.U32:
		lo, hi = 0, 0x1p+32-1
	case op.I32:
		lo, hi = -0x1p+31, 0x1p+31-1
	case op.I8:
		lo, hi = -128, 127
	}
	return build(o.(op.Cast).To, in[0].dims, func(at []int) float64 {
		x := in[0].at(at...)
		if x != x {
			return 0
		}
		if in[0].DType == op.F32 && x-x == 0 {
			x = nearestEven(x)
		}
		return math.Min(math.Max(x, lo), hi)
	})
}

// nearestEven is the integer nearest to a finite x, of two the even one.
func nearestEven(x float64) float64 {
	floor := math.Floor(x)
	if frac := x - floor; frac > 0.5 || frac == 0.5 && math.Mod(floor, 2) != 0 {
		return floor + 1
	}
	return floor
}

func iaddTruth(_ op.Op, in []array) array {
	return build(in[0].DType, in[0].dims, func(at []int) float64 { return float64(int64(in[0].at(at...)+in[1].at(at...)) & math.MaxUint32) })
}

// entry reads element (r, c) below batch axes of a matrix that may be transposed; a matrix without batch axes serves every batch entry.
func (a array) entry(transposed bool, batch []int, r, c int) float64 {
	if transposed {
		r, c = c, r
	}
	return a.at(append(slices.Clone(batch[:len(a.dims)-2]), r, c)...)
}

// chain calls f for the terms of a matrix product: output index, batch index, row, column and the number of terms.
func chain(ta, tb bool, a, b array, klen []array, f func(batch []int, i, j, k int) float64) array {
	m, k, n := a.dims[len(a.dims)-2], a.dims[len(a.dims)-1], b.dims[len(b.dims)-1]
	if ta {
		m, k = k, m
	}
	if tb {
		n = b.dims[len(b.dims)-2]
	}
	if len(klen) > 0 {
		k = min(k, int(klen[0].x[0]))
	}
	batch := a.dims[:len(a.dims)-2]
	if len(b.dims) > len(a.dims) {
		batch = b.dims[:len(b.dims)-2]
	}
	return build(op.F32, append(slices.Clone(batch), m, n), func(at []int) float64 { return f(at[:len(batch)], at[len(batch)], at[len(batch)+1], k) })
}

func matmulTruth(o op.Op, in []array) array {
	p := o.(op.MatMul)
	return chain(p.TA, p.TB, in[0], in[1], in[2:], func(batch []int, i, j, k int) (y float64) {
		for l := range k {
			y += in[0].entry(p.TA, batch, i, l) * in[1].entry(p.TB, batch, l, j)
		}
		return y
	})
}

func matmuljvpTruth(o op.Op, in []array) array {
	p := o.(op.MatMulJVP)
	return chain(p.TA, p.TB, in[0], in[1], in[4:], func(batch []int, i, j, k int) (y float64) {
		for l := range k {
			y += in[2].entry(p.TA, batch, i, l)*in[1].entry(p.TB, batch, l, j) + in[0].entry(p.TA, batch, i, l)*in[3].entry(p.TB, batch, l, j)
		}
		return y
	})
}

func ternaryTruth(o op.Op, in []array) array {
	y := matmulTruth(op.MatMul{TB: o.(op.TernaryMM).TB}, in)
	if in[0].DType == op.I8 {
		y.DType = op.I32
	}
	return y
}

func ternaryTailTruth(o op.Op, in []array) array {
	y := ternaryTruth(op.TernaryMM{TB: o.(op.TernaryMMTail).TB}, in[:2])
	return tailTruth(op.Tail{Axis: 1}, []array{y, in[2]})
}

func sumTruth(o op.Op, in []array) array {
	dims := slices.Clone(in[0].dims)
	for _, a := range o.(op.Sum).Axes.Slice() {
		dims[a] = 1
	}
	y := newArray(op.F32, dims...)
	each(in[0].dims, func(at []int) {
		to := slices.Clone(at)
		for d, n := range dims {
			if n == 1 {
				to[d] = 0
			}
		}
		y.x[y.offset(to...)] += in[0].at(at...)
	})
	return y
}

func meanTruth(o op.Op, in []array) array {
	y := sumTruth(op.Sum(o.(op.Mean)), in)
	for i := range y.x {
		y.x[i] /= float64(len(in[0].x)) / float64(len(y.x))
	}
	return y
}

func amaxTruth(o op.Op, in []array) array {
	axis := int(o.(op.AMax).Axis)
	return build(op.F32, with(in[0].dims, axis, 1), func(at []int) float64 {
		best := in[0].at(at...)
		for k := range in[0].dims[axis] {
			best = larger(best, in[0].at(with(at, axis, k)...))
		}
		return best
	})
}

// argmaxTruth looks from the last index to the first for the largest element.
func argmaxTruth(o op.Op, in []array) array {
	axis := int(o.(op.ArgMax).Axis)
	return build(op.U32, with(in[0].dims, axis, 1), func(at []int) float64 {
		best := in[0].dims[axis] - 1
		for k := best; k >= 0; k-- {
			x, y := in[0].at(with(at, axis, k)...), in[0].at(with(at, axis, best)...)
			if x != x || y == y && (x > y || x == y && (math.Signbit(y) || !math.Signbit(x))) {
				best = k
			}
		}
		return float64(best)
	})
}

func onehotTruth(o op.Op, in []array) array {
	h := o.(op.OneHot)
	return build(h.To, with(in[0].dims, int(h.Axis), int(h.N)), func(at []int) float64 {
		return truth(in[0].at(with(at, int(h.Axis), 0)...) == float64(at[h.Axis]))
	})
}

func pickTruth(o op.Op, in []array) array {
	axis := int(o.(op.Pick).Axis)
	return build(op.F32, in[1].dims, func(at []int) float64 {
		if k := in[1].at(at...); k < float64(in[0].dims[axis]) {
			return in[0].at(with(at, axis, int(k))...)
		}
		return 0
	})
}

func broadcastTruth(o op.Op, in []array) array {
	to := o.(op.Broadcast).To.Dims()
	return build(in[0].DType, to, func(at []int) float64 {
		from := slices.Clone(at[len(to)-len(in[0].dims):])
		for d, n := range in[0].dims {
			if n == 1 {
				from[d] = 0
			}
		}
		return in[0].at(from...)
	})
}

func reshapeTruth(o op.Op, in []array) array {
	return array{in[0].DType, o.(op.Reshape).To.Dims(), in[0].x}
}

func transposeTruth(o op.Op, in []array) array {
	p := o.(op.Transpose).Perm.Slice()
	dims := make([]int, len(p))
	for i, a := range p {
		dims[i] = in[0].dims[a]
	}
	return build(in[0].DType, dims, func(at []int) float64 {
		from := make([]int, len(p))
		for i, a := range p {
			from[a] = at[i]
		}
		return in[0].at(from...)
	})
}

func sliceTruth(o op.Op, in []array) array {
	s := o.(op.Slice)
	return build(in[0].DType, with(in[0].dims, int(s.Axis), int(s.Len)), func(at []int) float64 {
		return in[0].at(with(at, int(s.Axis), at[s.Axis]+int(s.Start))...)
	})
}

func padTruth(o op.Op, in []array) array {
	p := o.(op.Pad)
	n := in[0].dims[p.Axis]
	return build(in[0].DType, with(in[0].dims, int(p.Axis), int(p.Before)+n+int(p.After)), func(at []int) float64 {
		if k := at[p.Axis] - int(p.Before); k >= 0 && k < n {
			return in[0].at(with(at, int(p.Axis), k)...)
		}
		return 0
	})
}

func tailTruth(o op.Op, in []array) array {
	return build(op.F32, in[0].dims, func(at []int) float64 {
		if float64(at[o.(op.Tail).Axis]) < in[1].x[0] {
			return in[0].at(at...)
		}
		return 0
	})
}

func concatTruth(o op.Op, in []array) array {
	axis, total := int(o.(op.Concat).Axis), 0
	for _, x := range in {
		total += x.dims[axis]
	}
	return build(in[0].DType, with(in[0].dims, axis, total), func(at []int) float64 {
		k, i := at[axis], 0
		for ; k >= in[i].dims[axis]; i++ {
			k -= in[i].dims[axis]
		}
		return in[i].at(with(at, axis, k)...)
	})
}

func splitTruth(o op.Op, in []array) (out []array) {
	s := o.(op.Split)
	start := 0
	for _, n := range s.Sizes.Slice() {
		out = append(out, sliceTruth(op.Slice{Axis: s.Axis, Start: int32(start), Len: int32(n)}, in))
		start += n
	}
	return out
}

func putrowTruth(_ op.Op, in []array) array {
	return build(in[0].DType, in[0].dims, func(at []int) float64 {
		if k := float64(at[0]) - in[2].x[0]; k >= 0 && k < float64(in[1].dims[0]) {
			return in[1].at(int(k), at[1])
		}
		return in[0].at(at...)
	})
}

func gatherTruth(_ op.Op, in []array) array {
	return build(in[0].DType, with(in[0].dims, 0, in[1].dims[0]), func(at []int) float64 {
		if k := in[1].x[at[0]]; k < float64(in[0].dims[0]) {
			return in[0].at(with(at, 0, int(k))...)
		}
		return 0
	})
}

func scatteraddTruth(o op.Op, in []array) array {
	n := int(o.(op.ScatterAdd).N)
	return build(op.F32, with(in[1].dims, 0, n), func(at []int) (y float64) {
		for i, k := range in[0].x {
			if k == float64(at[0]) {
				y += in[1].at(with(at, 0, i)...)
			}
		}
		return y
	})
}

func softmaxTruth(_ op.Op, in []array) array {
	last := len(in[0].dims) - 1
	return build(op.F32, in[0].dims, func(at []int) float64 {
		sum := 0.
		for c := range in[0].dims[last] {
			sum += math.Exp(in[0].at(with(at, last, c)...) - in[0].at(at...))
		}
		return 1 / sum
	})
}

func xentTruth(_ op.Op, in []array) array {
	p := softmaxTruth(nil, in)
	return build(op.F32, in[1].dims, func(at []int) float64 { return -math.Log(p.at(at[0], int(in[1].at(at...)))) })
}

func xentgradTruth(_ op.Op, in []array) array {
	p := softmaxTruth(nil, in)
	return build(op.F32, in[0].dims, func(at []int) float64 {
		return (p.at(at...) - truth(in[1].at(at[0], 0) == float64(at[1]))) * in[2].at(at[0], 0)
	})
}
