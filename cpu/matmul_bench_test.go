package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lockstep/op"
)

// normals is a tensor of standard normal values.
func normals(r *rand.Rand, dims ...int) op.Tensor {
	t := op.New(op.T(op.F32, op.Shared, dims...))
	for i := range t.W {
		t.SetF(i, float32(r.NormFloat64()))
	}
	return t
}

// prepare picks the kernel that the engine would take and gives it operands and results.
func prepare(b *testing.B, o op.Op, in ...op.Tensor) (run func(), variant string) {
	b.Helper()
	types := make([]op.Type, len(in))
	for i, t := range in {
		types[i] = t.Type
	}
	result, err := o.Shape(types)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]op.Tensor, len(result))
	for i, t := range result {
		out[i] = op.New(t)
	}
	kernel, variant := pick(o, types, Variants())
	w := &workspace{}
	return func() {
		kernel(w, out, in)
		w.reset()
	}, variant
}

// BenchmarkMatMul reports multiply-adds per second and the part of the machine's peak that they reach.
func BenchmarkMatMul(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{{64, 64, 64}, {128, 64, 128}, {128, 128, 128}, {128, 128, 10}, {128, 10, 128}, {1, 128, 128}, {512, 512, 512}}
	for _, s := range sizes {
		for _, o := range []op.MatMul{{}, {TB: true}, {TA: true}} {
			if s[0] == 1 && o.TA {
				continue
			}
			a, bb := normals(r, s[0], s[1]), normals(r, s[1], s[2])
			if o.TA {
				a = normals(r, s[1], s[0])
			}
			if o.TB {
				bb = normals(r, s[2], s[1])
			}
			da, db := normals(r, a.Dims()...), normals(r, bb.Dims()...)
			name := fmt.Sprintf("%dx%dx%d%s", s[0], s[1], s[2], map[op.MatMul]string{{TA: true}: "/TA", {TB: true}: "/TB"}[o])
			b.Run(name, func(b *testing.B) { reportMACs(b, s[0]*s[1]*s[2], peakFMA, o, a, bb) })
			b.Run(name+"/jvp", func(b *testing.B) { reportMACs(b, 2*s[0]*s[1]*s[2], peakFMA, op.MatMulJVP(o), a, bb, da, db) })
		}
	}
}

// reportMACs times a kernel that makes so many multiply-adds, with the given peak beside it. Its rate is the median over short
// bursts, and so is the peak's, burst by burst: on a busy machine the mean time says more about the neighbours.
func reportMACs(b *testing.B, macs int, peak func() float64, o op.Op, in ...op.Tensor) {
	run, variant := prepare(b, o, in...)
	if variant == Law && macs > 1<<22 {
		b.Skip("the law would take too long")
	}
	for b.Loop() {
		run()
	}
	const bursts, burst = 41, 50 * time.Microsecond
	n := 1 + int(burst*time.Duration(b.N)/(b.Elapsed()+1))
	var rates, peaks []float64
	for range bursts {
		start := time.Now()
		for range n {
			run()
		}
		rates = append(rates, float64(macs)*float64(n)/time.Since(start).Seconds())
		peaks = append(peaks, peak())
	}
	slices.Sort(rates)
	slices.Sort(peaks)
	b.ReportMetric(rates[bursts/2]/1e9, "GMAC/s")
	if p := peaks[bursts/2]; p > 0 {
		b.ReportMetric(100*rates[bursts/2]/p, "%peak")
	}
}

// BenchmarkTernaryMM takes the shapes of a sweep: a small vector z to D parameters and a gradient of D entries back to d.
func BenchmarkTernaryMM(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][2]int{{100, 3500}, {100, 9000}, {300, 9000}, {100, 26000}, {300, 26000}} {
		w := op.New(op.T(op.T2, op.Shared, s[0], s[1]))
		for i := range w.W {
			w.W[i] = r.Uint32()
		}
		z, g := normals(r, 1, s[0]), normals(r, 1, s[1])
		name := fmt.Sprintf("d=%d/D=%d", s[0], s[1])
		b.Run(name+"/forward", func(b *testing.B) { reportMACs(b, s[0]*s[1], noPeak, op.TernaryMM{}, z, w) })
		b.Run(name+"/transposed", func(b *testing.B) { reportMACs(b, s[0]*s[1], noPeak, op.TernaryMM{TB: true}, g, w) })
	}
}

// noPeak: the rate of integer additions has no one roof.
func noPeak() float64 { return 0 }

// BenchmarkStrips takes the activations [128, 128] of a layer. Bytes are those of the operands and of as large a result.
func BenchmarkStrips(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	x, y := normals(r, 128, 128), normals(r, 128, 128)
	for _, c := range []struct {
		name string
		o    op.Op
		in   []op.Tensor
	}{
		{"add", op.Add, []op.Tensor{x, y}}, {"div", op.Div, []op.Tensor{x, y}}, {"max", op.Max, []op.Tensor{x, y}}, {"gt", op.Gt, []op.Tensor{x, y}},
		{"relu", op.Relu, []op.Tensor{x}}, {"sqrt", op.Sqrt, []op.Tensor{x}},
		{"sum/first", op.Sum{Axes: op.List(0)}, []op.Tensor{x}}, {"sum/last", op.Sum{Axes: op.List(1)}, []op.Tensor{x}},
	} {
		b.Run(c.name, func(b *testing.B) {
			run, _ := prepare(b, c.o, c.in...)
			b.SetBytes(int64(4 * len(x.W) * (len(c.in) + 1)))
			for b.Loop() {
				run()
			}
		})
	}
}
