package main

import (
	"os"
	"strings"
	"testing"
)

// FuzzParse: no output of a disassembler panics, neither when it is read nor when its table is made.
func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/sample.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Fuzz(func(t *testing.T, text string) {
		kernels, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		var table strings.Builder
		if err := section(&table, "fuzz", kernels); err == nil && table.Len() == 0 {
			t.Fatal("kernels without a table")
		}
	})
}
