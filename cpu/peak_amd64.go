//go:build !purego

package cpu

import (
	"slices"
	"time"
)

// fmaPeaks are the loops of multiply-adds by their families: n rounds of 96 on vectors of so many lanes.
var fmaPeaks = []struct {
	family string
	chains func(n int)
	lanes  float64
}{
	{"avx512", fmaChainsAVX512, 16},
	{"avx2", fmaChainsAVX2, 8},
}

// peakFMA measures how many float32 multiply-adds one core makes in a second at its present clock with the widest vectors of the
// families, or of those that engines use by default if these have none: the roof of the matrix products. One measurement takes
// 30 to 60 microseconds, too short to be interrupted often; take the median of many. It is 0 where the machine has no AVX2.
func peakFMA(families []string) float64 {
	for _, allowed := range [][]string{families, Defaults()} {
		for _, p := range fmaPeaks {
			if slices.Contains(allowed, p.family) {
				const rounds = 1 << 11
				start := time.Now()
				p.chains(rounds)
				return rounds * 96 * p.lanes / time.Since(start).Seconds()
			}
		}
	}
	return 0
}
