package cpu

import (
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

// pack owns the named arrays.
type pack struct {
	engine *Engine
	cells  int
	slots  *slots
	arrays map[string]*array
}

// array holds one tensor for each slot of its domain, each on its own cache lines.
type array struct {
	op.Type
	w       []uint32 // [slots, stride]
	version uint64   // counts the changes, so that what depends on the array knows when it is stale
}

// stride is the distance of two slots in words.
func stride(t op.Type) int { return (t.Words() + 15) / 16 * 16 }

func (a *array) at(slot int) op.Tensor {
	from := slot * stride(a.Type)
	return op.Tensor{Type: a.Type, W: a.w[from : from+a.Words() : from+a.Words()]}
}

// NewPack makes a pack without arrays.
func (e *Engine) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	s, err := slotsOf(cells, groups)
	if err != nil {
		return nil, err
	}
	return &pack{e, cells, s, map[string]*array{}}, nil
}

func (p *pack) alloc(t op.Type) (*array, error) {
	n, err := p.slots.count(t.Domain)
	if err != nil {
		return nil, err
	}
	return &array{Type: t, w: make([]uint32, n*stride(t))}, nil
}

func (p *pack) Put(name string, t op.Type, slot int, src []byte) error {
	n, err := p.slots.count(t.Domain)
	if err != nil {
		return fmt.Errorf("array %q: %w", name, err)
	}
	a := p.arrays[name]
	switch {
	case a != nil && a.Type != t:
		return fmt.Errorf("cpu: array %q is %s; it cannot be bound as %s", name, a.Type, t)
	case slot < 0 || slot >= n:
		return fmt.Errorf("cpu: array %q has %d slots; there is no slot %d", name, n, slot)
	case len(src) != 4*t.Words():
		return fmt.Errorf("cpu: array %q, %s, takes %d bytes; got %d", name, t, 4*t.Words(), len(src))
	}
	if a == nil {
		if a, err = p.alloc(t); err != nil {
			return err
		}
		p.arrays[name] = a
	}
	a.set(slot, src)
	return nil
}

func (a *array) set(slot int, src []byte) {
	w := a.at(slot).W
	op.PutWords(w, src)
	if a.DType == op.F32 {
		op.Canonical(w)
	}
	a.version++
}

// find is the tensor of a cell's array, checked against a buffer of the given length.
func (p *pack) find(name string, cell, bytes int) (a *array, slot int, err error) {
	a = p.arrays[name]
	switch {
	case a == nil:
		err = fmt.Errorf("cpu: the pack has no array %q", name)
	case cell < 0 || cell >= p.cells:
		err = fmt.Errorf("cpu: the pack has %d cells; there is no cell %d", p.cells, cell)
	case bytes != 4*a.Words():
		err = fmt.Errorf("cpu: array %q, %s, takes %d bytes; the buffer has %d", name, a.Type, 4*a.Words(), bytes)
	default:
		slot = p.slots.of[a.Domain][cell]
	}
	return a, slot, err
}

func (p *pack) Read(name string, cell int, dst []byte) error {
	a, slot, err := p.find(name, cell, len(dst))
	if err != nil {
		return err
	}
	op.PutBytes(dst, a.at(slot).W)
	return nil
}

func (p *pack) Write(name string, cell int, src []byte) error {
	a, slot, err := p.find(name, cell, len(src))
	if err != nil {
		return err
	}
	a.set(slot, src)
	return nil
}

func (p *pack) Close() error {
	p.arrays = nil
	return nil
}
