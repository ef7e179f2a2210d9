// Command report writes cuda/REPORT.md: what nvcc made of each kernel for each architecture, in registers, shared memory,
// occupancy, instructions, and what its innermost loops consist of. A change that costs speed shows in the diff of it.
//
//	cuobjdump -elf -res-usage -sass cuda/fatbin/x.fatbin > bin/sass/x.txt, for each
//	go run ./cuda/report -pins cuda/toolkit.txt bin/sass/*.txt > cuda/REPORT.md
//
// It reads no .cu file and needs no CUDA. Each version of nvcc makes another table, so code of any but the pinned one is refused.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("report: ")
	pins := flag.String("pins", "cuda/toolkit.txt", "the pinned version of nvcc stands in `FILE`")
	flag.Parse()
	text, err := run(*pins, flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(text)
}

var pin = regexp.MustCompile(`(?m)^nvidia-cuda-nvcc==(\S+)$`)

func run(pins string, paths []string) (string, error) {
	b, err := os.ReadFile(pins)
	if err != nil {
		return "", err
	}
	m := pin.FindSubmatch(b)
	if m == nil {
		return "", fmt.Errorf("%s: no line nvidia-cuda-nvcc==VERSION", pins)
	}
	version := string(m[1])
	var text strings.Builder
	fmt.Fprintf(&text, preamble, version)
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		kernels, err := parse(f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		for _, k := range kernels {
			if k.compiler != version {
				return "", fmt.Errorf("%s is code of nvcc %s, but the table is of nvcc %s (%s): remove cuda/fatbin and compile with that one", path, k.compiler, version, pins)
			}
		}
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		if err := section(&text, name+".cu", kernels); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return text.String(), nil
}
