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
		cards, peers, err := readAll([]string{path})
		if err == nil && len(cards) > 0 && markdown(cards) == "" {
			t.Fatal("a card without a table")
		}
		if err == nil && len(peers) > 0 && markdownPeers(peers) == "" {
			t.Fatal("peers without a table")
		}
	})
}
