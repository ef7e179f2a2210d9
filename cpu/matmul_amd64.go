//go:build !purego

package cpu

import (
	"math"
	"unsafe"

	"lockstep/op"
)

// The vector twins of MatMul and, in matmuljvp_amd64.go, of its tangent. Vectors run over the columns j, accumulators over the
// rows i, and nothing over k, so each output is the one chain of the law. A panel is two vectors of columns of B; a kernel goes
// down the rows of A in blocks, whose accumulators stay in registers while k runs over a chunk. Only the sum over the chunks
// goes through C.

func init() {
	for _, t := range matmulTiles {
		twin(t.family, func(o op.MatMul, in []op.Type) kernel {
			return newProduct(o, in[0].Shape, in[1].Shape, t).kernel()
		})
	}
}

func (p *product) kernel() kernel {
	return func(w *workspace, out, in []op.Tensor) {
		p.run(w, p.terms(in[2:]), out[0].F(), operandsAB{in[0].F(), nil}, operandsAB{in[1].F(), nil})
	}
}

func init() {
	scratch(productWords)
	scratch(func(o op.MatMulJVP, in []op.Type, cells int) int {
		return 2 * productWords(op.MatMul(o), in[:2], cells)
	})
}

// productWords are a packed panel of B, the packed rows of A, what a chunk of few terms at a time adds, a later chunk of a single row, and the rows of cells that lie apart.
func productWords(o op.MatMul, in []op.Type, cells int) int {
	const panel = 32 // columns of the widest
	d, _ := o.Dims(in[0].Shape, in[1].Shape)
	m, terms := d.M*cells, min(op.Chunk, d.K)
	words := panel*(terms+7) + d.N
	if d.AM == 1 {
		words += m*terms + min(m*d.N, mostSums)
	}
	if cells > 1 {
		words += m * (d.K + d.N)
	}
	return words
}

// A tileKernel computes some blocks of rows of a panel over k > 0 terms. a points to A at the first row and term, its
// strides are am from row to row and ak from term to term; b points to the panel's columns of the first term, the next
// term is at stride bk; c points to the outputs of the first row, stride cm. Strides are in words. da and db, laid out as a
// and b, are the tangents; the kernels of MatMul ignore them. The kernel sets C; or, if add is above 0, to X and the products, where
// the first row of X is at x, the next at stride xm, and X may be C;
// or takes its chains up again if add is below 0. Of the last
// vector the first cols columns exist: the kernels for tails touch no others, the rest take cols for all. What lies at ahead, step
// further for each term, is fetched into the cache; the kernels of MatMulJVP ignore it.
type tileKernel func(blocks, k int, a, da *float32, am, ak int, b, db *float32, bk int, c *float32, cm, add int, x *float32, xm, cols int, ahead *float32, step int)

// tileSet is the kernels of one family of instructions, by the rows of a block less 1.
type tileSet struct {
	family         string
	lanes          int
	whole          []tileKernel // of two vectors
	wide           []tileKernel // of two vectors, the second in part
	narrow         []tileKernel // of one vector, or a part of it
	half           []tileKernel // of half a vector, or a part of it: two of these take the time of a whole one
	apart          int          // words from one row of B to the next, up to which it is faster not to pack it: measured on Zen 4, where 512 bits are two passes of a unit
	packRows       func(dst, src *float32, k, stride int)
	packTransposed func(dst, src *float32, k, stride, n int)
	fetch          func(p *float32, lines int)
	add            strip2
}

var matmulHalf = []tileKernel{
	matmul1x8tailAVX2, matmul2x8tailAVX2, matmul3x8tailAVX2, matmul4x8tailAVX2, matmul5x8tailAVX2, matmul6x8tailAVX2,
	matmul7x8tailAVX2, matmul8x8tailAVX2, matmul9x8tailAVX2, matmul10x8tailAVX2, matmul11x8tailAVX2, matmul12x8tailAVX2,
}

var matmulTiles = []*tileSet{
	{
		"avx2", 8,
		[]tileKernel{matmul1x16AVX2, matmul2x16AVX2, matmul3x16AVX2, matmul4x16AVX2, matmul5x16AVX2, matmul6x16AVX2},
		[]tileKernel{matmul1x16tailAVX2, matmul2x16tailAVX2, matmul3x16tailAVX2, matmul4x16tailAVX2, matmul5x16tailAVX2, matmul6x16tailAVX2},
		matmulHalf,
		nil, 0, packRowsAVX2, packTransposedAVX2, fetchLinesAVX2, stripAddAVX2,
	},
	{
		"avx512", 16,
		[]tileKernel{
			matmul1x32tailAVX512, matmul2x32tailAVX512, matmul3x32tailAVX512, matmul4x32tailAVX512,
			matmul5x32tailAVX512, matmul6x32tailAVX512, matmul7x32tailAVX512, matmul8x32tailAVX512,
		},
		[]tileKernel{
			matmul1x32tailAVX512, matmul2x32tailAVX512, matmul3x32tailAVX512, matmul4x32tailAVX512,
			matmul5x32tailAVX512, matmul6x32tailAVX512, matmul7x32tailAVX512, matmul8x32tailAVX512,
		},
		[]tileKernel{
			matmul1x16tailAVX512, matmul2x16tailAVX512, matmul3x16tailAVX512, matmul4x16tailAVX512, matmul5x16tailAVX512, matmul6x16tailAVX512,
			matmul7x16tailAVX512, matmul8x16tailAVX512, matmul9x16tailAVX512, matmul10x16tailAVX512, matmul11x16tailAVX512, matmul12x16tailAVX512,
		},
		matmulHalf, math.MaxInt, packRowsAVX512, packTransposedAVX512, fetchLinesAVX512, stripAddAVX512,
	},
}

// panel is the number of columns of a panel.
func (t *tileSet) panel() int { return 2 * t.lanes }

// kernels are those for a panel of so many columns, and the columns of its last vector.
func (t *tileSet) kernels(cols int) (byRows []tileKernel, last int) {
	switch {
	case cols <= t.lanes/2 && t.half != nil:
		return t.half, cols
	case cols <= t.lanes:
		return t.narrow, cols
	case cols < t.panel():
		return t.wide, cols - t.lanes
	}
	return t.whole, t.lanes
}

// span is a number of blocks of equally many rows.
type span struct{ blocks, rows int }

// spans cuts m > 0 rows into the fewest blocks of at most so many, all equal or one row apart: small blocks have too few chains to
// hide the latency of an FMA.
func spans(m, most int) [2]span {
	blocks := (m + most - 1) / most
	return [2]span{{m % blocks, m/blocks + 1}, {blocks - m%blocks, m / blocks}}
}

// product is one matrix product, or a batch of them.
type product struct {
	op.MatDims
	cm      int  // stride of the rows of C
	xm      int  // of X, which is added to C
	a, b, c lies // the entries of the batch
	on      bool // C holds the chains of the terms before, of one chunk, and they go on
	tiles   *tileSet
}

// lies is how the entries of a batch lie in an operand or a result: that of head h of example i at the word i outer + h inner. Entries that follow
// one another are examples of one head.
type lies struct{ heads, outer, inner int }

func (l lies) at(e int) int {
	if l.heads == 1 {
		return e * l.outer
	}
	return e/l.heads*l.outer + e%l.heads*l.inner
}

// operandsAB are an operand and, for a tangent, its tangent.
type operandsAB [2][]float32

// fetch brings what the next example has of x into the caches, a part with each head of this one: the rows of a head lie too far apart for the
// processor to guess the next.
func (l lies) fetch(t *tileSet, x []float32, e int) {
	const most = 8 << 10 / 4 // words of an example: more would displace what is needed now
	if l.heads == 1 || l.outer > most {
		return
	}
	share := l.outer / l.heads
	if at := (e/l.heads+1)*l.outer + e%l.heads*share; at+share <= len(x) && share >= 16 {
		t.fetch(&x[at], share/16)
	}
}

// newProduct is the product of operands of shapes a and b.
func newProduct(o op.MatMul, a, b op.Shape, t *tileSet) *product {
	d, _ := o.Dims(a, b)
	if d.BBatch == 0 && d.AK == 1 && d.ABatch == d.M*d.AM { // the rows of all batch entries follow one another
		d.M, d.Batch = d.M*d.Batch, 1
	}
	return &product{MatDims: d, cm: d.N, a: lies{1, d.ABatch, 0}, b: lies{1, d.BBatch, 0}, c: lies{1, d.M * d.N, 0}, tiles: t}
}

// terms is the number of terms to execute; klen is the operand of this name, if there is one.
func (p *product) terms(klen []op.Tensor) int {
	if len(klen) > 0 {
		return clampLen(klen[0], p.K)
	}
	return p.K
}

// run computes C = A B over the first terms.
func (p *product) run(w *workspace, terms int, c []float32, a, b operandsAB) {
	p.runPlus(w, terms, c, nil, a, b)
}

// runPlus computes C = X + A B of one chunk of terms, or, without X, run.
func (p *product) runPlus(w *workspace, terms int, c, x []float32, a, b operandsAB) {
	if terms == 0 || p.M == 0 || p.N == 0 { // of no term, so not on
		for e := range p.Batch {
			for i := range p.M {
				clear(c[p.c.at(e)+i*p.cm:][:p.N])
			}
		}
		return
	}
	p.cut(w, p.Batch*p.M*p.N*terms, func(w *workspace, q portion) {
		q.run(w, terms, results{c[q.to:]}, results{x}.from(q.ofX), a.from(q.ofA), b, [2]*tileSet{p.tiles})
	})
}

// results are C and, of a product with its tangent, dC; or what is added to them, nil where nothing is.
type results [2][]float32

// from are those from word n on.
func (r results) from(n int) results { return results(operandsAB(r).from(n)) }

// portion is a part of a product: some entries of its batch, some columns, and some rows, which are those of another product.
type portion struct {
	*product
	ofA, ofX, to int // where the rows begin in A, in X, and in C
	first, last  int // entries
	from, end    int // columns
}

// cut runs f on portions of the product, see workspace.split: on some entries of a batch; of one product on some columns, as whole panels, or,
// where there are few panels, on some rows, for which each thread packs all of B.
func (p *product) cut(w *workspace, work int, f func(w *workspace, q portion)) {
	rows, panels := len(p.tiles.whole), p.N/p.tiles.panel()
	switch whole := (portion{product: p, last: p.Batch, end: p.N}); {
	case p.Batch > 1:
		w.split(p.Batch, 1, work, func(w *workspace, from, to int) {
			q := whole
			q.first, q.last = from, to
			f(w, q)
		})
	case panels < 4 && p.M > 4*rows:
		w.split(p.M, rows, work, func(w *workspace, from, to int) {
			q, some := whole, *p
			some.M = to - from
			q.product, q.ofA, q.ofX, q.to = &some, from*p.AM, from*p.xm, from*p.cm
			f(w, q)
		})
	default:
		w.split(p.N, p.tiles.panel(), work, func(w *workspace, from, to int) {
			q := whole
			q.from, q.end = from, to
			f(w, q)
		})
	}
}

// from are the operands from word n on.
func (o operandsAB) from(n int) operandsAB {
	for i, x := range o {
		if x != nil {
			o[i] = x[n:]
		}
	}
	return o
}

// run computes the portion of one result, or two, each by its tiles: those of MatMul, of MatMulJVP, or both.
func (q portion) run(w *workspace, terms int, c, x results, a, b operandsAB, tiles [2]*tileSet) {
	if x[0] == nil && q.rowPays(q.end-q.from, b) { // the kernels of one row add nothing
		for e := q.first; e < q.last; e++ {
			q.row(w, e, terms, q.from, q.end, c[0], a[0], b[0])
		}
		return
	}
	var buf, bufA operandsAB
	for i := range b {
		if b[i] != nil {
			buf[i] = floats(w.Words(q.packed(terms, b, tiles)))
			bufA[i] = floats(w.Words(q.packedA(terms)))
		}
	}
	if q.last-q.first > 1 && q.end-q.from <= q.tiles.panel() && terms <= op.Chunk && len(bufA[0]) == 0 {
		q.small(terms, c, a, b, buf, tiles)
		return
	}
	var one [1]slab // enough, and no allocation, where A is not packed
	slabs, few := one[:0], q.few(terms, b)
	var sums results
	for i := range c {
		if few < op.Chunk && c[i] != nil && (x[i] != nil || terms > op.Chunk) {
			sums[i] = floats(w.Words(q.M * q.N))
		}
	}
	for e := q.first; e < q.last; e++ {
		for r := 0; r < terms; r += op.Chunk { // a chunk of A is in cache for all panels
			k := min(op.Chunk, terms-r)
			var to [2]target
			for i := range to {
				to[i] = q.target(e, r, c[i], x[i])
				if few < k && to[i].add > 0 {
					to[i] = target{c: sums[i], cm: q.N}
				}
			}
			for s := 0; s < k; s += few {
				n := min(few, k-s)
				slabs = q.slabs(slabs[:0], e, r+s, n, a, bufA)
				for j := q.from; j < q.end; j += q.tiles.panel() {
					panel := q.packPanel(e, j, r+s, n, b, buf)
					for i, t := range tiles {
						if t != nil {
							q.tilePanel(t, panel, slabs, to[i])
						}
					}
				}
				to[0].add, to[1].add = -1, -1 // the chains go on
			}
			for i, t := range tiles {
				if o := q.target(e, r, c[i], x[i]); t != nil && few < k && o.add > 0 {
					q.addSums(o, to[i])
				}
			}
		}
	}
}

// small computes a portion of many entries, of one panel and one chunk each: what all have in common is found once.
func (q portion) small(terms int, c results, a, b, buf operandsAB, tiles [2]*tileSet) {
	var kernels [2][]tileKernel
	cols, last, add := q.end-q.from, 0, 0
	for i, t := range tiles {
		if t != nil {
			kernels[i], last = t.kernels(cols)
		}
	}
	if q.on {
		add = -1
	}
	blocks := spans(q.M, len(kernels[0])) // tiles of a tangent have the same
	for e := q.first; e < q.last; e++ {
		atA, atB, atC := q.a.at(e), q.b.at(e)+q.from*q.BN, q.c.at(e)+q.from
		for i := range c {
			q.a.fetch(q.tiles, a[i], e)
			q.b.fetch(q.tiles, b[i], e)
			q.c.fetch(q.tiles, c[i], e)
		}
		var panel [2]*float32
		var bk int
		for i := range b {
			if b[i] != nil {
				panel[i], bk = q.pack(b[i][atB:], buf[i], terms, cols)
			}
		}
		row := 0
		for _, s := range blocks {
			if s.blocks == 0 {
				continue
			}
			x, dx := &a[0][atA+row*q.AM], (*float32)(nil)
			if a[1] != nil {
				dx = &a[1][atA+row*q.AM]
			}
			for i, k := range kernels {
				if k != nil {
					k[s.rows-1](s.blocks, terms, x, dx, q.AM, q.AK, panel[0], panel[1], bk, &c[i][atC+row*q.cm], q.cm, add, nil, 0, last, panel[0], 0)
				}
			}
			row += s.blocks * s.rows
		}
	}
}

// slab is some rows of A, m from row on, for the terms of a chunk.
type slab struct {
	row, m int
	a      [2]*float32
	am, ak int
}

// slabs appends the slabs of k terms from r on, of entry e of the batch: those that are packed into buf, and what is left of A.
func (p *product) slabs(slabs []slab, e, r, k int, a, buf operandsAB) []slab {
	row, size := 0, p.tiles.panel()
	at := func(x []float32) *float32 { return &x[p.a.at(e)+row*p.AM+r*p.AK] }
	for ; len(buf[0]) > 0 && row+size <= p.M; row += size {
		b := slab{row: row, m: size, am: 1, ak: size}
		for i := range a {
			if a[i] != nil {
				b.a[i] = &buf[i][row*k]
				p.tiles.packRows(b.a[i], at(a[i]), k, p.AK)
			}
		}
		slabs = append(slabs, b)
	}
	if row == p.M {
		return slabs
	}
	b := slab{row: row, m: p.M - row, am: p.AM, ak: p.AK}
	for i := range a {
		if a[i] != nil {
			b.a[i] = at(a[i])
		}
	}
	return append(slabs, b)
}

// packedPanel is a panel of B, and of its tangent if there is one, as the kernels of tiles take them.
type packedPanel struct {
	j, k, cols int
	from       [2]*float32
	bk         int
	ahead      *float32
	step       int
}

// packPanel makes ready the panel of k terms from r on and of the columns from j on, of entry e of the batch. buf is for packed panels; nothing, if they
// are used as they lie.
func (p *product) packPanel(e, j, r, k int, b, buf operandsAB) packedPanel {
	q := packedPanel{j: j, k: k, cols: min(p.N-j, p.tiles.panel())}
	for i := range b {
		if b[i] != nil {
			q.from[i], q.bk = p.pack(b[i][p.b.at(e)+r*p.BK+j*p.BN:], buf[i], k, q.cols)
		}
	}
	q.ahead = q.from[0]
	if p.BN == 1 && j+p.tiles.panel() < p.N && 4*p.K*p.N > fetchedAhead { // the next panel
		q.ahead, q.step = &b[0][p.b.at(e)+r*p.BK+j+p.tiles.panel()], p.BK
	}
	return q
}

// tilePanel goes down the slabs of A with the kernels of tiles.
func (p *product) tilePanel(tiles *tileSet, q packedPanel, slabs []slab, to target) {
	byRows, last := tiles.kernels(q.cols)
	j, k, from, bk, ahead, step := q.j, q.k, q.from, q.bk, q.ahead, q.step
	xm := to.cm
	if to.x != nil {
		xm = to.xm
	}
	for _, x := range slabs {
		row := 0
		for _, s := range spans(x.m, len(byRows)) {
			if s.blocks > 0 {
				da := x.a[1]
				if da != nil {
					da = skip(da, row*x.am)
				}
				at := x.row + row
				byRows[s.rows-1](s.blocks, k, skip(x.a[0], row*x.am), da, x.am, x.ak, from[0], from[1], bk, to.from(at, j), to.cm, to.add, to.plus(at, j), xm, last, ahead, step)
				row += s.blocks * s.rows
			}
		}
	}
}

// fetchedAhead is the size of B in bytes from which the next panel is fetched while one is used: its lines lie too far apart for the
// processor to guess them.
const fetchedAhead = 256 << 10

// packed is the number of words of a packed panel; 0 where panels are used as they lie. A panel whose columns are not
// contiguous must be packed. For others it pays if many rows use it and B is too large for the first-level cache, in
// which the rows of a panel, far apart, would displace each other; unless they spread over all of it, and the tiles get along with that.
func (p *product) packed(terms int, b operandsAB, tiles [2]*tileSet) int {
	const firstLevel = 24 << 10 // bytes
	if p.BN == 1 && (p.M < 24 || p.few(terms, b) < op.Chunk || 4*p.K*p.N <= firstLevel || p.spread(tiles)) {
		return 0
	}
	return p.tiles.panel() * (min(op.Chunk, terms) + 7) // packTransposed writes 8 terms at a time
}

// spread tells whether all tiles take rows of B as they lie: not those at multiples of 256 bytes, which share a part of a cache's sets.
func (p *product) spread(tiles [2]*tileSet) bool {
	for _, t := range tiles {
		if t != nil && (p.BK%64 == 0 || p.BK > t.apart) {
			return false
		}
	}
	return true
}

// packedA is the number of words of a chunk of A that is packed into slabs; 0 where it is used as it lies. It pays where the terms of
// a row lie so far apart, in so large an A, that their lines displace each other before all panels have used them.
func (p *product) packedA(terms int) int {
	if p.AM != 1 || p.AK < 256 || 4*p.AK*p.K <= 256<<10 || p.N < 4*p.tiles.panel() {
		return 0
	}
	return p.M / p.tiles.panel() * p.tiles.panel() * min(op.Chunk, terms)
}

// skip is the address n words further.
func skip(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*n)) }

// pack gives k terms of the panel that b begins with, and their stride. It packs them into buf if there is one; a tail with
// contiguous columns is left where it is.
func (p *product) pack(b, buf []float32, k, cols int) (panel *float32, stride int) {
	switch {
	case p.BN != 1:
		for j := 0; j < cols; j += 8 {
			p.tiles.packTransposed(&buf[j], &b[j*p.BN], k, p.BN, min(cols-j, 8))
		}
	case len(buf) == 0 || cols < p.tiles.panel():
		return &b[0], p.BK
	default:
		p.tiles.packRows(&buf[0], &b[0], k, p.BK)
	}
	return &buf[0], p.tiles.panel()
}
