//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of elementwise ops and of Sum. A strip is a loop over contiguous words, a vector at a time, with a masked rest.

type (
	strip1 = func(y, x *uint32, n int)
	strip2 = func(y, a, b *uint32, n int)
	strip3 = func(y, c, a, b *uint32, n int)
)

// stripSet is the strips of one family.
type stripSet struct {
	family     string
	unary      map[op.Unary]strip1
	binary     map[op.Binary]strip2
	compare    map[op.Compare]strip2
	selection  strip3
	accumulate func(y, x *float32, n int)
}

var stripSets = []stripSet{
	{
		"avx2",
		map[op.Unary]strip1{op.Neg: stripNegAVX2, op.Relu: stripReluAVX2, op.Sqrt: stripSqrtAVX2},
		map[op.Binary]strip2{op.Add: stripAddAVX2, op.Sub: stripSubAVX2, op.Mul: stripMulAVX2, op.Div: stripDivAVX2, op.Max: stripMaxAVX2, op.Min: stripMinAVX2},
		map[op.Compare]strip2{op.Gt: stripGtAVX2, op.Ge: stripGeAVX2, op.Lt: stripLtAVX2, op.Le: stripLeAVX2, op.Eq: stripEqAVX2, op.Same: stripSameAVX2},
		stripSelectAVX2,
		accumulateAVX2,
	},
	{
		"avx512",
		map[op.Unary]strip1{op.Neg: stripNegAVX512, op.Relu: stripReluAVX512, op.Sqrt: stripSqrtAVX512},
		map[op.Binary]strip2{op.Add: stripAddAVX512, op.Sub: stripSubAVX512, op.Mul: stripMulAVX512, op.Div: stripDivAVX512, op.Max: stripMaxAVX512, op.Min: stripMinAVX512},
		map[op.Compare]strip2{op.Gt: stripGtAVX512, op.Ge: stripGeAVX512, op.Lt: stripLtAVX512, op.Le: stripLeAVX512, op.Eq: stripEqAVX512, op.Same: stripSameAVX512},
		stripSelectAVX512,
		accumulateAVX512,
	},
}

func init() {
	for _, s := range stripSets {
		twin(s.family, func(o op.Unary, _ []op.Type) kernel {
			if f := functionStrips[s.family][o]; f != nil {
				return kernel1(f)
			}
			return kernel1(s.unary[o])
		})
		twin(s.family, func(o op.Binary, _ []op.Type) kernel { return kernel2(s.binary[o]) })
		twin(s.family, func(o op.Compare, in []op.Type) kernel {
			if in[0].DType != op.F32 && o != op.Same {
				return nil
			}
			return kernel2(s.compare[o])
		})
		twin(s.family, func(op.Select, []op.Type) kernel {
			return func(_ *workspace, out, in []op.Tensor) {
				if n := len(out[0].W); n > 0 {
					s.selection(&out[0].W[0], &in[0].W[0], &in[1].W[0], &in[2].W[0], n)
				}
			}
		})
		twin(s.family, func(o op.Sum, in []op.Type) kernel { return s.sum(o, in[0].Shape) })
	}
}

// kernel1 is the kernel of a strip with one operand; nil if there is none.
func kernel1(strip strip1) kernel {
	if strip == nil {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &in[0].W[0], n)
		}
	}
}

// kernel2 is the kernel of a strip with two operands; nil if there is none.
func kernel2(strip strip2) kernel {
	if strip == nil {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &in[0].W[0], &in[1].W[0], n)
		}
	}
}

// sum is the kernel of a Sum of axes that lie side by side; nil of others.
func (s *stripSet) sum(o op.Sum, shape op.Shape) kernel {
	lead, n, inner, ok := summed(o, shape)
	switch {
	case !ok || n == 0:
		return nil
	case inner == 1:
		return func(w *workspace, out, in []op.Tensor) { sumContiguous(w, out[0].F(), in[0].F(), n) }
	case n <= op.Chunk:
		return func(w *workspace, out, in []op.Tensor) {
			lanes := floats(w.Words(op.Lanes * inner))
			for i := range lead {
				s.sumAcross(out[0].F()[i*inner:(i+1)*inner], in[0].F()[i*n*inner:(i+1)*n*inner], lanes)
			}
			op.Canonical(out[0].W)
		}
	}
	return nil
}

// sumContiguous sums each run of n > 0 elements of x into y. The segments of a long run are runs themselves, and so are their sums.
func sumContiguous(w *workspace, y, x []float32, n int) {
	if len(y) == 0 {
		return
	}
	if n <= op.Chunk {
		sumRunsAVX2(&y[0], &x[0], len(y), n)
		return
	}
	segments, rest := n/op.Chunk, n%op.Chunk
	parts := floats(w.Words(segments + 1))
	for i := range y {
		run := x[i*n : (i+1)*n]
		sumRunsAVX2(&parts[0], &run[0], segments, op.Chunk)
		m := segments
		if rest > 0 {
			sumRunsAVX2(&parts[m], &run[m*op.Chunk], 1, rest)
			m++
		}
		sumContiguous(w, y[i:i+1], parts, m)
	}
}

// sumAcross adds the rows of x [n, len(y)], n <= 1024, all columns side by side: lanes [32, len(y)] hold the partial sums.
// The rows of a round lie as the lanes do.
func (s *stripSet) sumAcross(y, x, lanes []float32) {
	if len(y) == 0 {
		return
	}
	clear(lanes)
	for len(x) > 0 {
		round := min(len(lanes), len(x))
		s.accumulate(&lanes[0], &x[0], round)
		x = x[round:]
	}
	for h := op.Lanes / 2; h > 0; h /= 2 {
		s.accumulate(&lanes[0], &lanes[h*len(y)], h*len(y))
	}
	copy(y, lanes)
}
