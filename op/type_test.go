package op_test

import (
	"bytes"
	"slices"
	"testing"

	"lockstep/op"
)

// TestBytes: words are stored little endian, whatever the machine, and nothing beyond them is touched.
func TestBytes(t *testing.T) {
	words, want := []uint32{0x04030201, 0xfffefdfc}, []byte{1, 2, 3, 4, 0xfc, 0xfd, 0xfe, 0xff}
	if got := op.Bytes(words); !bytes.Equal(got, want) {
		t.Errorf("Bytes(%08x) = %x; want %x", words, got, want)
	}
	dst := []byte{9, 9, 9, 9, 9, 9, 9, 9, 9}
	if op.PutBytes(dst, words); !bytes.Equal(dst, append(want, 9)) {
		t.Errorf("PutBytes of %08x makes %x; want %x", words, dst, append(want, 9))
	}
	back := []uint32{9, 9, 9}
	if op.PutWords(back[:2], dst); !slices.Equal(back, append(words, 9)) {
		t.Errorf("PutWords of %x makes %08x; want %08x", dst, back, append(words, 9))
	}
}

func TestCoordinates(t *testing.T) {
	s := op.S(2, 1, 3)
	i := 0
	for a := range 2 {
		for c := range 3 {
			if got := s.Coordinates(i); !slices.Equal(got, []int{a, 0, c}) {
				t.Errorf("element %d of %s stands at %v; want %v", i, s, got, []int{a, 0, c})
			}
			i++
		}
	}
	if got := op.S().Coordinates(0); len(got) != 0 {
		t.Errorf("a scalar's element stands at %v", got)
	}
}
