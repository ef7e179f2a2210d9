package ulp

import "testing"

// BenchmarkMeasure measures wrong results for the arguments from 1 to 1.125, on one processor.
func BenchmarkMeasure(b *testing.B) {
	for _, f := range Functions {
		b.Run(f.Name, func(b *testing.B) {
			y := make([]uint32, 1<<16)
			for b.Loop() {
				if _, err := f.Measure(0x3f800000, y); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(y)), "ns/input")
		})
	}
}
