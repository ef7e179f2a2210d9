//go:build !purego

package cpu

import (
	"slices"
	"time"
)

// fmaPeaks are the loops of multiply-adds by their families: n rounds of roundFMAs on vectors of so many lanes.
var fmaPeaks = []fmaPeak{
	{"avx512", fmaChainsAVX512, 16},
	{"avx2", fmaChainsAVX2, 8},
}

type fmaPeak struct {
	family string
	chains func(n int)
	lanes  int
}

// roundFMAs is the number of instructions in a round.
const roundFMAs = 96

// work is the number of multiply-adds in so many rounds.
func (p fmaPeak) work(rounds int) float64 { return float64(rounds * roundFMAs * p.lanes) }

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
				return p.work(rounds) / time.Since(start).Seconds()
			}
		}
	}
	return 0
}
