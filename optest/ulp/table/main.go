// Command table writes the table of errors in docs/NUMERICS.md from optest/ulp/errors.txt: between the lines
// <!-- errors --> and <!-- /errors -->.
//
//	go run ./optest/ulp/table [-check]
//
// -check: write nothing, and fail if the table is another.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"lockstep/optest/ulp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("table: ")
	check := flag.Bool("check", false, "write nothing, and fail if the table is another")
	flag.Parse()
	errors, err := ulp.Published()
	if err != nil {
		log.Fatal(err)
	}
	if err := run("docs/NUMERICS.md", errors, *check); err != nil {
		log.Fatal(err)
	}
}

func run(path string, errors map[string]ulp.Error, check bool) error {
	was, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	is, err := splice(was, markdown(errors))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case bytes.Equal(was, is):
		return nil
	case check:
		return fmt.Errorf("%s: the table of errors is not that of optest/ulp/errors.txt: go run ./optest/ulp/table", path)
	}
	return os.WriteFile(path, is, 0o666)
}

// markdown is the table, a line for each function that was measured.
func markdown(errors map[string]ulp.Error) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| function | largest error, ULP | at | of normal x and y | at | not correctly rounded, of 2^32 |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|")
	for _, f := range ulp.Functions {
		if e, ok := errors[f.Name]; ok {
			fmt.Fprintf(&b, "| %s | %s | %x | %s | %x | %d (%.2g %%) |\n", f.Name, number(e.Largest), e.At, number(e.Normal), e.NormalAt, e.Misrounded, float64(e.Misrounded)/(1<<32)*100)
		}
	}
	return b.String()
}

// number has four decimals; where the error is no small one, none.
func number(x float64) string {
	if x < 100 {
		return fmt.Sprintf("%.4f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

const begin, end = "<!-- errors -->\n", "<!-- /errors -->\n"

// splice puts the table between the lines that mark its place.
func splice(text []byte, table string) ([]byte, error) {
	head, rest, ok := bytes.Cut(text, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("it has no lines %q and %q", begin, end)
	}
	return slices.Concat(head, []byte(begin), []byte(table), []byte(end), tail), nil
}
