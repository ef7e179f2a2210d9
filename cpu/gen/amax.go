package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// amax generates the kernels of AMax and ArgMax. The maximum of float32 is that of integers: with all bits but the sign
// inverted where the sign is set, they have the law's order, -0 below +0 and the stored NaN, which is positive, above all.
func amax(c *build.Context) {
	widths(c, func(k *code) {
		maxRuns(k)
		for v := 1; v <= shortest/k.lanes(); v++ {
			maxShort(k, v)
		}
		firstRuns(k)
	})
}

// shortest is the length of runs up to which several are reduced together.
const shortest = 32

// order makes integers of float32, or of such integers float32.
func (k *code) order(x reg.VecVirtual) {
	t := k.reg()
	k.VPSRAD(operand.U8(31), x, t)
	k.VPSRLD(operand.U8(1), t, t)
	k.xor(t, x, x)
}

// lowest is below every number in that order.
const lowest = signBit

func maximum(k *code, y, x, z operand.Op) { k.VPMAXSD(y, x, z) }

// maxRuns generates the maxima of runs of contiguous elements, one run after the other.
func maxRuns(k *code) {
	k.begin("maxRuns", "y, x *uint32, runs, n int", "is the maximum of each of runs > 0 runs of n > 0 elements that follow one another.")
	y, x, runs := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "runs", 0)
	low := k.word(lowest)
	m, next := k.reg(), k.GP64()
	k.Label("run")
	k.VMOVAPS(low, m)
	n := load(k.Context, "n", 0)
	k.SUBQ(operand.U8(k.lanes()), n)
	k.JL(operand.LabelRef("rest"))
	k.Label("vector")
	v := k.reg()
	k.VMOVUPS(mem(x, 0), v)
	k.order(v)
	maximum(k, v, m, m)
	k.ADDQ(operand.U8(k.bytes()), x)
	k.SUBQ(operand.U8(k.lanes()), n)
	k.JGE(operand.LabelRef("vector"))
	k.Label("rest")
	k.ADDQ(operand.U8(k.lanes()), n)
	k.JZ(operand.LabelRef("within"))
	k.LEAQ(indexed(x, n, 4), next)
	mask, v := k.firstLanes(n), k.reg()
	k.loadMasked(mem(x, 0), mask, v)
	k.order(v)
	k.blend(mask, v, low, v)
	maximum(k, v, m, m)
	k.MOVQ(next, x)
	k.Label("within")
	k.within(m, func(y, x, z operand.Op) { maximum(k, y, x, z) })
	k.order(m)
	k.VMOVD(m.AsX(), mem(y, 0))
	k.ADDQ(operand.U8(4), y)
	k.DECQ(runs)
	k.JNZ(operand.LabelRef("run"))
	end(k.Context)
}

// maxShort generates the maxima of runs that fill some registers, as many at a time as one has lanes.
func maxShort(k *code, vectors int) {
	k.begin(fmt.Sprintf("maxShort%d", vectors), "y, x *uint32, groups, n int",
		fmt.Sprintf("is the maximum of each of groups > 0 times %d runs of n elements, %d < n <= %d, that follow one another.", k.lanes(), (vectors-1)*k.lanes(), vectors*k.lanes()))
	y, x, groups, n := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "groups", 0), load(k.Context, "n", 0)
	low := k.word(lowest)
	runs := k.newShortRuns(x, n, vectors)
	k.Label("group")
	runs.begin()
	m := k.together(func(run int) reg.VecVirtual {
		r := runs.load(run)
		for i := range r {
			k.order(r[i])
		}
		k.blend(runs.mask, r[vectors-1], low, r[vectors-1])
		for i := range r[1:] {
			maximum(k, r[i+1], r[0], r[0])
		}
		return r[0]
	}, maximum)
	k.order(m)
	k.VMOVUPS(m, mem(y, 0))
	runs.next()
	k.ADDQ(operand.U8(k.bytes()), y)
	k.DECQ(groups)
	k.JNZ(operand.LabelRef("group"))
	end(k.Context)
}

// firstRuns generates the search for a word in each of some runs. Lanes beyond the end of a run come after those in which it stands.
func firstRuns(k *code) {
	k.begin("firstRuns", "y, x, m *uint32, runs, n int", "is the index, in each of runs > 0 runs of n words, of the first that is the run's word of m, which must be there.")
	y, x, m := load(k.Context, "y", 0), load(k.Context, "x", 0), load(k.Context, "m", 0)
	runs, n := load(k.Context, "runs", 0), load(k.Context, "n", 0)
	at, left, found := k.GP64(), k.GP64(), k.GP32()
	word, v := k.reg(), k.reg()
	k.Label("run")
	k.VPBROADCASTD(mem(m, 0), word)
	k.XORQ(at, at)
	k.Label("vector")
	k.MOVQ(n, left)
	k.SUBQ(at, left)
	k.CMPQ(left, operand.U8(k.lanes()))
	k.JL(operand.LabelRef("rest"))
	k.VMOVUPS(indexed(x, at, 4), v)
	k.laneBits(k.equal(v, word), found)
	k.TESTL(found, found)
	k.JNZ(operand.LabelRef("found"))
	k.ADDQ(operand.U8(k.lanes()), at)
	k.JMP(operand.LabelRef("vector"))
	k.Label("rest")
	k.loadMasked(indexed(x, at, 4), k.firstLanes(left), v)
	k.laneBits(k.equal(v, word), found)
	k.Label("found")
	k.TZCNTL(found, found)
	k.ADDL(at.As32(), found)
	k.MOVL(found, mem(y, 0))
	k.LEAQ(indexed(x, n, 4), x)
	k.ADDQ(operand.U8(4), m)
	k.ADDQ(operand.U8(4), y)
	k.DECQ(runs)
	k.JNZ(operand.LabelRef("run"))
	end(k.Context)
}
