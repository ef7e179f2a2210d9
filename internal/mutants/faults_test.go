package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaults: every fault can be planted, makes another source, and names tests that its packages have.
func TestFaults(t *testing.T) {
	t.Chdir("../..")
	seen := map[string]bool{}
	for _, f := range faults {
		if seen[f.name] {
			t.Errorf("two faults are called %q", f.name)
		}
		seen[f.name] = true
		source, err := os.ReadFile(f.file)
		if err != nil {
			t.Errorf("%s: %v; mend the list", f.name, err)
			continue
		}
		if at := anchor(f.from).Find(source); at == nil || string(at) == f.to {
			t.Errorf("%s: %s has no %q any more; mend the list", f.name, f.file, f.from)
		}
		var tests []byte
		for _, p := range strings.Fields(f.packages) {
			files, err := filepath.Glob(filepath.Join(p, "*_test.go"))
			if err != nil || files == nil {
				t.Errorf("%s: package %s has no tests: %v", f.name, p, err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				tests = append(tests, text...)
			}
		}
		for name := range strings.SplitSeq(f.by, "|") {
			if !regexp.MustCompile(`(?m)^func ` + name + `\(`).Match(tests) {
				t.Errorf("%s: %s has no %s", f.name, f.packages, name)
			}
		}
	}
	if len(faults) < 25 {
		t.Errorf("%d faults; want 25", len(faults))
	}
}

func TestAnchor(t *testing.T) {
	for source, want := range map[string]string{"x\n\tif a {\n\t\tb(c)\n\t}": "if a {\n\t\tb(c)\n\t}", "if a { b(c) } if a { b(c) }": "if a { b(c) }", "if a { b(d) }": ""} {
		if got := anchor("if a { b(c) }").FindString(source); got != want {
			t.Errorf("%q is found in %q; want %q", got, source, want)
		}
	}
}
