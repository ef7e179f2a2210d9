package cpu

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"lockstep/op"
)

// A kernel computes out from in for one cell, with the bits of the op's law. The slices that it gets stay the caller's.
type kernel func(w *workspace, out, in []op.Tensor)

// Law is the variant of an op without a twin: the law itself.
const Law = "law"

// variants are the families of twins, the preferred first. A family that the machine lacks is not available; Law is last and always
// there. A family of instructions runs by default only if a full run of the tests on a CPU that has them is on record: machines
// differ, and CI's may lack it.
var variants = []struct {
	name      string
	available bool
	record    string // under bench/results, made by make cpu-record; "": none yet, so it runs only when it is asked for
}{
	{"vbmi", hasVBMI, "2026-11-29-AMD-EPYC-vbmi.txt"},
	{"vnni", hasVNNI, "2026-11-29-AMD-EPYC-vbmi.txt"},
	{"avx512", hasAVX512, "2026-11-29-AMD-EPYC-vbmi.txt"},
	{"avx2", hasAVX2, "2026-11-29-AMD-EPYC-vbmi.txt"},
	{"go", hasGo, always}, // plain Go loops; absent from a purego build, in which the laws stand alone
	{Law, true, always},
}

// always is said of families that need nothing of the CPU.
const always = "always"

// Variants lists the families of twins that this build has for this machine, the preferred first; the last is Law.
func Variants() (names []string) {
	for _, v := range variants {
		if v.available {
			names = append(names, v.name)
		}
	}
	return names
}

// Defaults lists those that an engine uses if it is not told which.
func Defaults() (names []string) {
	for _, v := range variants {
		if v.available && v.record != "" {
			names = append(names, v.name)
		}
	}
	return names
}

// twins holds, for each kind of op, the kernels that were registered for it: family -> maker.
var twins = map[reflect.Type]map[string]func(o op.Op, in []op.Type) kernel{}

// twin registers, for the ops of kind O, a family's maker. The maker returns the kernel for this very op value and these
// operand types, or nil where it does not serve them. Each twin is registered in its own file.
func twin[O op.Op](family string, makeKernel func(o O, in []op.Type) kernel) {
	kind := reflect.TypeFor[O]()
	if twins[kind] == nil {
		twins[kind] = map[string]func(op.Op, []op.Type) kernel{}
	}
	if twins[kind][family] != nil {
		panic(fmt.Sprintf("cpu: a second %s twin of %s", family, kind))
	}
	twins[kind][family] = func(o op.Op, in []op.Type) kernel { return makeKernel(o.(O), in) }
}

// scratches holds, by kind of op, how many words of a workspace its kernels take at most.
var scratches = map[reflect.Type]func(o op.Op, in []op.Type, cells int) int{}

// scratch registers what kernels of kind O take of a workspace at most, in words: a plan counts it, and workers have it from the
// beginning. cells is how many cells a joint kernel works for. Where several files register, the largest counts; kinds without are
// those that take nothing.
func scratch[O op.Op](words func(o O, in []op.Type, cells int) int) {
	kind := reflect.TypeFor[O]()
	before := scratches[kind]
	scratches[kind] = func(o op.Op, in []op.Type, cells int) int {
		n := words(o.(O), in, cells) + rounding
		if before != nil {
			n = max(n, before(o, in, cells))
		}
		return n
	}
}

// rounding is what a dozen calls of Words add by giving whole lines.
const rounding = 12 * 16

// pick chooses the kernel of an op: that of the first allowed family that has one, else the law. It returns its family.
func pick(o op.Op, in []op.Type, allowed []string) (kernel, string) {
	for _, v := range variants {
		if !v.available || !slices.Contains(allowed, v.name) {
			continue
		}
		if f := twins[reflect.TypeOf(o)][v.name]; f != nil {
			if k := f(o, in); k != nil {
				return k, v.name
			}
		}
	}
	return func(_ *workspace, out, in []op.Tensor) { o.Law(out, in) }, Law
}

// checkVariants refuses families that this build or machine lacks.
func checkVariants(names []string) error {
	for _, n := range names {
		if !slices.Contains(Variants(), n) {
			return fmt.Errorf("cpu: no variant %q in this build on this machine; there are %s", n, strings.Join(Variants(), ", "))
		}
	}
	return nil
}

// workspace is a thread's scratch memory for kernels.
type workspace struct {
	buf  []uint32
	used int

	crew   *crew        // of the run at hand; nil: nobody helps
	member int          // of the crew
	spaces []*workspace // by member
	part   bool         // it is at work on a part, which is not cut again

	planned bool // buf has the size that a plan counts

	places map[*bands]*bandPlace // where it computes bands

	tensors []op.Tensor // operands and results of kernels that a kernel calls: such slices would escape from its stack
}

// outgrown is told, in tests, of a workspace that needs more words than it was planned to.
var outgrown func(needed, planned int)

// newWorkspace is a workspace of a planned size.
func newWorkspace(words int) *workspace {
	w := &workspace{}
	w.Words(words)
	w.reset()
	w.planned = true
	return w
}

// Work is counted in multiply-adds of the vector kernels, some 2^36 a second. Tests cut less.
var (
	worthSplitting = 1 << 18 // for a part: a dozen times what it costs to hand it over
	worthCalling   = 1 << 21 // for all parts: to wake a thread takes longer than to hand it something
)

const (
	partsEach   = 2 // for a thread: one that comes late, or loses its processor, has fewer
	elementWork = 8 // of an elementwise operation, on an element in the nearest cache
)

// splits tells whether so much work would be cut into parts.
func (w *workspace) splits(work int) bool {
	return work >= 2*worthSplitting && w.crew != nil && !w.part && w.crew.free() > 0
}

// split runs f on parts of [0, n) that begin at multiples of step: on this thread, and on those that have no cell if the work is worth it.
func (w *workspace) split(n, step, work int, f func(w *workspace, from, to int)) {
	parts := 1
	if w.splits(work) {
		parts = min((n+step-1)/step, work/worthSplitting, partsEach*(1+w.crew.free()), mostParts)
	}
	if parts <= 1 { // or threads found cells in between
		f(w, 0, n)
		return
	}
	w.share(n, step, parts, work >= worthCalling, f)
}

func (w *workspace) share(n, step, parts int, call bool, f func(w *workspace, from, to int)) {
	steps, c := (n+step-1)/step, w.crew
	at := func(i int) int { return min(n, steps*i/parts*step) }
	job := &c.kernels[w.member]
	job.offer(parts, c.threads, func(member, i int) {
		s := w.spaces[member]
		mark := s.used
		s.part = true
		f(s, at(i), at(i+1))
		s.used, s.part = mark, false
	})
	if call {
		c.callSome(min(parts-1, c.free(), runtime.GOMAXPROCS(0)-1))
	}
	job.finish(w.member, parts, func() bool { return false })
}

// Words hands out n words of undefined content, aligned to 64 bytes, until the kernel returns.
func (w *workspace) Words(n int) []uint32 {
	const line = 16 // words of 64 bytes
	whole := (n + line - 1) / line * line
	if w.used+whole > len(w.buf) {
		if outgrown != nil && w.planned {
			outgrown(w.used+whole, len(w.buf))
		}
		// What was handed out before stays valid: the old buffer lives as long as its slices.
		size := max(2*len(w.buf), whole)
		buf := make([]uint32, size+line)
		skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))/4) & (line - 1)
		w.buf, w.used = buf[skip:skip+size], 0
	}
	from := w.used
	w.used += whole
	return w.buf[from : from+n : from+n]
}

// tensorsOf hands out n tensors of undefined content, until the next call.
func (w *workspace) tensorsOf(n int) []op.Tensor {
	if n > len(w.tensors) {
		w.tensors = make([]op.Tensor, n)
	}
	return w.tensors[:n]
}

// reset takes everything back.
func (w *workspace) reset() { w.used = 0 }

// floats views words as float32.
func floats(w []uint32) []float32 { return op.Tensor{W: w}.F() }

// Has lists the variants that an op has on this machine, the preferred first; the last is Law. A twin may still decline
// some shapes: Executable.Kernels says what runs.
func Has(o op.Op) (names []string) {
	for _, v := range Variants() {
		maker := twins[reflect.TypeOf(o)][v]
		if m, ok := o.(op.Mapper); ok && maker != nil {
			maker = elementwise(maker, m) // rows of one table share a kind: ask for this one
		}
		if v == Law || maker != nil {
			names = append(names, v)
		}
	}
	return names
}

// elementwise is the maker if it serves the op on vectors, else nil.
func elementwise(maker func(op.Op, []op.Type) kernel, m op.Mapper) func(op.Op, []op.Type) kernel {
	if maker(m, slices.Repeat([]op.Type{op.T(op.F32, op.Cell, 64)}, m.Arity())) == nil {
		return nil
	}
	return maker
}
