//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of AMax, along any axis, and of ArgMax along one that is contiguous.

// maxSet is the kernels of one family.
type maxSet struct {
	runs  func(y, x *uint32, runs, n int)
	short []func(y, x *uint32, groups, n int) // by the registers of a run, less one
	first func(y, x, m *uint32, runs, n int)
	rows  strip2 // the larger, word by word
}

var maxSets = map[string]*maxSet{
	"avx2":   {maxRunsAVX2, []func(y, x *uint32, groups, n int){maxShort1AVX2, maxShort2AVX2, maxShort3AVX2, maxShort4AVX2}, firstRunsAVX2, stripMaxAVX2},
	"avx512": {maxRunsAVX512, []func(y, x *uint32, groups, n int){maxShort1AVX512, maxShort2AVX512}, firstRunsAVX512, stripMaxAVX512},
}

func init() {
	scratch(func(o op.ArgMax, in []op.Type, _ int) int { return in[0].Len() / max(1, in[0].At(int(o.Axis))) })
	for family, s := range maxSets {
		twin(family, func(o op.AMax, in []op.Type) kernel {
			lead, n, inner, _ := summed(op.Sum{Axes: op.List(int(o.Axis))}, in[0].Shape)
			return func(_ *workspace, out, in []op.Tensor) {
				if inner == 1 {
					s.contiguous(out[0].W, in[0].W, n)
					return
				}
				for i := range lead {
					s.across(out[0].W[i*inner:(i+1)*inner], in[0].W[i*n*inner:(i+1)*n*inner])
				}
			}
		})
		twin(family, func(o op.ArgMax, in []op.Type) kernel {
			lead, n, inner, _ := summed(op.Sum{Axes: op.List(int(o.Axis))}, in[0].Shape)
			if inner != 1 {
				return nil
			}
			return func(w *workspace, out, in []op.Tensor) {
				if lead == 0 {
					return
				}
				m := w.Words(lead)
				s.contiguous(m, in[0].W, n)
				s.first(&out[0].W[0], &in[0].W[0], &m[0], lead, n)
			}
		})
	}
}

// contiguous sets y to the maximum of each run of n > 0 elements of x.
func (s *maxSet) contiguous(y, x []uint32, n int) {
	const longest = 32 // elements of a run that the kernels of short ones take
	if lanes := longest / len(s.short); n <= longest && len(y) >= lanes {
		groups := len(y) / lanes
		s.short[(n-1)/lanes](&y[0], &x[0], groups, n)
		y, x = y[groups*lanes:], x[groups*lanes*n:]
	}
	if len(y) > 0 {
		s.runs(&y[0], &x[0], len(y), n)
	}
}

// across sets y to the maxima of the columns of x [rows, len(y)].
func (s *maxSet) across(y, x []uint32) {
	if len(y) == 0 {
		return
	}
	for x = x[copy(y, x):]; len(x) > 0; x = x[len(y):] {
		s.rows(&y[0], &y[0], &x[0], len(y))
	}
}
