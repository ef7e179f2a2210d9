package gpu

import (
	"cmp"
	"fmt"
	"slices"

	"lockstep/op"
)

type matMulArgs struct {
	out, a, b, klen, nlen view
	aBatch, bBatch        uint64
	batch, m, n, k        uint32
	aM, aK, bK, bN        uint32
	columns               uint32
	spread                spread
	slots, _              uint32
}

// spread is how the threads of a block of matmul_1x1 are shared out: it makes so many results of each of so many slots, by so many chunks of
// their chains at a time.
type spread struct{ results, cells, chunks uint32 }

// spreadOf fills a warp, with several cells where one is too small, and blocks of up to 128 threads, or of 256 with chunks of long chains. A
// block for each cell may have 256 (resident.go).
func spreadOf(results, k int, block bool) spread {
	const chunk, most, warp = 1024, 16, 32
	s := spread{cells: 1, chunks: uint32(min(most, max(1, blocks(k, chunk))))}
	threads := uint32(128)
	if s.chunks > 1 || block {
		threads = 256
	}
	s.results = min(uint32(max(1, results)), threads/s.chunks)
	if !block {
		s.cells = max(1, warp/(s.results*s.chunks))
	}
	return s
}

// threads are those of a block: whole warps.
func (s spread) threads() int { return blocks(int(s.results*s.cells*s.chunks), 32) * 32 }

// tile is a kernel PREFIX_MxN of matmul.cu, matmuljvp.cu or dualmatmul.cu: its results a block, and a thread.
type tile struct{ m, n, tm, tn int }

var (
	matMulTiles     = []tile{{128, 128, 8, 8}, {128, 64, 8, 4}, {64, 64, 8, 4}, {32, 32, 4, 2}, {64, 16, 2, 2}, {16, 64, 2, 2}}
	matMulJVPTiles  = []tile{{64, 32, 4, 2}, {32, 32, 2, 2}, {64, 16, 2, 2}, {16, 64, 2, 2}}
	dualMatMulTiles = append(slices.Clone(matMulJVPTiles), tile{64, 64, 8, 4}) // the last one has more shared memory than a kernel of resident may
)

func (t tile) kernel(prefix string) string { return fmt.Sprintf("%s_%dx%d", prefix, t.m, t.n) }

// cost is what a product costs with a tile, in words that threads read from shared memory: pads and all.
func (t tile) cost(m, n int) int {
	return blocks(m, t.m) * blocks(n, t.n) * t.m * t.n * (t.tm + t.tn) * 64 / (t.tm * t.tn)
}

// cheapest is the tile of the least cost, of equals the first.
func cheapest(tiles []tile, m, n int) tile {
	return slices.MinFunc(tiles, func(a, b tile) int { return cmp.Compare(a.cost(m, n), b.cost(m, n)) })
}

// maxZ is the largest z of a grid; kernels stride over it. Tests make it small.
var maxZ = 65535

// product is the launch of a matrix product: the kernel with the least cost for the shape, which has no say in the bits. A row,
// a column or a handful of results goes to matmul_1x1. Nil: more than 2^31 words.
func product(prefix string, tiles []tile, o op.MatMul, in, out []op.Type, args func(a matMulArgs, at places) argument) *plan {
	d, ok := o.Dims(in[0].Shape, in[1].Shape)
	if !ok || !small(in, out) {
		return nil
	}
	best := cheapest(tiles, d.M, d.N)
	l := launch{
		kernel: best.kernel(prefix),
		x:      blocks(d.M, best.m) * blocks(d.N, best.n),
		z:      min(d.Batch, maxZ),
		block:  best.m / best.tm * (best.n / best.tn),
	}
	s := spreadOf(d.M*d.N, d.K, false)
	if d.M == 1 || d.N == 1 || d.M*d.N <= 64 {
		l.kernel, l.x, l.block, l.cells = prefix+"_1x1", blocks(d.M*d.N, int(s.results)), s.threads(), int(s.cells)
	}
	l.args = func(at places) argument {
		a := matMulArgs{out: at.out[0], a: at.in[0], b: at.in[1], aBatch: uint64(d.ABatch), bBatch: uint64(d.BBatch),
			batch: uint32(d.Batch), m: uint32(d.M), n: uint32(d.N), k: uint32(d.K),
			aM: uint32(d.AM), aK: uint32(d.AK), bK: uint32(d.BK), bN: uint32(d.BN), columns: uint32(blocks(d.N, best.n)),
			spread: s, slots: uint32(at.slots)}
		return args(a, at)
	}
	return &plan{launches: []launch{l}}
}

var _ = kernel(func(o op.MatMul, in, out []op.Type) *plan {
	return product("matmul", matMulTiles, o, in, out, func(a matMulArgs, at places) argument {
		if len(at.in) == 3 {
			a.klen = at.in[2]
		}
		return bytesOf(a)
	})
})
