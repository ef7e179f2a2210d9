package cpu

import (
	"fmt"
	"math/rand/v2"
	"runtime"
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

// prepare picks the kernel that an engine of all variants would take and gives it operands and results.
func prepare(b *testing.B, o op.Op, in ...op.Tensor) (run func(), variant string) {
	b.Helper()
	return prepareOf(b, Variants(), o, in...)
}

// prepareOf is prepare for an engine of some families.
func prepareOf(b *testing.B, families []string, o op.Op, in ...op.Tensor) (run func(), variant string) {
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
	kernel, variant := pick(o, types, families)
	w := &workspace{}
	return func() {
		kernel(w, out, in)
		w.reset()
	}, variant
}

// vectorFamilies are the families of vector instructions that this machine has.
func vectorFamilies() []string {
	return slices.DeleteFunc(Variants(), func(v string) bool { return v == "go" || v == Law })
}

// BenchmarkMatMul reports multiply-adds per second and the part of the machine's peak that they reach, by family: large and
// small products, those of a step of a small network, and the projection of some cells by a dense basis, which B has no cache for.
func BenchmarkMatMul(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []struct {
		m, k, n int
		op.MatMul
	}{
		{m: 32, k: 32, n: 32}, {m: 64, k: 64, n: 64}, {m: 512, k: 512, n: 512}, {512, 512, 512, op.MatMul{TA: true}}, {512, 512, 512, op.MatMul{TB: true}},
		{m: 128, k: 64, n: 64}, {m: 128, k: 64, n: 10}, {64, 128, 64, op.MatMul{TA: true}}, {64, 128, 10, op.MatMul{TA: true}},
		{128, 64, 64, op.MatMul{TB: true}}, {128, 10, 64, op.MatMul{TB: true}},
		{m: 128, k: 784, n: 200}, {m: 128, k: 784, n: 300}, {m: 128, k: 784, n: 488}, {m: 128, k: 300, n: 784}, {m: 128, k: 784, n: 1000}, {784, 128, 200, op.MatMul{TA: true}}, {m: 2048, k: 64, n: 64}, {64, 2048, 64, op.MatMul{TA: true}},
		{m: 1, k: 100, n: 8970}, {1, 8970, 100, op.MatMul{TB: true}}, {m: 8, k: 100, n: 8970}, {m: 32, k: 100, n: 8970}, {m: 128, k: 300, n: 8970}, {32, 8970, 100, op.MatMul{TB: true}},
	} {
		x, y := normals(r, sided(s.TA, s.m, s.k)...), normals(r, sided(s.TB, s.k, s.n)...)
		dx, dy := normals(r, x.Dims()...), normals(r, y.Dims()...)
		name := fmt.Sprintf("%dx%dx%d%s", s.m, s.k, s.n, map[op.MatMul]string{{TA: true}: "/TA", {TB: true}: "/TB"}[s.MatMul])
		for _, family := range vectorFamilies() {
			if _, variant := prepareOf(b, []string{family}, s.MatMul, x, y); variant == Law {
				continue
			}
			b.Run(name+"/"+family, func(b *testing.B) { reportMACs(b, family, s.m*s.k*s.n, peakFMA, s.MatMul, x, y) })
			b.Run(name+"/jvp/"+family, func(b *testing.B) {
				reportMACs(b, family, 2*s.m*s.k*s.n, peakFMA, op.MatMulJVP(s.MatMul), x, y, dx, dy)
			})
		}
	}
}

// sided are the dimensions of a matrix that may be stored as its transpose.
func sided(transposed bool, rows, cols int) []int {
	if transposed {
		return []int{cols, rows}
	}
	return []int{rows, cols}
}

// reportMACs times a family's kernel that makes so many multiply-adds, with the given peak beside it. Its rate is the median over
// short bursts of the thread's own time, and so is the peak's, burst by burst: on a busy machine the mean time says more about the
// neighbours.
func reportMACs(b *testing.B, family string, macs int, peak func(families []string) float64, o op.Op, in ...op.Tensor) {
	run, _ := prepareOf(b, []string{family}, o, in...)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := threadTime()
	for b.Loop() {
		run()
	}
	const bursts, burst = 41, 50 * time.Microsecond
	n := 1 + int(burst*time.Duration(b.N)/(threadTime()-start+1))
	var rates, peaks []float64
	for range bursts {
		start := threadTime()
		for range n {
			run()
		}
		rates = append(rates, float64(macs)*float64(n)/(threadTime()-start).Seconds())
		peaks = append(peaks, peak([]string{family}))
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
		for _, family := range vectorFamilies() {
			if _, variant := prepareOf(b, []string{family}, op.TernaryMM{}, z, w); variant != Law {
				b.Run(name+"/forward/"+family, func(b *testing.B) { reportMACs(b, family, s[0]*s[1], noPeak, op.TernaryMM{}, z, w) })
			}
			if _, variant := prepareOf(b, []string{family}, op.TernaryMM{TB: true}, g, w); variant != Law {
				b.Run(name+"/transposed/"+family, func(b *testing.B) { reportMACs(b, family, s[0]*s[1], noPeak, op.TernaryMM{TB: true}, g, w) })
			}
		}
	}
}

// noPeak: the rate of integer additions has no one roof.
func noPeak([]string) float64 { return 0 }

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
