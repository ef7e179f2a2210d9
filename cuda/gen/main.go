// Command gen writes cuda/constants.cuh from op.Constants: go run ./cuda/gen, from the root of the repository.
package main

import (
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"strings"

	"lockstep/op"
)

func main() {
	log.SetFlags(0)
	path := "cuda/constants.cuh"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := os.WriteFile(path, []byte(header(op.Constants())), 0o666); err != nil {
		log.Fatal(err)
	}
}

func header(constants []op.Constant) string {
	var b strings.Builder
	b.WriteString("// Code generated from op.Constants by go run ./cuda/gen. DO NOT EDIT.\n#pragma once\n#include <cstdint>\n")
	group := ""
	for _, c := range constants {
		if c.Func != group {
			group = c.Func
			fmt.Fprintf(&b, "\n// %s\n", group)
		}
		if c.Name == "LOG_LOWEST" { // the one that is used as an integer
			fmt.Fprintf(&b, "constexpr uint32_t %s = 0x%08xu;\n", c.Name, c.Bits)
			continue
		}
		x := strconv.FormatFloat(float64(math.Float32frombits(c.Bits)), 'x', -1, 32)
		fmt.Fprintf(&b, "constexpr float %s = %sf; // %08x\n", c.Name, x, c.Bits)
	}
	return b.String()
}
