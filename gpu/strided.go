package gpu

import "lockstep/op"

// axes is Axes of cuda/strided.cuh: how the elements of an array, counted in row-major order, lie in memory, by axis, the last
// one first.
type axes struct {
	n           uint32
	dim, stride [op.MaxRank]uint32
}

// add puts an axis before those that are there. An axis that goes on where they end is joined to them; one of size 1 is none.
func (a *axes) add(dim, stride int) {
	if dim == 1 {
		return
	}
	if n := a.n; n > 0 && uint64(a.stride[n-1])*uint64(a.dim[n-1]) == uint64(stride) {
		a.dim[n-1] *= uint32(dim)
		return
	}
	a.dim[a.n], a.stride[a.n] = uint32(dim), uint32(stride)
	a.n++
}

// strides are the words from one place to the next along each axis of a contiguous array.
func strides(s op.Shape) []int {
	st := make([]int, s.Rank)
	n := 1
	for d := len(st) - 1; d >= 0; d-- {
		st[d] = n
		n *= s.At(d)
	}
	return st
}

type stridedArgs struct {
	out, x view
	axes   axes
	words  uint32
}

// strided is a plan that copies by a stride of the operand for each axis of the result. Nil: more than 2^31 words.
func strided(name string, in, out []op.Type, stride func(axis int) int) *plan {
	if !small(in, out) {
		return nil
	}
	var a axes
	for d := int(out[0].Rank) - 1; d >= 0; d-- {
		a.add(out[0].At(d), stride(d))
	}
	return elementwise(name, out[0], func(o, in []view) argument {
		return bytesOf(stridedArgs{o[0], in[0], a, uint32(out[0].Words())})
	})
}
