package cpu

import (
	"context"
	"testing"
	"time"

	"lockstep/graph"
	"lockstep/internal/memory"
	"lockstep/op"
)

// Peak's figures are of this machine, whatever the variant, and nothing is missing.
func TestPeak(t *testing.T) {
	e, err := New(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Peak(t.Context())
	if err != nil || p.Copy < 1e8 || p.Copy > 1e13 || p.Cache < 1<<16 || p.Cells != 2 || hasAVX2 != (p.FMA > 0) || p.FMA > 1e13 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, v := range Variants() { // a variant without vectors has the peak of the default ones
		e, err := New(Options{Threads: 1, Variants: []string{v}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.peak(t.Context(), 1<<20)
		if err != nil || hasAVX2 != (p.FMA > 0) || p.FMA > 1e13 {
			t.Errorf("%s: %+v, %v", v, p, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Peak(ctx); err == nil {
		t.Error("Peak goes on when it was cancelled")
	}
}

// The peaks are neither half nor twice what the machine does: a large product stays below that of multiply-adds, and so near to it as
// its kernel can; Go's own copies of the same size are as fast. Each is the best of several moments, taken in turn, so that a busy
// machine slows all of them: these are bounds of what the figures mean, not of speed.
func TestPeakIsTheMachines(t *testing.T) {
	e, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n = 512
	product := largeProduct(t, e, n)
	cache := min(lastCache(), 32<<20) // of more, a virtual machine has only a part, and filling it would take seconds
	words := int(min(4*cache, memory.Available()/8) / 4)
	src, dst := make([]uint32, words), make([]uint32, words)
	for i := range src {
		src[i] = uint32(i)
	}
	fast := func(work float64, f func()) float64 {
		start := time.Now()
		f()
		return work / time.Since(start).Seconds()
	}
	copy(dst, src)
	var peak graph.Peak
	var chains, rate, copied float64
	for range 6 {
		p, err := e.peak(t.Context(), cache)
		if err != nil {
			t.Fatal(err)
		}
		peak.FMA, peak.Copy = max(peak.FMA, p.FMA), max(peak.Copy, p.Copy)
		chains = max(chains, medianPeak(201, e.variants))
		for range 4 {
			rate = max(rate, fast(n*n*n, product))
			copied = max(copied, fast(float64(words)*4*2, func() { copy(dst, src) })) // read and written
		}
	}
	t.Logf("peak %.4g multiply-adds/s, product %.2f of it; copies %.4g B/s, Go's own %.2f of it", peak.FMA, rate/peak.FMA, peak.Copy, copied/peak.Copy)
	if hasAVX2 {
		if r := rate / peak.FMA; r > 1.1 || r < 0.25 {
			t.Errorf("a product of %d^3 makes %.3g multiply-adds a second, %.2f of the peak; want 0.25 to 1.1", n, rate, r)
		}
		if r := chains / peak.FMA; r > 1.5 || r < 1/1.5 {
			t.Errorf("the loop alone makes %.3g multiply-adds a second, %.2f of the peak on one thread; want about 1", chains, r)
		}
	}
	if r := copied / peak.Copy; r > 1.6 || r < 1/1.6 {
		t.Errorf("Go copies %.3g bytes a second, %.2f of the peak; want about 1", copied, r)
	}
}

// largeProduct makes a step of one product of n x n matrices ready.
func largeProduct(t *testing.T, e graph.Engine, n int) (run func()) {
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.State("x", b.Fill(1, n, n), op.Cell) // what hangs on no state is computed once
		b.Next(x, x)
		b.Output("xx", b.Do(op.MatMul{}, x, x))
	})
	if err != nil {
		t.Fatal(err)
	}
	pack, err := e.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pack.Close() })
	x, err := pack.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	run = func() {
		if err := x.Run(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	run()
	return run
}
