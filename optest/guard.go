package optest

import (
	"fmt"
	"unsafe"

	"lockstep/op"
)

// poison fills the words round a guarded tensor: a NaN, so that a stray read shows, of a payload that no law stores.
const poison uint32 = 0x7fdead01

// band is the number of poisoned words on each side where there are no guard pages.
const band = 80

// Guarded is a tensor in memory of its own, in which a kernel that reads or writes outside of it is found out: the words round
// it are poisoned, and where the system allows it the page behind its last word cannot be touched at all.
type Guarded struct {
	op.Tensor
	all    []uint32
	from   int
	before []uint32 // what the tensor's words were
	free   func()
}

// Guard makes a guarded copy of t. Its first word lies on a multiple of 4 bytes and, with flush false, on no multiple of 8;
// with flush true its last word lies flush against a page that cannot be touched. Free it with Close.
func Guard(t op.Tensor, flush bool) (*Guarded, error) {
	g := &Guarded{free: func() {}}
	n := len(t.W)
	if flush {
		pages, free, err := fenced(4 * n)
		if err != nil {
			return nil, fmt.Errorf("guard pages for %d words: %w", n, err)
		}
		g.all, g.free = unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(pages))), len(pages)/4), free
		g.from = len(g.all) - n
	} else {
		g.all = make([]uint32, n+2*band+1)
		g.from = band
		if uintptr(unsafe.Pointer(&g.all[g.from]))%8 == 0 {
			g.from++
		}
	}
	for i := range g.all {
		g.all[i] = poison
	}
	g.Tensor = op.Tensor{Type: t.Type, W: g.all[g.from : g.from+n : g.from+n]}
	copy(g.W, t.W)
	g.before = append([]uint32(nil), t.W...)
	return g, nil
}

// Close gives the memory back; the tensor must not be used after it.
func (g *Guarded) Close() { g.free() }

// Poisoned fills the tensor itself, as what a kernel has to overwrite.
func (g *Guarded) Poisoned() {
	for i := range g.W {
		g.W[i] = poison
	}
}

// Broken says which word outside of the tensor was written to; it is empty where none was.
func (g *Guarded) Broken() string {
	for i, w := range g.all {
		if at := i - g.from; w != poison && (at < 0 || at >= len(g.W)) {
			return fmt.Sprintf("word %d of a tensor of %d was overwritten with %08x", at, len(g.W), w)
		}
	}
	return ""
}

// Changed says which word of the tensor is not what it was; it is empty where all are.
func (g *Guarded) Changed() string {
	for i, w := range g.W {
		if w != g.before[i] {
			return fmt.Sprintf("word %d was %08x and is %08x", i, g.before[i], w)
		}
	}
	return ""
}
