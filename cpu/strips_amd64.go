//go:build !purego

package cpu

import "lockstep/op"

// The AVX2 twins of elementwise ops and of Sum. A strip is a loop over contiguous words, 8 at a time, with a masked rest.

func init() {
	twin("avx2", func(o op.Binary, _ []op.Type) kernel { return strip2(binaryStrips[o]) })
	twin("avx2", func(o op.Compare, in []op.Type) kernel {
		if in[0].DType != op.F32 && o != op.Same {
			return nil
		}
		return strip2(compareStrips[o])
	})
	twin("avx2", func(o op.Unary, _ []op.Type) kernel {
		strip := unaryStrips[o]
		if strip == nil {
			return nil
		}
		return func(_ *workspace, out, in []op.Tensor) {
			if n := len(out[0].W); n > 0 {
				strip(&out[0].W[0], &in[0].W[0], n)
			}
		}
	})
	twin("avx2", func(op.Select, []op.Type) kernel {
		return func(_ *workspace, out, in []op.Tensor) {
			if n := len(out[0].W); n > 0 {
				stripSelect(&out[0].W[0], &in[0].W[0], &in[1].W[0], &in[2].W[0], n)
			}
		}
	})
	twin("avx2", func(o op.Sum, in []op.Type) kernel {
		lead, n, inner, ok := summed(o, in[0].Shape)
		switch {
		case !ok || n == 0:
			return nil
		case inner == 1:
			return func(w *workspace, out, in []op.Tensor) { sumContiguous(w, out[0].F(), in[0].F(), n) }
		case n <= op.Chunk:
			return func(w *workspace, out, in []op.Tensor) {
				lanes := floats(w.Words(op.Lanes * inner))
				for i := range lead {
					sumAcross(out[0].F()[i*inner:(i+1)*inner], in[0].F()[i*n*inner:(i+1)*n*inner], lanes)
				}
				op.Canonical(out[0].W)
			}
		}
		return nil
	})
}

var binaryStrips = map[op.Binary]func(y, a, b *uint32, n int){
	op.Add: stripAdd, op.Sub: stripSub, op.Mul: stripMul, op.Div: stripDiv, op.Max: stripMax, op.Min: stripMin,
}

var compareStrips = map[op.Compare]func(y, a, b *uint32, n int){
	op.Gt: stripGt, op.Ge: stripGe, op.Lt: stripLt, op.Le: stripLe, op.Eq: stripEq, op.Same: stripSame,
}

var unaryStrips = map[op.Unary]func(y, x *uint32, n int){op.Neg: stripNeg, op.Relu: stripRelu, op.Sqrt: stripSqrt}

// strip2 is the kernel of a strip with two operands.
func strip2(strip func(y, a, b *uint32, n int)) kernel {
	if strip == nil {
		return nil
	}
	return func(_ *workspace, out, in []op.Tensor) {
		if n := len(out[0].W); n > 0 {
			strip(&out[0].W[0], &in[0].W[0], &in[1].W[0], n)
		}
	}
}

// sumContiguous sums each run of n > 0 elements of x into y. The segments of a long run are runs themselves, and so are their sums.
func sumContiguous(w *workspace, y, x []float32, n int) {
	if len(y) == 0 {
		return
	}
	if n <= op.Chunk {
		sumRuns(&y[0], &x[0], len(y), n)
		return
	}
	segments, rest := n/op.Chunk, n%op.Chunk
	parts := floats(w.Words(segments + 1))
	for i := range y {
		run := x[i*n : (i+1)*n]
		sumRuns(&parts[0], &run[0], segments, op.Chunk)
		m := segments
		if rest > 0 {
			sumRuns(&parts[m], &run[m*op.Chunk], 1, rest)
			m++
		}
		sumContiguous(w, y[i:i+1], parts, m)
	}
}

// sumAcross adds the rows of x [n, len(y)], n <= 1024, all columns side by side: lanes [32, len(y)] hold the partial sums.
// The rows of a round lie as the lanes do.
func sumAcross(y, x, lanes []float32) {
	if len(y) == 0 {
		return
	}
	clear(lanes)
	for len(x) > 0 {
		round := min(len(lanes), len(x))
		accumulate(&lanes[0], &x[0], round)
		x = x[round:]
	}
	for h := op.Lanes / 2; h > 0; h /= 2 {
		accumulate(&lanes[0], &lanes[h*len(y)], h*len(y))
	}
	copy(y, lanes)
}

// accumulate adds x[i] to y[i], i < n, n > 0; NaNs may be any.
//
//go:noescape
func accumulate(y, x *float32, n int)

// sumRuns sums runs > 0 runs of n elements, 0 < n <= 1024, that follow one another, each in the order of one segment.
//
//go:noescape
func sumRuns(y, x *float32, runs, n int)

// stripSelect is y[i] = c[i] != 0 ? a[i] : b[i], i < n.
//
//go:noescape
func stripSelect(y, c, a, b *uint32, n int)

// The strips of one operand, y[i] = f(x[i]), i < n, for float32 words without other NaNs than the canonical one.
//
//go:noescape
func stripNeg(y, x *uint32, n int)

//go:noescape
func stripRelu(y, x *uint32, n int)

//go:noescape
func stripSqrt(y, x *uint32, n int)

// The strips of two operands, y[i] = f(a[i], b[i]), i < n.
//
//go:noescape
func stripAdd(y, a, b *uint32, n int)

//go:noescape
func stripSub(y, a, b *uint32, n int)

//go:noescape
func stripMul(y, a, b *uint32, n int)

//go:noescape
func stripDiv(y, a, b *uint32, n int)

//go:noescape
func stripMax(y, a, b *uint32, n int)

//go:noescape
func stripMin(y, a, b *uint32, n int)

//go:noescape
func stripGt(y, a, b *uint32, n int)

//go:noescape
func stripGe(y, a, b *uint32, n int)

//go:noescape
func stripLt(y, a, b *uint32, n int)

//go:noescape
func stripLe(y, a, b *uint32, n int)

//go:noescape
func stripEq(y, a, b *uint32, n int)

//go:noescape
func stripSame(y, a, b *uint32, n int)
