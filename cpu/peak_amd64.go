//go:build !purego

package cpu

import "time"

// fmaChains runs n > 0 rounds of 12 independent chains of 8-lane FMAs on registers.
//
//go:noescape
func fmaChains(n int)

// peakFMA measures how many float32 multiply-adds one core makes in a second with AVX2 at its present clock: the roof of the
// matrix products. One measurement takes about 30 microseconds, too short to be interrupted often; take the median of many.
// It is 0 where the machine has no AVX2.
func peakFMA() float64 {
	const rounds, chains, lanes = 1 << 14, 12, 8
	if !hasAVX2 {
		return 0
	}
	start := time.Now()
	fmaChains(rounds)
	return rounds * chains * lanes / time.Since(start).Seconds()
}
