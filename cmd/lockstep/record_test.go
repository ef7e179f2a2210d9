//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a rehearsal has done is not done; nothing is appended to other files.
func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	done := func(flags ...string) string {
		return strings.TrimSpace(must(t, append([]string{"record", "--to", path, "--on", "a card", "--done"}, flags...)...))
	}
	must(t, "record", "--to", path, "--on", "a card", "--small", "--part", "verify", "--", "true")
	if small, full := done("--small"), done(); small != "verify" || full != "" {
		t.Errorf("after a rehearsal of verify, done are %q on small problems and %q on those of full size", small, full)
	}
	must(t, "record", "--to", path, "--on", "a card", "--part", "verify", "--", "true")
	if small, full := done("--small"), done(); small != "" || full != "verify" {
		t.Errorf("after verify, done are %q on small problems and %q on those of full size", small, full)
	}
	if s := must(t, "record", "--to", path, "--list"); !strings.Contains(s, "verify") || !strings.Contains(s, " ok ") {
		t.Errorf("record --list prints %s", s)
	}
	notes := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notes, []byte("milk\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"no line of a record":   {"--to", notes, "--part", "verify", "--", "true"},
		"--small are for":       {"--to", path, "--list", "--small"},
		"want --part NAME":      {"--to", path, "--", "true"},
		"part x: failed: exit ": {"--to", path, "--part", "x", "--", "false"},
	} {
		if status, _, stderr := lockstep(append([]string{"record"}, args...)...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("record %v: status %d, %s", args, status, stderr)
		}
	}
}
