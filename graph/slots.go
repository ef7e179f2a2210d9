package graph

import (
	"fmt"
	"maps"
	"slices"

	"lockstep/op"
)

// Slots says which slot of each domain a cell of a pack uses, and which cell speaks for a slot: the first that uses it. It
// holds what every engine checks of a pack's groups and of the arguments of Put, Read and Write.
type Slots struct {
	of       map[op.Domain][]int // [cells]
	speakers map[op.Domain][]int // [slots]
}

// NewSlots checks the groups of a pack. Errors: no cell; a group of another number of cells, with a negative slot, or with a
// slot that no cell uses.
func NewSlots(cells int, groups Groups) (*Slots, error) {
	if cells < 1 {
		return nil, fmt.Errorf("a pack of %d cells; want at least 1", cells)
	}
	own := make([]int, cells)
	for c := range own {
		own[c] = c
	}
	s := &Slots{map[op.Domain][]int{op.Shared: make([]int, cells), op.Cell: own}, map[op.Domain][]int{}}
	for d, of := range groups {
		switch {
		case d == op.Shared || d == op.Cell:
			return nil, fmt.Errorf("%s is no group of cells", d)
		case len(of) != cells:
			return nil, fmt.Errorf("group %q has %d entries for %d cells", d, len(of), cells)
		case slices.Min(of) < 0:
			return nil, fmt.Errorf("group %q has a negative slot", d)
		}
		s.of[d] = slices.Clone(of)
	}
	for d, of := range s.of {
		most := slices.Max(of)
		speakers := slices.Repeat([]int{-1}, min(most, cells)+1) // of more slots than cells one is not used
		for cell, slot := range of {
			if slot < len(speakers) && speakers[slot] < 0 {
				speakers[slot] = cell
			}
		}
		if slot := slices.Index(speakers, -1); slot >= 0 {
			return nil, fmt.Errorf("group %q uses slots up to %d, but no cell uses slot %d", d, most, slot)
		}
		s.speakers[d] = speakers
	}
	return s, nil
}

// Of is the slot of each cell in a domain; nil when the pack has no such group.
func (s *Slots) Of(d op.Domain) []int { return s.of[d] }

// Speakers is the cell that speaks for each slot of a domain.
func (s *Slots) Speakers(d op.Domain) []int { return s.speakers[d] }

// Domains lists the domains of the pack, in order.
func (s *Slots) Domains() []op.Domain { return slices.Sorted(maps.Keys(s.of)) }

// Count is the number of slots of a domain. Error: the pack has no such group.
func (s *Slots) Count(d op.Domain) (int, error) {
	if speakers, ok := s.speakers[d]; ok {
		return len(speakers), nil
	}
	return 0, fmt.Errorf("the pack has no group %q", d)
}

// CheckPut checks the arguments of Put; has is the type that the array is bound as, nil if it is new.
func (s *Slots) CheckPut(name string, has *op.Type, t op.Type, slot, bytes int) error {
	n, err := s.Count(t.Domain)
	switch {
	case err != nil:
		return fmt.Errorf("array %q: %w", name, err)
	case has != nil && *has != t:
		return fmt.Errorf("array %q is %s; it cannot be bound as %s", name, *has, t)
	case slot < 0 || slot >= n:
		return fmt.Errorf("array %q has %d slots; there is no slot %d", name, n, slot)
	case bytes != 4*t.Words():
		return fmt.Errorf("array %q, %s, takes %d bytes; got %d", name, t, 4*t.Words(), bytes)
	}
	return nil
}

// Find checks the arguments of Read and Write, and is the slot that the cell uses; has is the array's type, nil if there is none.
func (s *Slots) Find(name string, has *op.Type, cell, bytes int) (slot int, err error) {
	switch cells := len(s.of[op.Cell]); {
	case has == nil:
		return 0, fmt.Errorf("the pack has no array %q", name)
	case cell < 0 || cell >= cells:
		return 0, fmt.Errorf("the pack has %d cells; there is no cell %d", cells, cell)
	case bytes != 4*has.Words():
		return 0, fmt.Errorf("array %q, %s, takes %d bytes; the buffer has %d", name, *has, 4*has.Words(), bytes)
	}
	return s.of[has.Domain][cell], nil
}

// Each checks the arguments of ReadAll, and is the bytes of a cell's array; has is the array's type, nil if there is none.
func (s *Slots) Each(name string, has *op.Type, bytes int) (each int, err error) {
	switch cells := len(s.of[op.Cell]); {
	case has == nil:
		return 0, fmt.Errorf("the pack has no array %q", name)
	case bytes != 4*cells*has.Words():
		return 0, fmt.Errorf("array %q, %s, takes %d bytes for %d cells; the buffer has %d", name, *has, 4*cells*has.Words(), cells, bytes)
	}
	return 4 * has.Words(), nil
}

// Stride is the distance of two slots of an array in words: each starts on a multiple of 64 bytes.
func Stride(t op.Type) int { return (t.Words() + 15) / 16 * 16 }
