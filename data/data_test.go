package data

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestSets compares with hashes and counts that an independent program (Python: csv, struct, hashlib) found from the
// documented layout.
func TestSets(t *testing.T) {
	for _, c := range []struct {
		name                    string
		n, in, classes, targets int
		loss, hash              string
	}{
		{"digits", 1797, 64, 10, 0, "cross-entropy", "a0e75ac869a5af09dcb3c3e55fbfdb892b8378701b1028a93f007db738a107a7"},
		{"toy", 1, 0, 0, 10, "squared-error", "fcb244d4d25183fb88ec805d74f924850f08bd1492507cc0f5d8a7ec37bb45f0"},
	} {
		s, err := Source{}.Open(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != c.name || s.N != c.n || s.In != c.in || s.Classes != c.classes || s.Targets != c.targets || s.Out() != 10 || s.Loss() != c.loss {
			t.Errorf("%s: %d rows, %d inputs, %d classes, %d targets, %s; want %+v", s.Name, s.N, s.In, s.Classes, s.Targets, s.Loss(), c)
		}
		if got := hex.EncodeToString(s.Hash[:]); got != c.hash {
			t.Errorf("%s: hash %s; want %s", s.Name, got, c.hash)
		}
		if again, _ := (Source{}).Open(c.name); again != s {
			t.Errorf("%s: read a second time", c.name)
		}
	}
}

func TestDigits(t *testing.T) {
	s, err := Source{}.Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	var counts [10]int
	for _, y := range s.Y {
		counts[y]++
	}
	if want := [10]int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; counts != want {
		t.Errorf("labels counted %v; want %v", counts, want)
	}
	sum := float32(0)
	for _, x := range s.X {
		sum += 16 * x // exact: whole numbers below 2^24
	}
	if sum != 561718 {
		t.Errorf("the pixels sum to %v; want 561718", sum)
	}
	if s.Test() != 359 {
		t.Errorf("%d test rows; want 359", s.Test())
	}
}

func TestOpenUnknown(t *testing.T) {
	if _, err := (Source{}).Open("digit"); err == nil || !strings.Contains(err.Error(), `unknown data set "digit"; nearest is "digits"`) {
		t.Errorf("got %v", err)
	}
}

func TestSeal(t *testing.T) {
	for want, s := range map[string]Set{
		"no rows":                 {},
		"1 of 1 rows are given":   {N: 1, Targets: 1, T: []float32{1}, Given: 1},
		"-1 of 1 rows are given":  {N: 1, Targets: 1, T: []float32{1}, Given: -1},
		"0 classes and 0 targets": {N: 1},
		"2 classes and 1 targets": {N: 1, Classes: 2, Targets: 1, Y: []uint32{0}, T: []float32{1}},
		"1 inputs, 1 labels":      {N: 1, In: 2, Classes: 2, X: []float32{1}, Y: []uint32{0}},
		"1 inputs, 2 labels":      {N: 1, In: 1, Classes: 2, X: []float32{1}, Y: []uint32{0, 1}},
		"row 1 has label 2":       {N: 2, In: 1, Classes: 2, X: []float32{1, 2}, Y: []uint32{0, 2}},
	} {
		if _, err := s.seal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error with %q", err, want)
		}
	}
}
