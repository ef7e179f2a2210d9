//go:build cuda

package gpu

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

// The kernels of cuda/peak.cu do what is counted: every multiply-add of every chain, and a copy of every vector and no more.
func TestPeakKernels(t *testing.T) {
	if *onlyKernels != "" && !strings.Contains(*onlyKernels, "peak_") {
		t.Skipf("only the kernels %s are asked for", *onlyKernels)
	}
	e := device0(t)
	const blocks, rounds = 2, 21
	m := float32(-1 + 0x1p-20)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(e.withMemory(4*256*blocks, func(p uint64) error {
		_, err := e.timed(context.Background(), "peak_fma", blocks, 1, bytesOf(peakFMAArgs{view{base: p}, rounds, m}))
		check(err)
		got := make([]byte, 4*256*blocks)
		check(e.do(func() error { return e.stage.read(got, p) }))
		for i := range 256 * blocks {
			var sum float32
			for c := range peakChains {
				x := float32(i%1024 + c + 1)
				for range rounds {
					x = op.FMA32(x, m, 0x1p-10)
				}
				if c == 0 {
					sum = x
				} else {
					sum += x
				}
			}
			if g := binary.LittleEndian.Uint32(got[4*i:]); g != math.Float32bits(sum) {
				t.Fatalf("thread %d: %x; want %x", i, g, math.Float32bits(sum))
			}
		}
		return nil
	}))
	const vectors = peakVectors + 77           // a block and a part of one
	const bytes = 2 * peakVectors * peakVector // of the target; the source ends where the memory ends
	check(e.withMemory(bytes+vectors*peakVector, func(p uint64) error {
		want := make([]uint32, bytes/4)
		for i := range vectors * peakVector / 4 {
			want[i] = uint32(i)
		}
		check(e.do(func() error { return e.stage.write(p+bytes, op.Bytes(want)[:vectors*peakVector]) }))
		check(e.do(func() error { return e.dev.clear(p, bytes) }))
		_, err := e.timed(context.Background(), "peak_copy", 2, 3, bytesOf(peakCopyArgs{view{base: p}, view{base: p + bytes}, vectors}))
		check(err)
		got := make([]byte, bytes)
		check(e.do(func() error { return e.stage.read(got, p) }))
		if !slices.Equal(got, op.Bytes(want)) {
			t.Error("what was copied is not what was there")
		}
		return nil
	}))
}

func TestPeakStops(t *testing.T) {
	e := device0(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := e.Peak(ctx); err == nil {
		t.Errorf("%+v, though it was cancelled", p)
	}
}
