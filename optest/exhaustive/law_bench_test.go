package exhaustive

import "testing"

// BenchmarkLaw runs each law over the block of inputs from 1 to 1.125, on one processor.
func BenchmarkLaw(b *testing.B) {
	for _, f := range Functions() {
		b.Run(f.String(), func(b *testing.B) {
			for b.Loop() {
				f.Law(0x3f8)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/BlockLen, "ns/input")
		})
	}
}
