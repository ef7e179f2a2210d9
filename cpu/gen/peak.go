package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// peakChains independent chains hide the latency of the FMA units, as in the largest tiles of matmul.go. A round is long enough
// that its end costs nothing.
const (
	peakChains = 12
	peakRound  = 8 // FMAs of a chain
)

// peak generates the loop that measures the FMA peak: nothing but FMAs on registers.
func peak(c *build.Context) {
	widths(c, fmaChains)
}

func fmaChains(k *code) {
	k.begin("fmaChains", "n int", "runs n > 0 rounds of 8 FMAs in each of 12 chains.")
	n := load(k.Context, "n", 0)
	acc, x := k.regs(peakChains), k.reg()
	k.clear(append(acc, x)...)
	k.Label("loop")
	for range peakRound {
		for _, r := range acc {
			k.VFMADD231PS(x, x, r)
		}
	}
	k.DECQ(n)
	k.JNZ(operand.LabelRef("loop"))
	end(k.Context)
}
