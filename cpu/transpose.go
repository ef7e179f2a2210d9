//go:build !purego

package cpu

import (
	"slices"
	"unsafe"

	"lockstep/op"
)

func init() {
	twin("go", func(o op.Transpose, in []op.Type) kernel { return transpose(o, in[0].Shape, transposeWords) })
}

// axis is an axis of a transposed tensor: its size, and the distances in words between neighbours in the operand and in the result.
type axis struct{ n, from, to int }

// tile is a transposition of two axes: y[j*to + i] = x[i*from + j] for i < rows, j < cols.
type tile = func(y, x []uint32, rows, cols, from, to int)

// transpose is the kernel of Transpose for a shape. Axes that stay side by side are one axis. If the last axis stays the last, runs are
// copied; else it and the operand's last axis make matrices that are transposed.
func transpose(o op.Transpose, s op.Shape, swap tile) kernel {
	axes := transposedAxes(o, s)
	if len(axes) == 0 || s.Len() == 0 {
		return func(_ *workspace, out, in []op.Tensor) { copy(out[0].W, in[0].W) }
	}
	rows := axes[len(axes)-1] // of the operand's matrix; to is 1
	axes = axes[:len(axes)-1]
	if rows.from == 1 && len(axes) > 0 {
		inner := axes[len(axes)-1]
		axes = axes[:len(axes)-1]
		return cutPlaces(axes, func(y, x []uint32) { copyRuns(y, x, rows.n, inner) })
	}
	move := func(y, x []uint32) { copy(y[:rows.n], x) }
	if rows.from != 1 {
		q := 0
		for axes[q].from != 1 {
			q++
		}
		cols := axes[q]
		axes = append(axes[:q:q], axes[q+1:]...)
		move = func(y, x []uint32) { swap(y, x, rows.n, cols.n, rows.from, cols.to) }
	}
	return cutPlaces(axes, move)
}

// cutPlaces is the kernel that calls f for every place along the axes, of which parts of the first are cut off.
func cutPlaces(axes []axis, f func(y, x []uint32)) kernel {
	if len(axes) == 0 {
		return func(_ *workspace, out, in []op.Tensor) { f(out[0].W, in[0].W) }
	}
	const work = 2 * elementWork // for an element: it comes from beyond the nearest cache, and goes there
	return func(w *workspace, out, in []op.Tensor) {
		if !w.splits(len(in[0].W) * work) {
			eachPlace(axes, out[0].W, in[0].W, f)
			return
		}
		w.split(axes[0].n, 1, len(in[0].W)*work, func(_ *workspace, from, to int) {
			some := slices.Clone(axes)
			some[0].n = to - from
			eachPlace(some, out[0].W[from*axes[0].to:], in[0].W[from*axes[0].from:], f)
		})
	}
}

// halfLine is what the compiler moves by registers, and not by a call, as it does arrays.
type halfLine struct{ a, b, c, d uint64 }

// copyRuns copies runs of n words along an axis. Those of few cache lines, such as an attention head's columns often are, are moved without a call.
func copyRuns(y, x []uint32, n int, a axis) {
	const half = 8
	if n%half != 0 || n > 16*half {
		for i := range a.n {
			copy(y[i*a.to:i*a.to+n], x[i*a.from:i*a.from+n])
		}
		return
	}
	for i := range a.n {
		to, from := y[i*a.to:i*a.to+n], x[i*a.from:i*a.from+n]
		for ; len(to) >= half && len(from) >= half; to, from = to[half:], from[half:] {
			*(*halfLine)(unsafe.Pointer(unsafe.SliceData(to))) = *(*halfLine)(unsafe.Pointer(unsafe.SliceData(from)))
		}
	}
}

// eachPlace calls f for every place along the axes.
func eachPlace(axes []axis, y, x []uint32, f func(y, x []uint32)) {
	if len(axes) == 0 {
		f(y, x)
		return
	}
	for i := range axes[0].n {
		eachPlace(axes[1:], y[i*axes[0].to:], x[i*axes[0].from:], f)
	}
}

// transposedAxes lists the axes of the result but those of size 1. Neighbours that are neighbours in the operand are joined.
func transposedAxes(o op.Transpose, s op.Shape) (axes []axis) {
	from := make([]int, s.Rank)
	for d, n := int(s.Rank)-1, 1; d >= 0; d-- {
		from[d] = n
		n *= s.At(d)
	}
	for _, p := range o.Perm.Slice() {
		a := axis{n: s.At(p), from: from[p]}
		if a.n == 1 {
			continue
		}
		if last := len(axes) - 1; last >= 0 && axes[last].from == a.n*a.from {
			axes[last] = axis{n: axes[last].n * a.n, from: a.from}
		} else {
			axes = append(axes, a)
		}
	}
	for i, n := len(axes)-1, 1; i >= 0; i-- {
		axes[i].to = n
		n *= axes[i].n
	}
	return axes
}

// transposeWords goes by blocks, so that the lines of both sides stay in the L1 cache.
func transposeWords(y, x []uint32, rows, cols, from, to int) {
	const block = 16 // words of a cache line
	for i := 0; i < rows; i += block {
		for j := 0; j < cols; j += block {
			for c := j; c < min(j+block, cols); c++ {
				line := y[c*to+i : c*to+min(i+block, rows)]
				for r := range line {
					line[r] = x[(i+r)*from+c]
				}
			}
		}
	}
}
