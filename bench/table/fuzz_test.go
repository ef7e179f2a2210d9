package main

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzCard: no record panics, neither when it is read nor when its table is made.
func FuzzCard(f *testing.F) {
	f.Add([]byte(device + rest))
	f.Add([]byte(device))
	path := filepath.Join(f.TempDir(), "r")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if c, err := readCard(path); err == nil && markdown([]*card{c}) == "" {
			t.Fatal("a card without a table")
		}
	})
}
