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
		file, _ := f.path()
		source, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s: %v; mend the list", f.name, err)
			continue
		}
		if at := f.find(source); at == nil || string(source[at[0]:at[1]]) == f.to {
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
		test, _, _ := strings.Cut(f.by, "/")
		for name := range strings.SplitSeq(test, "|") {
			if !regexp.MustCompile(`(?m)^func ` + name + `\(`).Match(tests) {
				t.Errorf("%s: %s has no %s", f.name, f.packages, name)
			}
		}
	}
	if len(faults) < 25 {
		t.Errorf("%d faults; want 25", len(faults))
	}
}

// Each generated file has a fault for each width, noticed by a test of the variant that is named.
func TestAssemblyFaults(t *testing.T) {
	t.Chdir("../..")
	files, err := filepath.Glob("cpu/*_amd64.s")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files of assembly, %v", len(files), err)
	}
	planted := map[string]bool{} // file and variant
	for _, f := range assembly {
		file, _ := f.path()
		if strings.Count(f.by, "/") != 2 {
			t.Errorf("%s is noticed by %s; want TestConformance/VARIANT/OP", f.name, f.by)
			continue
		}
		planted[file+" "+strings.Split(f.by, "/")[1]] = true
	}
	for _, file := range files {
		variants := []string{"avx2", "avx512"}
		switch filepath.Base(file) {
		case "peak_amd64.s":
			continue // it measures, and has no results
		case "ternarymm_amd64.s":
			variants = append(variants, "vnni", "vbmi")
		}
		for _, v := range variants {
			if !planted[file+" "+v] {
				t.Errorf("%s has no fault of %s", file, v)
			}
		}
	}
}

// A fault of an assembly function is planted in that one and no other.
func TestFind(t *testing.T) {
	source := "\nTEXT ·a(SB), X\n\tVADD Y0\n\nTEXT ·b(SB), X\n\tVSUB Y0\n\tVADD Y1\n\nTEXT ·bc(SB), X\n\tVMUL Y0\n"
	for file, want := range map[string]string{"x.s": "Y0", "x.s:a": "Y0", "x.s:b": "Y1", "x.s:bc": "", "x.s:d": "", "x.s:c": ""} {
		got := ""
		if at := (fault{file: file, from: "VADD"}).find([]byte(source)); at != nil {
			got = source[at[1]+1 : at[1]+3]
		}
		if got != want {
			t.Errorf("%s: VADD of %q is found; want %q", file, got, want)
		}
	}
}

// A fault in the instructions that this machine lacks is not planted: nothing would notice, or say so.
func TestLacks(t *testing.T) {
	for want, f := range map[string]fault{
		"avx1024": {file: "x.s:aAVX1024", by: "TestConformance/avx1024/a"},
		"":        {file: "x.go", by: "TestConformance/avx1024/a"},
	} {
		if got := f.lacks(); got != want {
			t.Errorf("%+v lacks %q; want %q", f, got, want)
		}
	}
	was := faults
	defer func() { faults = was }()
	faults = []fault{{name: "wide", file: "x.s:aAVX1024", by: "TestConformance/avx1024/a"}}
	var out strings.Builder
	if status := run(nil, &out, &out); status != 0 || !strings.Contains(out.String(), "SKIPPED   wide") || !strings.Contains(out.String(), "0 faults planted, 0 survived, 1 SKIPPED") {
		t.Errorf("status %d: %s", status, &out)
	}
}

func TestPattern(t *testing.T) {
	for by, want := range map[string]string{"TestA|TestB": "^(TestA|TestB)$", "TestA/b/c": "^(TestA)$/^(b)$/^(c)$"} {
		if got := (fault{by: by}).pattern(); got != want {
			t.Errorf("%s is %s; want %s", by, got, want)
		}
	}
}

func TestAnchor(t *testing.T) {
	for source, want := range map[string]string{"x\n\tif a {\n\t\tb(c)\n\t}": "if a {\n\t\tb(c)\n\t}", "if a { b(c) } if a { b(c) }": "if a { b(c) }", "if a { b(d) }": ""} {
		if got := anchor("if a { b(c) }").FindString(source); got != want {
			t.Errorf("%q is found in %q; want %q", got, source, want)
		}
	}
}

// The parts of a whole have each of its members once.
func TestPart(t *testing.T) {
	all, seen := []int{0, 1, 2, 3, 4, 5, 6}, map[int]int{}
	for _, text := range []string{"1/3", "2/3", "3/3"} {
		var s share
		if err := s.Set(text); err != nil || s.String() != text {
			t.Errorf("%s is %v, %v", text, &s, err)
		}
		for _, i := range partOf(all, s) {
			seen[i]++
		}
	}
	for _, i := range all {
		if seen[i] != 1 {
			t.Errorf("%d is in %d parts of 3", i, seen[i])
		}
	}
	if some := partOf(all, share{}); len(some) != len(all) {
		t.Errorf("the whole is %v", some)
	}
	for _, text := range []string{"", "1", "0/3", "4/3", "1/3x", "1/3 2", "1/3 .", "1/3 . 4", "-1/3", "a/b"} {
		var out strings.Builder
		if status := run([]string{"-part", text}, &out, &out); status != 2 || !strings.Contains(out.String(), "want K/N") {
			t.Errorf("-part %q: status %d: %s", text, status, &out)
		}
	}
}
