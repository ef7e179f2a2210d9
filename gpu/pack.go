package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// pack owns the named arrays and what its programs compute once.
type pack struct {
	e       *Engine
	cells   int
	slots   *graph.Slots
	arrays  map[string]*array
	maps    map[[2]op.Domain]uint64 // device address of u32[slots of the first]: their slots in the second
	regions []uint64                // to free
	planned bool                    // only laid out: arrays that are missing count as bound, and nothing is allocated
}

// array holds one tensor for each slot of its domain.
type array struct {
	op.Type
	base    uint64
	version graph.Version
}

func (a *array) at(slot int) uint64 { return a.base + 4*uint64(slot)*uint64(graph.Stride(a.Type)) }

// NewPack makes a pack without arrays.
func (e *Engine) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	s, err := slotsOf(cells, groups)
	if err != nil {
		return nil, err
	}
	return newPack(e, cells, s), nil
}

func newPack(e *Engine, cells int, s *graph.Slots) *pack {
	return &pack{e: e, cells: cells, slots: s, arrays: map[string]*array{}, maps: map[[2]op.Domain]uint64{}}
}

// arena places arrays side by side in one region of device memory.
type arena struct {
	bytes int64
	at    []placed
}

type placed struct {
	offset, words int64
	to            *uint64
}

// place reserves words and has their address written to `to` when the region is there.
func (a *arena) place(words int64, to *uint64) {
	a.at = append(a.at, placed{a.bytes, words, to})
	a.bytes += granules(words)
}

// granules is the bytes that words take: arrays start on multiples of 256 bytes.
func granules(words int64) int64 { return (4*words + 255) / 256 * 256 }

// settle allocates the region. Arrays start as zeros. It runs on the device's thread.
func (p *pack) settle(a *arena) error {
	if p.e.blocking { // each array by itself, and no longer than it is: a stray access meets no other array
		for _, x := range a.at {
			if x.words == 0 {
				continue
			}
			if err := p.region(4*x.words, []placed{{to: x.to}}); err != nil {
				return err
			}
		}
		return nil
	}
	if a.bytes == 0 {
		return nil
	}
	return p.region(a.bytes, a.at)
}

// region allocates bytes, which start as zeros, for the arrays at.
func (p *pack) region(bytes int64, at []placed) error {
	base, err := p.e.dev.alloc(bytes)
	if err != nil {
		err = fmt.Errorf("%.3f MB for %d arrays: %w", megabytes(bytes), len(at), err)
		if free, e := p.e.dev.available(); e == nil {
			err = fmt.Errorf("%w; %.3f of the card's %.1f MB are free", err, megabytes(free), megabytes(p.e.info.Memory))
		}
		return err
	}
	p.regions = append(p.regions, base)
	for _, x := range at {
		*x.to = base + uint64(x.offset)
	}
	return p.e.dev.clear(base, bytes)
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// newArray reserves an array in the arena.
func (p *pack) newArray(a *arena, t op.Type) (*array, error) {
	n, err := p.slots.Count(t.Domain)
	if err != nil {
		return nil, err
	}
	x := &array{Type: t}
	a.place(p.arrayWords(n, t), &x.base)
	return x, nil
}

// arrayWords is what an array of n slots reserves. Where every launch is waited for, it ends with its last word, and not with the
// room up to a next slot: a stray access to the word behind it meets no memory.
func (p *pack) arrayWords(n int, t op.Type) int64 {
	words := int64(n) * int64(graph.Stride(t))
	if p.e.blocking && n > 0 {
		words -= int64(graph.Stride(t) - t.Words())
	}
	return words
}

func (p *pack) Put(name string, t op.Type, slot int, src []byte) error {
	a := p.arrays[name]
	err := p.slots.CheckPut(name, a.typ(), t, slot, len(src))
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return p.e.do(func() error {
		if a == nil {
			var region arena
			if a, err = p.newArray(&region, t); err == nil {
				err = p.settle(&region)
			}
			if err != nil {
				return fmt.Errorf("array %q: %w", name, err)
			}
			p.arrays[name] = a
		}
		return p.set(a, slot, src)
	})
}

// set replaces a slot. NaNs become the canonical one.
func (p *pack) set(a *array, slot int, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if a.DType == op.F32 {
		w := make([]uint32, len(src)/4)
		op.PutWords(w, src)
		op.Canonical(w)
		src = op.Bytes(w)
	}
	a.version++
	return p.e.stage.write(a.at(slot), src)
}

// typ is the array's type; nil of no array.
func (a *array) typ() *op.Type {
	if a == nil {
		return nil
	}
	return &a.Type
}

// find is a cell's array, checked against a buffer of the given length.
func (p *pack) find(name string, cell, bytes int) (a *array, slot int, err error) {
	a = p.arrays[name]
	if slot, err = p.slots.Find(name, a.typ(), cell, bytes); err != nil {
		err = fmt.Errorf("cuda: %w", err)
	}
	return a, slot, err
}

func (p *pack) Read(name string, cell int, dst []byte) error {
	a, slot, err := p.find(name, cell, len(dst))
	if err != nil || len(dst) == 0 {
		return err
	}
	return p.e.do(func() error { return p.e.stage.read(dst, a.at(slot)) })
}

func (p *pack) ReadAll(name string, dst []byte) error {
	a := p.arrays[name]
	each, err := p.slots.Each(name, a.typ(), len(dst))
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if each == 0 {
		return nil
	}
	slots := p.slots.Of(a.Domain)
	all := make([]byte, 4*p.arrayWords(1+slices.Max(slots), a.Type)) // with the room between slots
	if err := p.e.do(func() error { return p.e.stage.read(all, a.base) }); err != nil {
		return err
	}
	for cell, slot := range slots {
		copy(dst[cell*each:(cell+1)*each], all[4*slot*graph.Stride(a.Type):])
	}
	return nil
}

func (p *pack) Write(name string, cell int, src []byte) error {
	a, slot, err := p.find(name, cell, len(src))
	if err != nil {
		return err
	}
	return p.e.do(func() error { return p.set(a, slot, src) })
}

func (p *pack) Close() error {
	regions := p.regions
	p.regions, p.arrays = nil, nil
	if len(regions) == 0 {
		return nil
	}
	return p.e.do(func() error {
		err := p.e.sync() // a driver frees at once
		for _, r := range regions {
			err = errors.Join(err, p.e.dev.free(r))
		}
		return err
	})
}

// slotMap is the device address of the slots that an array of domain of has for the slots of a launch over domain over; 0
// where they are the same.
func (p *pack) slotMap(over, of op.Domain) (uint64, error) {
	if over == of {
		return 0, nil
	}
	key := [2]op.Domain{over, of}
	if at, ok := p.maps[key]; ok {
		return at, nil
	}
	var b []byte
	for _, cell := range p.slots.Speakers(over) {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.slots.Of(of)[cell]))
	}
	var region arena
	var at uint64
	region.place(int64(len(b)/4), &at)
	if err := p.settle(&region); err != nil {
		return 0, err
	}
	if err := p.e.stage.write(at, b); err != nil {
		return 0, err
	}
	p.maps[key] = at
	return at, nil
}

// mostSlotMaps is the bytes of all slot maps that launches could ask for.
func (p *pack) mostSlotMaps() (bytes int64) {
	for _, over := range p.slots.Domains() {
		for _, of := range p.slots.Domains() {
			if of != op.Shared && of != over {
				bytes += granules(int64(len(p.slots.Speakers(over))))
			}
		}
	}
	return bytes
}
