package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// peakChains independent chains hide the latency of the FMA units, as in the largest tile of matmul.go.
const peakChains = 12

// peak generates the loop that measures the FMA peak: nothing but FMAs on registers.
func peak(c *build.Context) {
	v := avx2
	begin(c, "fmaChains", "n int")
	n := load(c, "n", 0)
	acc, x := v.regs(c, peakChains), v.reg(c)
	v.clear(c, append(acc, x)...)
	c.Label("loop")
	for _, r := range acc {
		c.VFMADD231PS(x, x, r)
	}
	c.DECQ(n)
	c.JNZ(operand.LabelRef("loop"))
	end(c)
}
