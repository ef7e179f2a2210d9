// Command licences lists the modules that are linked into lockstep with their licences, as docs/LICENCES.md. It fails for a
// licence that it does not know or that lockstep cannot take: those of the list below are permissive.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// known: a licence, and a phrase that its text holds; the first match counts; one line per entry.
var known = []struct{ name, phrase string }{
	{"Apache-2.0", "Apache License"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-3-Clause", "names of its contributors may not be used"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
	{"CC-BY-4.0", "Creative Commons Attribution 4.0"},
	{"OFL-1.1", "SIL OPEN FONT LICENSE"},
	{"FTL", "The FreeType License, which is similar to the original BSD license"}, // or the GPL, at the choice of who uses it
	{"Unlicense", "This is free and unencumbered software"},
}

func main() {
	text, err := list()
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

func list() (string, error) {
	out, err := exec.Command("go", "list", "-tags", "cuda", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/...").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var b strings.Builder
	b.WriteString("# Licences of what is linked into lockstep\n\nWritten by `go run ./internal/licences > docs/LICENCES.md`. lockstep itself is Apache-2.0; " +
		"the digits are of the UCI repository, CC BY 4.0.\n\n| module | version | licence |\n|---|---|---|\n")
	for _, l := range slices.Compact(lines) {
		f := strings.Split(l, "\t")
		if len(f) != 3 {
			continue // the standard library
		}
		name, err := licence(f[2])
		if err != nil {
			return "", fmt.Errorf("%s: %w", f[0], err)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f[0], f[1], name)
	}
	return b.String(), nil
}

// licence names the licence of the module in dir.
func licence(dir string) (string, error) {
	for _, pattern := range []string{"LICEN[SC]E*", "UNLICENSE*", "COPYING*", "License*", "license*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.IsDir() {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				return "", err
			}
			text = bytes.Join(bytes.Fields(text), []byte(" "))
			for _, k := range known {
				if bytes.Contains(text, []byte(k.phrase)) {
					return k.name, nil
				}
			}
		}
	}
	return "", fmt.Errorf("no licence that is known to be permissive; read it, and add it to the list or drop the module")
}
