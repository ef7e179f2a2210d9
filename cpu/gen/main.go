// Command gen writes the assembly of package cpu. It is a module of its own, so that users of lockstep never fetch the
// assembler generator, and is run from its directory:
//
//	go run . -out ..
//
// Each file of this package generates the .s file of one op; the doc comments of the functions stand with their Go
// declarations in package cpu. Vector code is written against the type vector, which fixes the width.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files are the generated files, by name.
var files = []struct {
	name  string
	write func(*build.Context)
}{
	{"matmul_amd64.s", matmul},
	{"matmuljvp_amd64.s", matmuljvp},
	{"peak_amd64.s", peak},
	{"strips_amd64.s", strips},
	{"ternarymm_amd64.s", ternarymm},
}

func main() {
	flags := flag.NewFlagSet("gen", flag.ExitOnError) // not the global set, in which avo has an -out of its own
	out := flags.String("out", "..", "the `directory` of package cpu")
	if err := flags.Parse(os.Args[1:]); err != nil {
		os.Exit(2) // ExitOnError has said why
	}
	for _, f := range files {
		if err := generate(filepath.Join(*out, f.name), f.write); err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", f.name, err)
			os.Exit(1)
		}
	}
}

// generate writes one assembly file.
func generate(path string, write func(*build.Context)) error {
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
	text, err := printer.NewGoAsm(printer.Config{Name: "lockstep/cpu/gen", Pkg: "cpu"}).Print(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
