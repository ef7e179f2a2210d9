// Command lint reads PTX and fails on what no law allows: arithmetic that does not round to nearest even, approximations, flushed
// subnormals, and floating-point sums in an order that is nobody's, by atomics, reductions or tensor cores. It reads PTX, not
// machine code, because there an exact division is made of approximations, rightly.
//
//	lint x.ptx y.ptx ..    (cuda/nvcc.sh runs it on the PTX of each architecture)
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

const float = `(f16x2|f16|bf16x2|bf16|tf32|f32x2|f32|f64|e4m3|e5m2)`

var (
	rounds = regexp.MustCompile(`^(add|sub|mul|fma|mad|div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)(\.\w+)*\.` + float + `(\.` + float + `)*$`)
	// To a float: to an integer, any rounding is exact about what it says.
	converts = regexp.MustCompile(`^cvt\.(\w+\.)*` + float + `\.\w+$`)
	moves    = regexp.MustCompile(`^(atom|red|multimem|cp\.reduce)\.(.*[.:])?` + float + `$`)
	products = regexp.MustCompile(`^(wmma\.mma|mma|wgmma\.mma_async|tcgen05\.mma)\.(.*\.)?` + float + `\b`)
	directed = regexp.MustCompile(`\.(rz|rm|rp)(\.|$)`)
)

func main() {
	if len(os.Args) == 1 {
		fmt.Fprintln(os.Stderr, "lint: no files of PTX")
		os.Exit(2)
	}
	bad := 0
	for _, path := range os.Args[1:] {
		f, err := os.Open(path)
		if err == nil {
			var finds []string
			finds, err = lint(path, f)
			for _, find := range finds {
				fmt.Println(find)
			}
			bad += len(finds)
			f.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "lint:", err)
			os.Exit(2)
		}
	}
	if bad > 0 {
		os.Exit(1)
	}
}

// lint lists what is wrong in a PTX file, one line each. A file without instructions is an error: it was not PTX.
func lint(path string, ptx io.Reader) (finds []string, err error) {
	kernel, seen := "", 0
	lines := bufio.NewScanner(ptx)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		if _, name, ok := strings.Cut(lines.Text(), ".entry "); ok {
			kernel, _, _ = strings.Cut(name, "(")
		}
		for _, op := range opcodes(lines.Text()) {
			seen++
			if why := wrong(op); why != "" {
				finds = append(finds, fmt.Sprintf("%s:%d: kernel %s: %s: %s", path, n, kernel, op, why))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if seen == 0 {
		return nil, fmt.Errorf("%s: no instructions: it is no PTX", path)
	}
	return finds, nil
}

// opcodes are the operations of a line: nvcc writes one, inline assembly any number, in braces, behind predicates and labels.
func opcodes(line string) (ops []string) {
	line, _, _ = strings.Cut(line, "//")
	for _, statement := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(";{}", r) }) {
		words := strings.Fields(statement)
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "@") || strings.HasSuffix(w, ":") })
		if len(words) > 0 && words[0][0] >= 'a' && words[0][0] <= 'z' {
			ops = append(ops, words[0])
		}
	}
	return ops
}

// wrong tells what an operation must not do.
func wrong(op string) string {
	switch {
	case moves.MatchString(op):
		return "an atomic or a reduction of floating point: its order is nobody's"
	case products.MatchString(op):
		return "a product of floating point by tensor cores: its order is nobody's"
	case strings.Contains(op, ".approx"):
		return "an approximation"
	case strings.Contains(op, ".ftz"):
		return "it flushes subnormals"
	case rounds.MatchString(op) && !strings.Contains(op+".", ".rn."), converts.MatchString(op) && directed.MatchString(op):
		return "it does not round to nearest even (.rn)"
	}
	return ""
}
