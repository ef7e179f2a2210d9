// Command lint reads PTX and fails on arithmetic that does not round to nearest even, on approximations and flushed subnormals,
// and on floating-point atomics: what no law allows. It reads PTX, not machine code, because there an exact division is made of
// approximations, rightly.
//
//	nvcc -ptx .. -o x.ptx x.cu && go run ./cuda/lint x.ptx
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	rounds = regexp.MustCompile(`^(add|sub|mul|fma|mad|div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)(\.\w+)*\.(f16x2|f16|bf16x2|bf16|f32x2|f32|f64)$`)
	moves  = regexp.MustCompile(`^(atom|red)(\.\w+)*\.(f16x2|f16|bf16x2|bf16|f32|f64)$`)
)

func main() {
	bad := 0
	for _, path := range os.Args[1:] {
		f, err := os.Open(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "lint:", err)
			os.Exit(2)
		}
		kernel := ""
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<24)
		for n := 1; lines.Scan(); n++ {
			text := strings.TrimSpace(lines.Text())
			if _, name, ok := strings.Cut(text, ".entry "); ok {
				kernel, _, _ = strings.Cut(name, "(")
			}
			if why := wrong(text); why != "" {
				fmt.Printf("%s:%d: kernel %s: %s: %s\n", path, n, kernel, text, why)
				bad++
			}
		}
		if err := lines.Err(); err != nil {
			fmt.Fprintln(os.Stderr, "lint:", err)
			os.Exit(2)
		}
		f.Close()
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// wrong tells what a line of PTX must not do.
func wrong(line string) string {
	if strings.HasPrefix(line, "@") { // a predicate
		_, line, _ = strings.Cut(line, " ")
	}
	op, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	op = strings.TrimSuffix(strings.TrimSuffix(op, ";"), "\t")
	op, _, _ = strings.Cut(op, "\t")
	switch {
	case moves.MatchString(op):
		return "an atomic on floating point: its order is nobody's"
	case strings.Contains(op, ".approx"):
		return "an approximation"
	case strings.Contains(op, ".ftz"):
		return "it flushes subnormals"
	case rounds.MatchString(op) && !strings.Contains(op, ".rn"):
		return "it does not round to nearest even (.rn)"
	}
	return ""
}
