package gpu

import (
	"reflect"
	"unsafe"

	"lockstep/op"
)

// view is where the array of a value lies on the device: View of cuda/kernel.cuh.
type view struct {
	base   uint64 // device address of slot 0
	slot   uint64 // device address of u32[slots of the launch]; 0: a launch's own slot
	stride uint64 // words from one slot to the next; 0: all slots share one
}

// plan is how a node runs: its launches, one after the other, and the words of scratch that they need for each slot.
type plan struct {
	launches []launch
	scratch  int
}

// launch is one kernel at work. The grid is x by slots by z blocks.
type launch struct {
	kernel string // its name in cuda/
	x, z   int
	block  int // threads
	shared int // bytes of dynamic shared memory
	cells  int // slots that a block does; 0: one
	// args makes the kernel's argument, see bytesOf.
	args func(at places) argument
}

// places are where a node's results, operands and scratch lie, each in so many slots.
type places struct {
	out, in []view
	scratch view
	slots   int
}

// maker plans a node from the types of its operands and results; nil: there is no kernel for these.
type maker func(o op.Op, in, out []op.Type) *plan

// kernels holds the makers: one entry for each kind of op, from the file that is named as its law.
var kernels = map[reflect.Type]maker{}

// kernel registers the maker of a kind of op.
func kernel[T op.Op](make func(o T, in, out []op.Type) *plan) struct{} {
	kernels[reflect.TypeFor[T]()] = func(o op.Op, in, out []op.Type) *plan { return make(o.(T), in, out) }
	return struct{}{}
}

// one is a plan of a single launch without scratch: x blocks of the given threads.
func one(name string, x, block int, args func(out, in []view) argument) *plan {
	return &plan{launches: []launch{{kernel: name, x: x, z: 1, block: block, args: func(at places) argument { return args(at.out, at.in) }}}}
}

// argument is what a kernel is launched with: the struct, for who reads an error, and its memory.
type argument struct {
	fields any
	bytes  []byte
}

// bytesOf makes a kernel's argument of a struct of views, uint64, uint32, int32 and float32, without padding that C would place
// otherwise (a test compares the sizes with the kernels' own).
func bytesOf[T any](a T) argument {
	return argument{a, memory([]T{a})}
}

// memory is a copy of the memory of values such as bytesOf takes.
func memory[T any](a []T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a))), len(a)*int(unsafe.Sizeof(*new(T))))...)
}

// blocks is the number of blocks of n threads that cover words.
func blocks(words, n int) int { return (words + n - 1) / n }
