package main

import (
	"strings"
	"testing"
)

// FuzzLint: no PTX panics, and a file without instructions is an error.
func FuzzLint(f *testing.F) {
	f.Add(".visible .entry k(\n{ mul.rn.f32 %f1, %f2, %f3; // x\n@%p1 bra L; }")
	f.Add("// mul.f32 a;")
	f.Fuzz(func(t *testing.T, ptx string) {
		finds, err := lint("fuzz", strings.NewReader(ptx))
		if err != nil && len(finds) > 0 {
			t.Fatalf("%v, and an error: %v", finds, err)
		}
	})
}
