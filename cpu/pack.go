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
	slots  *graph.Slots
	arrays map[string]*array
}

// array holds one tensor for each slot of its domain, each on its own cache lines.
type array struct {
	op.Type
	w       []uint32 // [slots, stride]
	version graph.Version
}

func (a *array) at(slot int) op.Tensor {
	from := slot * graph.Stride(a.Type)
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
	n, err := p.slots.Count(t.Domain)
	if err != nil {
		return nil, err
	}
	return &array{Type: t, w: make([]uint32, n*graph.Stride(t))}, nil
}

func (p *pack) Put(name string, t op.Type, slot int, src []byte) error {
	a := p.arrays[name]
	err := p.slots.CheckPut(name, a.typ(), t, slot, len(src))
	if err == nil && a == nil {
		if a, err = p.alloc(t); err == nil {
			p.arrays[name] = a
		}
	}
	if err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	a.set(slot, src)
	return nil
}

// typ is the array's type; nil of no array.
func (a *array) typ() *op.Type {
	if a == nil {
		return nil
	}
	return &a.Type
}

func (a *array) set(slot int, src []byte) {
	w := a.at(slot).W
	op.PutWords(w, src)
	if a.DType == op.F32 {
		op.Canonical(w)
	}
	a.version++
}

// find is a cell's array, checked against a buffer of the given length.
func (p *pack) find(name string, cell, bytes int) (a *array, slot int, err error) {
	a = p.arrays[name]
	if slot, err = p.slots.Find(name, a.typ(), cell, bytes); err != nil {
		err = fmt.Errorf("cpu: %w", err)
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

func (p *pack) ReadAll(name string, dst []byte) error {
	each, err := p.slots.Each(name, p.arrays[name].typ(), len(dst))
	if err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	for cell := range p.cells {
		if err := p.Read(name, cell, dst[cell*each:(cell+1)*each]); err != nil {
			return err
		}
	}
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
