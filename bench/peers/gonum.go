package main

import (
	"context"
	"runtime"
	"sync"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"lockstep/op"
)

// gonum multiplies by blas32.Gemm of gonum.org/v1/gonum: Go, and assembly for vectors.
type gonum struct {
	threads int
	data    *inputs
}

func matrix(rows, cols int, x []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: x}
}

// matmul makes a batch of products ready. Gemm takes one product to several threads only if it is large, so a batch is cut among
// threads, too.
func (g gonum) matmul(_ context.Context, m product) (burst, prepared, error) {
	type operands struct{ a, b, c blas32.General }
	all := make([]operands, m.Batch)
	for i := range all {
		x := make([]float32, m.N*m.N)
		for j := range x {
			x[j] = element(i, j)
		}
		all[i] = operands{matrix(m.N, m.N, x), matrix(m.N, m.N, x), matrix(m.N, m.N, make([]float32, m.N*m.N))}
	}
	multiply := func(some []operands) {
		for _, o := range some {
			blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, o.a, o.b, 0, o.c)
		}
	}
	once := func(_ context.Context, steps int) error {
		for range steps {
			if g.threads == 1 || m.Batch == 1 {
				multiply(all)
				continue
			}
			var wg sync.WaitGroup
			for t := range g.threads {
				wg.Go(func() { multiply(all[t*m.Batch/g.threads : (t+1)*m.Batch/g.threads]) })
			}
			wg.Wait()
		}
		return nil
	}
	var p pace
	return func(ctx context.Context, d time.Duration) (float64, time.Duration, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(g.threads))
		return p.timed(ctx, d, m.macs(), once)
	}, prepared{Way: "blas32.Gemm"}, nil
}

// logits are those of the test rows by theta0 of seed 0, in batches of so many rows.
func (g gonum) logits(_ context.Context, rows int) (words []byte, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(g.threads))
	theta, total := g.data.theta0.F()[:g.data.theta0.At(1)], g.data.testX.At(0)
	for from := 0; from < total; from += rows {
		n, in := min(rows, total-from), g.data.testX.At(1)
		x, rest := g.data.testX.F()[from*in:(from+n)*in], theta
		for layer, out := range []int{64, 64, 10} {
			y := make([]float32, n*out)
			blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, matrix(n, in, x), matrix(in, out, rest[:in*out]), 0, matrix(n, out, y))
			for i := range y {
				y[i] += rest[in*out+i%out]
				if layer < 2 {
					y[i] = max(y[i], 0)
				}
			}
			x, in, rest = y, out, rest[in*out+out:]
		}
		words = append(words, op.Bytes(op.Float32s(op.S(len(x)), x...).W)...)
	}
	return words, nil
}
