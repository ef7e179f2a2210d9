package graph

import (
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

func TestSlots(t *testing.T) {
	s, err := NewSlots(3, Groups{op.Seed: {1, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Of(op.Seed), []int{1, 0, 1}) || !slices.Equal(s.Speakers(op.Seed), []int{1, 0}) || !slices.Equal(s.Speakers(op.Shared), []int{0}) || !slices.Equal(s.Of(op.Cell), []int{0, 1, 2}) {
		t.Errorf("%+v", s)
	}
	for want, f := range map[string]func() (*Slots, error){
		"at least 1":       func() (*Slots, error) { return NewSlots(0, nil) },
		"2 entries":        func() (*Slots, error) { return NewSlots(3, Groups{op.Seed: {0, 0}}) },
		"negative slot":    func() (*Slots, error) { return NewSlots(2, Groups{op.Seed: {-1, 0}}) },
		"uses slot 1":      func() (*Slots, error) { return NewSlots(2, Groups{op.Seed: {0, 2}}) },
		"no group of cell": func() (*Slots, error) { return NewSlots(1, Groups{op.Cell: {0}}) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	array, other := op.T(op.F32, op.Seed, 2), op.T(op.F32, op.Seed, 3)
	for want, err := range map[string]error{
		"no group":          s.CheckPut("a", nil, op.T(op.F32, op.Model, 2), 0, 8),
		"cannot be bound":   s.CheckPut("a", &other, array, 0, 8),
		"no slot 2":         s.CheckPut("a", &array, array, 2, 8),
		"no slot -1":        s.CheckPut("a", &array, array, -1, 8),
		"takes 8 bytes":     s.CheckPut("a", &array, array, 0, 4),
		"no array":          second(s.Find("a", nil, 0, 8)),
		"no cell 3":         second(s.Find("a", &array, 3, 8)),
		"the buffer has 12": second(s.Find("a", &array, 0, 12)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if slot, err := s.Find("a", &array, 1, 8); slot != 0 || err != nil {
		t.Errorf("cell 1 uses slot %d, %v; want 0", slot, err)
	}
}

func second(_ int, err error) error { return err }
