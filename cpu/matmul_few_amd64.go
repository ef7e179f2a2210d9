//go:build !purego

package cpu

import (
	"unsafe"

	"lockstep/op"
)

// few is the number of terms that go at a time: all of a chunk, or, of the transpose of a tall A, so many as the first-level cache holds of the rows of both
// operands: else each tile would fetch its columns of all rows from afar, or of a packed copy.
func (p *product) few(terms int, b operandsAB) int {
	row := 4 * (p.M + p.N)
	if b[1] != nil {
		row *= 2
	}
	n := fewNear / row / 8 * 8
	if p.AM != 1 || p.BN != 1 || p.M < fewest || max(p.AK, p.BK) > nearRows || n < fewest || terms <= 2*n {
		return op.Chunk
	}
	return n
}

const (
	fewNear  = 24 << 10                                                // bytes of the first-level cache for the rows of few terms
	mostSums = (fewNear / 4 / fewest / 2) * (fewNear / 4 / fewest / 2) // words of C, at most, where terms go a few at a time: then M + N <= fewNear / 4 / fewest
	fewest   = 16                                                      // terms at a time, each of which fetches and stores the chains of a tile; and rows, which use what is fetched
	nearRows = 256                                                     // words from one row to the next, at most: the lines of rows that lie further apart would share the same few sets of the cache
)

// target is where a chunk's chains go: C, or X and the chains, see tileKernel.
type target struct {
	c, x            []float32
	at, cm, xm, add int
}

// target is that of the chunk from term r on, of entry e of the batch; x is added to it, or else what C has of the chunks before.
func (p *product) target(e, r int, c, x []float32) target {
	t := target{c: c, x: x, at: p.c.at(e), cm: p.cm, xm: p.xm, add: r}
	switch {
	case x != nil:
		t.add = 1
	case p.on:
		t.add = -1
	}
	return t
}

// from is the result of a row and of the columns from j on.
func (t target) from(row, j int) *float32 { return &t.c[t.at+row*t.cm+j] }

// plus is what is added to it.
func (t target) plus(row, j int) *float32 {
	if t.x == nil {
		return t.from(row, j)
	}
	return &t.x[row*t.xm+j]
}

// addSums adds chains that went a few terms at a time to what they are added to.
func (q portion) addSums(to, sums target) {
	word := func(p *float32) *uint32 { return (*uint32)(unsafe.Pointer(p)) }
	for row := range q.M {
		q.tiles.add(word(to.from(row, q.from)), word(to.plus(row, q.from)), word(sums.from(row, q.from)), q.end-q.from)
	}
}
