package truth

import (
	"math"

	"lockstep/op"
)

// mean is over the last axis, at the row of an index.
func mean(dims, at []int, f func(at []int) float64) float64 {
	last, sum := len(dims)-1, 0.
	for c := range dims[last] {
		sum += f(With(at, last, c))
	}
	return sum / float64(dims[last])
}

func softmaxGradTruth(_ op.Op, in []Array) Array {
	y, g := in[0], in[1]
	c := float64(y.Dims[len(y.Dims)-1])
	return Build(op.F32, y.Dims, func(at []int) float64 {
		return y.At(at...) * (g.At(at...) - c*mean(y.Dims, at, func(at []int) float64 { return y.At(at...) * g.At(at...) }))
	})
}

func layerNormTruth(o op.Op, in []Array) []Array {
	x, eps := in[0], float64(o.(op.LayerNorm).Eps.F())
	moments := func(at []int) (m, root float64) {
		m = mean(x.Dims, at, func(at []int) float64 { return x.At(at...) })
		// The mean of the squares less the square of the mean would cancel.
		v := mean(x.Dims, at, func(at []int) float64 { return math.Pow(x.At(at...)-m, 2) })
		return m, math.Sqrt(v + eps)
	}
	y := Build(op.F32, x.Dims, func(at []int) float64 {
		m, root := moments(at)
		return (x.At(at...) - m) / root
	})
	r := Build(op.F32, With(x.Dims, len(x.Dims)-1, 1), func(at []int) float64 {
		_, root := moments(at)
		return 1 / root
	})
	return []Array{y, r}
}

func layerNormGradTruth(_ op.Op, in []Array) Array {
	y, r, g := in[0], in[1], in[2]
	last := len(y.Dims) - 1
	return Build(op.F32, y.Dims, func(at []int) float64 {
		along := mean(y.Dims, at, func(at []int) float64 { return y.At(at...) * g.At(at...) })
		centre := mean(y.Dims, at, func(at []int) float64 { return g.At(at...) })
		return r.At(With(at, last, 0)...) * (g.At(at...) - centre - y.At(at...)*along)
	})
}
