package ulp

import (
	_ "embed"
	"fmt"
	"math"
	"strings"

	"lockstep/op"
)

//go:embed errors.txt
var errorsText string

// Published are the errors over all 2^32 arguments, by function, from errors.txt: what optest/exhaustive measured with LOCKSTEP_EXHAUSTIVE=1. Error:
// the file is damaged, or of another law.
func Published() (map[string]Error, error) { return Parse(errorsText) }

// header is the first line of errors.txt; a line for each function follows.
var header = fmt.Sprintf("law %d", op.Version)

const format = "%s %.4f %x %.4f %x %d %d"

// Parse reads a text as Format writes it.
func Parse(text string) (map[string]Error, error) {
	first, rest, _ := strings.Cut(text, "\n")
	if first != header {
		return nil, fmt.Errorf("errors.txt begins with %q; want %q, and no line of a function whose law has changed", first, header)
	}
	all := map[string]Error{}
	for line := range strings.Lines(rest) {
		var name string
		var e Error
		if n, err := fmt.Sscanf(line, "%s %g %g %g %g %d %d\n", &name, &e.Largest, &e.At, &e.Normal, &e.NormalAt, &e.Misrounded, &e.Zeros); err != nil {
			return nil, fmt.Errorf("errors.txt: %q: field %d: %w", line, n, err)
		}
		all[name] = e
	}
	return all, nil
}

// Format writes what was measured, in the order of Functions.
func Format(all map[string]Error) string {
	var b strings.Builder
	fmt.Fprintln(&b, header)
	for _, f := range Functions {
		if e, ok := all[f.Name]; ok {
			fmt.Fprintf(&b, format+"\n", f.Name, e.Largest, e.At, e.Normal, e.NormalAt, e.Misrounded, e.Zeros)
		}
	}
	return b.String()
}

// Publish is e with its errors computed with 400 bits and rounded up to four decimals; law is the function's.
func (f Function) Publish(e Error, law func(x float32) float32) Error {
	up := func(x float32) float64 {
		if x == 0 { // no argument has an error
			return 0
		}
		return math.Ceil(f.Distance(x, law(x))*1e4) / 1e4
	}
	e.Largest, e.Normal = up(e.At), up(e.NormalAt)
	return e
}
