package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/optest/ulp"
)

// TestNumerics asks for the table that errors.txt gives.
func TestNumerics(t *testing.T) {
	t.Chdir("../../..")
	errors, err := ulp.Published()
	if err != nil {
		t.Fatal(err)
	}
	if err := run("docs/NUMERICS.md", errors, true); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.md")
	errors := map[string]ulp.Error{"exp": {Largest: 0.5, At: 1, Normal: 0.25, NormalAt: -2, Misrounded: 1 << 30}, "gelu": {Largest: 123.5}}
	for _, c := range []struct{ text, says string }{
		{"a\n<!-- errors -->\nb\n", "no lines"},
		{"a\n" + begin + "b\n" + end + "c\n", ""},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := run(path, errors, true); err == nil {
			t.Errorf("%q passes", c.text)
		}
		if err := run(path, errors, false); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "| exp | 0.5000 | 0x1p+00 | 0.2500 | -0x1p+01 | 1073741824 (25 %) |\n| gelu | 124 |"
	if s := string(text); !strings.HasPrefix(s, "a\n"+begin) || !strings.HasSuffix(s, end+"c\n") || !strings.Contains(s, want) {
		t.Errorf("%s\nlacks %s", s, want)
	}
}
