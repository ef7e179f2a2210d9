// Command gen writes the assembly of package cpu. It is a module of its own, so that users of lockstep never fetch the
// assembler generator, and is run from its directory:
//
//	go run . -out ..
//
// Each file of this package generates the assembly of one op, OP_amd64.s, and its Go declarations, OP_stubs_amd64.go. Vector
// code is written against the type vector, and generated for each width.
package main

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// files are the generated files, by their ops.
var files = []struct {
	name  string
	write func(*build.Context)
}{
	{"functions", functions},
	{"amax", amax},
	{"batch", batch},
	{"draws", draws},
	{"integers", integers},
	{"matmul", matmul},
	{"matmuljvp", matmuljvp},
	{"peak", peak},
	{"softmax", softmax},
	{"strips", strips},
	{"sum", sum},
	{"ternarymm", ternarymm},
	{"transpose", transpose},
}

func main() {
	flags := flag.NewFlagSet("gen", flag.ExitOnError) // not the global set, in which avo has an -out of its own
	out := flags.String("out", "..", "the `directory` of package cpu")
	if err := flags.Parse(os.Args[1:]); err != nil {
		os.Exit(2) // ExitOnError has said why
	}
	for _, f := range files {
		if err := generate(*out, f.name, f.write); err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", f.name, err)
			os.Exit(1)
		}
	}
}

// generate writes the assembly file of an op, and the Go declarations of its functions.
func generate(dir, name string, write func(*build.Context)) error {
	c := build.NewContext()
	c.ConstraintExpr("amd64,!purego")
	write(c)
	f, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return err
	}
	for _, fn := range f.Functions() {
		if err := checkRegisters(fn); err != nil {
			return err
		}
	}
	config := printer.Config{Name: "lockstep/cpu/gen", Pkg: "cpu"}
	for file, p := range map[string]printer.Printer{
		name + "_amd64.s":        printer.NewGoAsm(config),
		name + "_stubs_amd64.go": printer.NewStubs(config),
	} {
		text, err := p.Print(f)
		if err == nil && strings.HasSuffix(file, ".go") {
			text, err = format.Source(text)
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// checkRegisters refuses a function for AVX2 with more than 16 vector registers: the allocator would hand out those of AVX-512, with
// which many an instruction of AVX2 becomes one of AVX-512.
func checkRegisters(f *ir.Function) error {
	if slices.ContainsFunc(f.ISA, func(set string) bool { return strings.HasPrefix(set, "AVX512") }) {
		return nil
	}
	for _, r := range f.Allocation {
		if r.Kind() == reg.KindVector && r.Index() > 15 {
			return fmt.Errorf("%s takes more than the 16 vector registers that AVX2 has", f.Name)
		}
	}
	return nil
}
