package gpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lockstep/graph"
)

type peakFMAArgs struct {
	out    view
	rounds uint32
	m      float32
}

type peakCopyArgs struct {
	to, from view
	vectors  uint64
}

var _ graph.Meter = (*Engine)(nil)

// Of the kernels of cuda/peak.cu.
const (
	peakChains  = 8    // multiply-adds a thread and round
	peakVectors = 1024 // a block copies
	peakVector  = 16   // bytes
	peakBlocks  = 8    // of 256 threads that a multiprocessor holds at once: 2048 threads
)

// How the peaks are measured: in bursts, as many as it takes an idle card to reach its clocks.
const (
	peakBurst  = 5 * time.Millisecond
	peakBursts = 9
	peakTime   = 300 * time.Millisecond
)

// Peak measures the card by the kernels of cuda/peak.cu: the best of 9 bursts or more, 0.3 s in all, of at least 5 ms each, by the
// host's clock, the queue empty before and after. The copy is of arrays eight times as large as the L2, or a quarter of the memory
// that is free, unless a single pass over less takes 50 ms: on the emulated driver.
func (e *Engine) Peak(ctx context.Context) (p graph.Peak, err error) {
	p.Cache = max(e.info.L2, 1<<20)
	if p.FMA, err = e.peakFMA(ctx); err == nil {
		p.Copy, err = e.peakCopy(ctx)
	}
	return p, err
}

// shortest is the time of the best of many bursts; the first took so long.
func shortest(took time.Duration, burst func() (time.Duration, error)) (time.Duration, error) {
	start := time.Now()
	for n := 1; n < peakBursts || time.Since(start) < peakTime; n++ {
		t, err := burst()
		if err != nil {
			return 0, err
		}
		took = min(took, t)
	}
	return took, nil
}

// peakFMA is in multiply-adds a second.
func (e *Engine) peakFMA(ctx context.Context) (rate float64, err error) {
	blocks := max(1, e.info.Multiprocessors) * peakBlocks
	err = e.withMemory(int64(4*256*blocks), func(p uint64) error {
		rounds := 64
		burst := func() (time.Duration, error) {
			return e.timed(ctx, "peak_fma", blocks, 1, bytesOf(peakFMAArgs{view{base: p}, uint32(rounds), -1 + 0x1p-20}))
		}
		took, err := burst()
		for err == nil && took < peakBurst && rounds < 1<<24 {
			rounds *= 2
			took, err = burst()
		}
		if err == nil {
			took, err = shortest(took, burst)
		}
		rate = float64(blocks) * 256 * peakChains * float64(rounds) / took.Seconds()
		return err
	})
	return rate, err
}

// peakCopy is in bytes a second, read and written.
func (e *Engine) peakCopy(ctx context.Context) (rate float64, err error) {
	most := max(1<<20, min(8*e.info.L2, e.info.Free/4)) / peakVector * peakVector
	err = e.withMemory(2*most, func(p uint64) error {
		if err := e.noise(p, most); err != nil {
			return err
		}
		size, times := int64(1<<20), 1
		burst := func() (time.Duration, error) {
			n := size / peakVector
			return e.timed(ctx, "peak_copy", blocks(int(n), peakVectors), times, bytesOf(peakCopyArgs{view{base: p + uint64(most)}, view{base: p}, uint64(n)}))
		}
		took, err := burst()
		for err == nil && size < most && took < 10*peakBurst {
			size = min(2*size, most)
			took, err = burst()
		}
		for err == nil && took < peakBurst {
			times *= 2
			took, err = burst()
		}
		if err == nil {
			took, err = shortest(took, burst)
		}
		rate = 2 * float64(size) * float64(times) / took.Seconds()
		return err
	})
	return rate, err
}

// noise fills memory with numbers that are not all alike: the words count up.
func (e *Engine) noise(p uint64, bytes int64) error {
	return e.do(func() error {
		f, err := e.function("iota", 0)
		if err != nil {
			return err
		}
		const piece = 1 << 30 // words: well below what a grid takes
		for words := bytes / 4; words > 0 && err == nil; words -= piece {
			n := min(words, piece)
			err = e.dev.launch(f, [3]int{blocks(int(n), perBlock), 1, 1}, 256, 0, 1, bytesOf(iotaArgs{view{base: p + uint64(4*(words-n))}, uint64(n)}))
		}
		return err
	})
}

// withMemory lends memory of the device to f.
func (e *Engine) withMemory(bytes int64, f func(p uint64) error) error {
	var p uint64
	err := e.do(func() (err error) { p, err = e.dev.alloc(bytes); return err })
	if err != nil {
		return fmt.Errorf("cuda: %.1f MB to measure the card: %w", float64(bytes)/1e6, err)
	}
	return errors.Join(f(p), e.do(func() error { return e.dev.free(p) }))
}

// timed runs a kernel of 256 threads a block so many times, one after the other, and tells how long all took together.
func (e *Engine) timed(ctx context.Context, kernel string, blocks, times int, args argument) (took time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = e.do(func() error {
		f, err := e.function(kernel, 0)
		if err == nil {
			err = e.dev.sync()
		}
		start := time.Now()
		for i := 0; i < times && err == nil; i++ {
			err = e.dev.launch(f, [3]int{blocks, 1, 1}, 256, 0, 1, args)
		}
		if err == nil {
			err = e.dev.sync()
		}
		took = time.Since(start)
		return err
	})
	return took, err
}
