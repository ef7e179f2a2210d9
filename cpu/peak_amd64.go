//go:build !purego

package cpu

import (
	"slices"
	"time"
)

// peakFMA measures how many float32 multiply-adds one core makes in a second at its present clock, with the widest vectors that
// engines use by default: the roof of the matrix products. One measurement takes about 30 microseconds, too short to be
// interrupted often; take the median of many. It is 0 where the machine has no AVX2.
func peakFMA() float64 {
	switch {
	case slices.Contains(Defaults(), "avx512"):
		return rateOf(fmaChainsAVX512, 16)
	case hasAVX2:
		return rateOf(fmaChainsAVX2, 8)
	}
	return 0
}

// rateOf is how many multiply-adds a second the chains of vectors of so many lanes make.
func rateOf(chains func(rounds int), lanes float64) float64 {
	const rounds, chainsAtOnce = 1 << 14, 12
	start := time.Now()
	chains(rounds)
	return rounds * chainsAtOnce * lanes / time.Since(start).Seconds()
}
