package gpu

import "lockstep/op"

// perBlock is the number of words that a block of an elementwise kernel covers: see cuda/elementwise.cuh.
const perBlock = 1024

// elementwise is a plan of one launch of a kernel that works on each word of a result by itself.
func elementwise(name string, out op.Type, args func(out, in []view) argument) *plan {
	return one(name, blocks(out.Words(), perBlock), 256, args)
}

// maxWords is the most words of an array for kernels that count them in 32 bits; larger ones have no kernel.
const maxWords = 1<<31 - perBlock

// small tells whether all arrays have at most maxWords words.
func small(types ...[]op.Type) bool {
	for _, list := range types {
		for _, t := range list {
			if t.Words() > maxWords {
				return false
			}
		}
	}
	return true
}

// around views s as [outer, n, inner] along an axis.
func around(s op.Shape, axis int8) (outer, n, inner uint32) {
	outer, inner = 1, 1
	for i := range int(axis) {
		outer *= uint32(s.At(i))
	}
	for i := int(axis) + 1; i < int(s.Rank); i++ {
		inner *= uint32(s.At(i))
	}
	return outer, uint32(s.At(int(axis))), inner
}
