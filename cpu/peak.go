package cpu

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lockstep/graph"
	"lockstep/internal/memory"
)

var _ graph.Meter = (*Engine)(nil)

// Peak measures the machine on the engine's threads, all at work at once. Multiply-adds, with the vectors of the engine's variants:
// each thread's median over bursts of tens of microseconds, added up; so neighbours who take a core now and then do not lower it.
// Copy: the best of 9 copies of an array that is four times as large as the last cache.
func (e *Engine) Peak(ctx context.Context) (graph.Peak, error) { return e.peak(ctx, lastCache()) }

// peak is Peak where the last cache has so many bytes.
func (e *Engine) peak(ctx context.Context, cache int64) (graph.Peak, error) {
	if err := ctx.Err(); err != nil {
		return graph.Peak{}, err
	}
	threads := min(e.threads, runtime.NumCPU())
	p := graph.Peak{Cache: cache, Cells: e.threads}
	rates := make([]float64, threads)
	together(threads, func(i int) { rates[i] = medianPeak(201, e.variants) })
	for _, r := range rates {
		p.FMA += r
	}
	words := int(min(4*p.Cache, memory.Available()/8) / 4)
	src, dst := make([]uint32, words), make([]uint32, words)
	part := func(w []uint32, i int) []uint32 { return w[i*words/threads : (i+1)*words/threads] }
	together(threads, func(i int) {
		for j, s := 0, part(src, i); j < len(s); j++ {
			s[j] = uint32(j)*2654435761 + uint32(i)
		}
		copy(part(dst, i), part(src, i)) // so that its pages are there
	})
	for range 9 {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		start := time.Now()
		together(threads, func(i int) { copy(part(dst, i), part(src, i)) })
		p.Copy = max(p.Copy, float64(8*words)/time.Since(start).Seconds())
	}
	return p, nil
}

// together runs f on so many threads at once.
func together(threads int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func medianPeak(n int, families []string) float64 {
	rates := make([]float64, n)
	for i := range rates {
		rates[i] = peakFMA(families)
	}
	slices.Sort(rates)
	return rates[n/2]
}

// lastCache is the size of the last cache as Linux tells it, else 32 MiB.
func lastCache() int64 {
	for _, index := range []string{"index4", "index3", "index2"} {
		text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cache/" + index + "/size")
		if err != nil {
			continue
		}
		number, kib := strings.CutSuffix(strings.TrimSpace(string(text)), "K")
		if n, err := strconv.ParseInt(number, 10, 40); err == nil && kib && n > 0 {
			return n << 10
		}
	}
	return 32 << 20
}
