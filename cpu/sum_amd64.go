//go:build !purego

package cpu

import "lockstep/op"

// The vector twins of Sum and Mean. Their kernels sum segments, of contiguous elements or of columns; the sums of the segments of a
// result are summed in the same way.

// sumSet is the kernels of one family.
type sumSet struct {
	runs       func(y, x *float32, runs, n int)
	short      []func(y, x *float32, groups, n int) // by the registers of a run, less one
	columns    func(y, x *float32, n, columns, stride int)
	accumulate func(y, x *float32, n int)
	divide     func(y, x, s *uint32, n int)
}

var sumSets = map[string]*sumSet{
	"avx2":   {sumRunsAVX2, []func(y, x *float32, groups, n int){sumShort1AVX2, sumShort2AVX2, sumShort3AVX2, sumShort4AVX2}, sumColumnsAVX2, accumulateAVX2, stripDivOneAVX2},
	"avx512": {sumRunsAVX512, []func(y, x *float32, groups, n int){sumShort1AVX512, sumShort2AVX512}, sumColumnsAVX512, accumulateAVX512, stripDivOneAVX512},
}

func init() {
	for family, s := range sumSets {
		twin(family, func(o op.Sum, in []op.Type) kernel { return s.sum(o, in[0].Shape) })
		twin(family, func(o op.Mean, in []op.Type) kernel { return s.mean(o, in[0].Shape) })
	}
}

// sum is the kernel of a Sum of axes that lie side by side; nil of others, and of nothing.
func (s *sumSet) sum(o op.Sum, shape op.Shape) kernel {
	lead, n, inner, ok := summed(o, shape)
	if !ok || n == 0 {
		return nil
	}
	return func(w *workspace, out, in []op.Tensor) {
		y, x := out[0].F(), in[0].F()
		if inner == 1 {
			s.contiguous(w, y, x, n)
			return
		}
		var lanes []float32
		if n*inner > streamed {
			lanes = floats(w.Words(op.Lanes * inner))
		}
		for i := range lead {
			s.across(w, y[i*inner:(i+1)*inner], x[i*n*inner:(i+1)*n*inner], lanes)
		}
		if len(lanes) > 0 {
			op.Canonical(out[0].W)
		}
	}
}

// mean divides the sum by the number of its terms.
func (s *sumSet) mean(o op.Mean, shape op.Shape) kernel {
	sum := s.sum(op.Sum(o), shape)
	if sum == nil {
		return nil
	}
	_, n, _, _ := summed(op.Sum(o), shape)
	terms := uint32(op.B(float32(n)))
	return func(w *workspace, out, in []op.Tensor) {
		sum(w, out, in)
		if y := out[0].W; len(y) > 0 {
			s.divide(&y[0], &y[0], &terms, len(y))
		}
	}
}

// contiguous sums each run of n > 0 elements of x into y. The segments of a long run are runs themselves, and so are their sums.
func (s *sumSet) contiguous(w *workspace, y, x []float32, n int) {
	if n <= op.Chunk {
		s.segments(y, x, n)
		return
	}
	parts := floats(w.Words((n + op.Chunk - 1) / op.Chunk))
	for i := range y {
		run, whole := x[i*n:(i+1)*n], n/op.Chunk
		s.segments(parts[:whole], run, op.Chunk)
		s.segments(parts[whole:], run[whole*op.Chunk:], n%op.Chunk)
		s.contiguous(w, y[i:i+1], parts, len(parts))
	}
}

// segments is contiguous for runs of at most one segment, n > 0 unless y is empty.
func (s *sumSet) segments(y, x []float32, n int) {
	if lanes := op.Lanes / len(s.short); n <= op.Lanes && len(y) >= lanes {
		groups := len(y) / lanes
		s.short[(n-1)/lanes](&y[0], &x[0], groups, n)
		y, x = y[groups*lanes:], x[groups*lanes*n:]
	}
	if len(y) > 0 {
		s.runs(&y[0], &x[0], len(y), n)
	}
}

// across sums the columns of x [rows, len(y)] into y. If it streams them, for which it needs lanes [32, len(y)], NaNs may be any.
func (s *sumSet) across(w *workspace, y, x, lanes []float32) {
	c := len(y)
	if c == 0 {
		return
	}
	segment := op.Chunk * c
	switch {
	case len(x) <= min(segment, streamed):
		s.columns(&y[0], &x[0], len(x)/c, c, c)
		return
	case len(x) <= segment:
		s.stream(y, x, lanes)
		return
	}
	n := (len(x) + segment - 1) / segment
	parts := floats(w.Words(n * c))
	w.split(n, 1, len(x)*elementWork, func(mine *workspace, from, to int) {
		own := lanes
		if mine != w && len(lanes) > 0 {
			own = floats(mine.Words(len(lanes)))
		}
		for i := from; i < to; i++ {
			s.across(mine, parts[i*c:(i+1)*c], x[i*segment:min((i+1)*segment, len(x))], own)
		}
	})
	s.across(w, y, parts, lanes)
}

// streamed is the number of words from which columns are better read row after row, as the processor fetches memory ahead, than
// lane after lane.
const streamed = 16 << 10

// stream sums the columns of a segment, all side by side: lanes hold the partial sums, and the rows of a round lie as they do.
// NaNs may be any.
func (s *sumSet) stream(y, x, lanes []float32) {
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
