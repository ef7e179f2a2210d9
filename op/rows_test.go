package op_test

import (
	"math"

	"lockstep/op"
	"lockstep/optest/truth"
)

// rowsAgain is the law of an op over the last axis, written another way: row by row, with sumOf for sums.
func rowsAgain(o op.Op, in []truth.Array) truth.Array {
	a, last := in[0], len(in[0].Dims)-1
	y := truth.New(op.F32, a.Dims...)
	n := a.Dims[last]
	row := func(x truth.Array, i int) (v []float32) {
		for _, e := range x.X[i*n : (i+1)*n] {
			v = append(v, float32(e))
		}
		return v
	}
	products := func(a, b []float32) (p []float32) {
		for i := range a {
			p = append(p, a[i]*b[i])
		}
		return p
	}
	mean := func(x []float32) float32 { return sumOf(x) / float32(len(x)) }
	for i := range len(a.X) / max(n, 1) {
		x, out := row(a, i), y.X[i*n:]
		switch o := o.(type) {
		case op.SoftmaxGrad:
			g := row(in[1], i)
			s := sumOf(products(x, g))
			for c := range x {
				out[c] = float64(x[c] * (g[c] - s))
			}
		case op.LayerNorm:
			m := mean(x)
			for c := range x {
				x[c] -= m
			}
			r := 1 / float32(math.Sqrt(float64(mean(products(x, x))+o.Eps.F())))
			for c := range x {
				out[c] = float64(x[c] * r)
			}
		case op.LayerNormGrad:
			g, r := row(in[2], i), float32(in[1].X[i])
			m, along := mean(g), mean(products(g, x))
			for c := range x {
				out[c] = float64(((g[c] - m) - float32(x[c]*along)) * r)
			}
		}
	}
	return y
}

// largestOf is the largest magnitude in the rows.
func largestOf(x truth.Array) (m float64) {
	for _, v := range x.X {
		m = math.Max(m, math.Abs(v))
	}
	return m
}

// softmaxGradBound: the sum of c products of at most |y| |g|, and three roundings more.
func softmaxGradBound(_ op.Op, in []truth.Array, y truth.Array) []float64 {
	b, c := make([]float64, len(y.X)), float64(in[0].Dims[len(in[0].Dims)-1])
	for i := range b {
		b[i] = unit * math.Abs(in[0].X[i]) * largestOf(in[1]) * (3 + c*largestOf(in[0])*(sumDepth(in[0])+4))
	}
	return b
}

// layerNormBound: d = x - mean is off by e = (depth + 2) units of max |x|; so r = 1 / sqrt(mean(d^2) + eps) is off by r e / (1 / r),
// relatively, and by its own roundings; y = d r by both.
func layerNormBound(o op.Op, in []truth.Array, y truth.Array) []float64 {
	b, r := make([]float64, len(y.X)), truth.Of(o, in)[1]
	n := in[0].Dims[len(in[0].Dims)-1]
	for i := range b {
		e := (sumDepth(in[0]) + 2) * unit * largestOf(in[0])
		b[i] = r.X[i/n]*e*(1+2*math.Abs(y.X[i])) + math.Abs(y.X[i])*(sumDepth(in[0])+6)*unit
	}
	return b
}

// layerNormGradBound: two means, of g and of g y, each off by depth units of its terms.
func layerNormGradBound(_ op.Op, in []truth.Array, y truth.Array) []float64 {
	b, n := make([]float64, len(y.X)), in[0].Dims[len(in[0].Dims)-1]
	for i := range b {
		g, v := largestOf(in[2]), largestOf(in[0])
		b[i] = unit * math.Abs(in[1].X[i/n]) * (sumDepth(in[2]) + 6) * g * (2 + 2*v*v)
	}
	return b
}
