//go:build !amd64 || purego

package cpu

// peakFMA is 0: the peak is not known here.
func peakFMA([]string) float64 { return 0 }
