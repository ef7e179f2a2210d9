package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lawLanes is the number of interleaved partial sums of a Sum's segment.
const lawLanes = 32

// sum generates the kernels of Sum, each for a segment: at most 1024 terms of a result.
func sum(c *build.Context) {
	widths(c, func(k *code) {
		sumRuns(k)
		for v := 1; v <= lawLanes/k.lanes(); v++ {
			sumShort(k, v)
		}
		sumColumns(k)
		accumulate(k)
	})
}

// sumRuns generates the sums of runs of contiguous elements, one run after the other: the 32 lanes of the law are four registers,
// or two.
func sumRuns(k *code) {
	k.begin("sumRuns", "y, x *float32, runs, n int", "sums runs > 0 runs of n elements, 0 < n <= 1024, that follow one another, each in the order of one segment.")
	y, x, runs := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "runs", 0)
	k.preload(func(k *code) { k.number(nanBits) })
	lanes, next := k.regs(lawLanes/k.lanes()), k.GP64()
	k.Label("run")
	k.clear(lanes...)
	n := load(k.Context, "n", 0)
	k.SUBQ(operand.U8(lawLanes), n)
	k.JL(operand.LabelRef("rest"))
	k.Label("round")
	for i, l := range lanes {
		k.VADDPS(mem(x, k.bytes()*i), l, l)
	}
	k.SUBQ(operand.I8(-4*lawLanes), x)
	k.SUBQ(operand.U8(lawLanes), n)
	k.JGE(operand.LabelRef("round"))
	k.Label("rest")
	k.ADDQ(operand.U8(lawLanes), n)
	k.JZ(operand.LabelRef("tree"))
	// Fewer than 32 elements are left. Adding +0 to a lane without one changes nothing, for no lane is -0.
	k.LEAQ(indexed(x, n, 4), next)
	for i, mask := range k.firstOf32(n) {
		part := k.reg()
		k.loadMasked(mem(x, k.bytes()*i), mask, part)
		k.VADDPS(part, lanes[i], lanes[i])
	}
	k.MOVQ(next, x)
	k.Label("tree")
	for h := len(lanes) / 2; h > 0; h /= 2 { // in registers
		for i := range h {
			k.VADDPS(lanes[i+h], lanes[i], lanes[i])
		}
	}
	s := lanes[0]
	k.within(s, func(y, x, z operand.Op) { addition(k, y, x, z) })
	k.canonical(s, s, s)
	k.VMOVSS(s.AsX(), mem(y, 0))
	k.ADDQ(operand.U8(4), y)
	k.DECQ(runs)
	k.JNZ(operand.LabelRef("run"))
	end(k.Context)
}

// sumShort generates the sums of runs that fill some registers, at most four of 8 or two of 16, as many at a time as one has lanes.
// The lanes of the law start with the elements and not with +0, which shows in zeros alone: -0 if all elements are, which +0, added
// at the end, mends.
func sumShort(k *code, vectors int) {
	k.begin(fmt.Sprintf("sumShort%d", vectors), "y, x *float32, groups, n int",
		fmt.Sprintf("sums groups > 0 times %d runs of n elements, %d < n <= %d, that follow one another.", k.lanes(), (vectors-1)*k.lanes(), vectors*k.lanes()))
	y, x, groups, n := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "groups", 0), load(k.Context, "n", 0)
	k.preload(func(k *code) { k.number(nanBits) })
	runs := k.newShortRuns(x, n, vectors)
	k.Label("group")
	runs.begin()
	s := k.together(func(run int) reg.VecVirtual {
		r := runs.load(run)
		for h := 2; h > 0; h /= 2 { // in registers: lane l and lane l + h*lanes
			for i := range h {
				if i+h < len(r) {
					k.VADDPS(r[i+h], r[i], r[i])
				}
			}
			r = r[:min(h, len(r))]
		}
		return r[0]
	}, addition)
	k.VADDPS(k.fresh(zeroBits), s, s)
	k.canonical(s, s, s)
	k.VMOVUPS(s, mem(y, 0))
	runs.next()
	k.ADDQ(operand.U8(k.bytes()), y)
	k.DECQ(groups)
	k.JNZ(operand.LabelRef("group"))
	end(k.Context)
}

// sumColumns generates the sums of columns. The tree of the law is walked depth first, so that six registers hold what is not
// joined yet, and the rows of a lane are added while they are read.
func sumColumns(k *code) {
	k.begin("sumColumns", "y, x *float32, n, columns, stride int", "sums each of columns > 0 columns of n rows, 0 < n <= 1024, stride words apart, in the order of one segment.")
	y, x, columns, stride := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "columns", 0), load(k.Context, "stride", 2)
	n, round := load(k.Context, "n", 0), k.GP64()
	k.preload(func(k *code) { k.number(nanBits) })
	k.MOVQ(stride, round)
	k.SHLQ(operand.U8(5), round) // 32 rows
	wide := 2 * k.lanes() / 8    // registers of a block: six of each for the tree
	left := 0                    // columns is the number of those left, less these
	for _, vectors := range []int{wide, 1} {
		loop, next := fmt.Sprintf("by%d", vectors), fmt.Sprintf("after%d", vectors)
		k.SUBQ(operand.I32(vectors*k.lanes()-left), columns)
		k.JL(operand.LabelRef(next))
		k.Label(loop)
		block := columnBlock{k, loop, x, n, stride, round, vectors, nil}
		for i, s := range block.tree(0, 1) {
			k.VMOVUPS(k.canonical(s, s, s), mem(y, i*k.bytes()))
		}
		k.ADDQ(operand.U32(vectors*k.bytes()), x)
		k.ADDQ(operand.U32(vectors*k.bytes()), y)
		k.SUBQ(operand.U32(vectors*k.lanes()), columns)
		k.JGE(operand.LabelRef(loop))
		k.Label(next)
		left = vectors * k.lanes()
	}
	k.ADDQ(operand.U8(left), columns)
	k.JZ(operand.LabelRef("done"))
	block := columnBlock{k, "rest", x, n, stride, round, 1, k.firstLanes(columns)}
	s := block.tree(0, 1)[0]
	k.storeMasked(k.canonical(s, s, s), block.mask, mem(y, 0))
	k.Label("done")
	end(k.Context)
}

// columnBlock is some vectors of columns at x. The stride, and that of 32 rows, are in bytes.
type columnBlock struct {
	k                   *code
	name                string
	x, n, stride, round reg.GPVirtual
	vectors             int
	mask                reg.Register // of the columns that there are; nil: all
}

// tree is lane l after the tree's step h, where lanes below h are left; for h = 32, the lane as the rows fill it.
func (b columnBlock) tree(l, h int) []reg.VecVirtual {
	if h == lawLanes {
		return b.lane(l)
	}
	s, t := b.tree(l, 2*h), b.tree(l+h, 2*h)
	for i := range s {
		b.k.VADDPS(t[i], s[i], s[i])
	}
	return s
}

// lane adds rows l, l+32, ..
func (b columnBlock) lane(l int) []reg.VecVirtual {
	k, s := b.k, b.k.regs(b.vectors)
	k.clear(s...)
	loop, done := fmt.Sprintf("%s_lane%d", b.name, l), fmt.Sprintf("%s_after%d", b.name, l)
	p, left := k.GP64(), k.GP64()
	k.MOVQ(b.n, left)
	k.SUBQ(operand.U8(l), left)
	k.JLE(operand.LabelRef(done))
	k.IMUL3Q(operand.U8(l), b.stride, p)
	k.ADDQ(b.x, p)
	k.Label(loop)
	for i := range s {
		from := operand.Op(mem(p, i*k.bytes()))
		if b.mask != nil {
			part := k.reg()
			k.loadMasked(mem(p, 0), b.mask, part)
			from = part
		}
		k.VADDPS(from, s[i], s[i])
	}
	k.ADDQ(b.round, p)
	k.SUBQ(operand.U8(lawLanes), left)
	k.JG(operand.LabelRef(loop))
	k.Label(done)
	return s
}

// accumulate generates y[i] += x[i] for the lanes of many columns at once, in an array.
func accumulate(k *code) {
	k.begin("accumulate", "y, x *float32, n int", "adds x[i] to y[i] for n > 0 elements; NaNs may be any.")
	y, x, n := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "n", 0)
	const unroll = 4
	r, size := k.regs(unroll), k.bytes()
	k.SUBQ(operand.U32(unroll*k.lanes()), n)
	k.JL(operand.LabelRef("vectors"))
	k.Label("quads")
	for i := range r {
		k.VMOVUPS(mem(y, size*i), r[i])
		k.VADDPS(mem(x, size*i), r[i], r[i])
		k.VMOVUPS(r[i], mem(y, size*i))
	}
	k.ADDQ(operand.U32(unroll*size), x)
	k.ADDQ(operand.U32(unroll*size), y)
	k.SUBQ(operand.U32(unroll*k.lanes()), n)
	k.JGE(operand.LabelRef("quads"))
	k.Label("vectors")
	k.ADDQ(operand.U32((unroll-1)*k.lanes()), n)
	k.JL(operand.LabelRef("rest"))
	k.Label("vector")
	k.VMOVUPS(mem(y, 0), r[0])
	k.VADDPS(mem(x, 0), r[0], r[0])
	k.VMOVUPS(r[0], mem(y, 0))
	k.ADDQ(operand.U8(size), x)
	k.ADDQ(operand.U8(size), y)
	k.SUBQ(operand.U8(k.lanes()), n)
	k.JGE(operand.LabelRef("vector"))
	k.Label("rest")
	k.ADDQ(operand.U8(k.lanes()), n)
	k.JZ(operand.LabelRef("done"))
	mask := k.firstLanes(n)
	k.loadMasked(mem(y, 0), mask, r[0])
	k.loadMasked(mem(x, 0), mask, r[1])
	k.VADDPS(r[1], r[0], r[0])
	k.storeMasked(r[0], mask, mem(y, 0))
	k.Label("done")
	end(k.Context)
}
