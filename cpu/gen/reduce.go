package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What the reductions share. A reduction joins lane l and lane l+h for h = lanes/2, .., 2, 1, which is the law's order for sums.

// join is the operation of a reduction, of registers of any size.
type join func(k *code, y, x, z operand.Op)

func addition(k *code, y, x, z operand.Op) { k.VADDPS(y, x, z) }

// together reduces each of as many vectors as one has lanes, to a vector of the results in their order. Two vectors are joined to
// one that has the halves of both, and so on, so that all but the first joins serve several.
func (k *code) together(vector func(i int) reg.VecVirtual, f join) reg.VecVirtual {
	// Vectors i and i + 1<<bits[0] are in the two halves of the last join, and so on: the order that the shuffles of parts make.
	bits := []int{1, 0, 2}
	if k.lanes() == 16 {
		bits = []int{1, 0, 3, 2}
	}
	var reduce func(first, level int) reg.VecVirtual
	reduce = func(first, level int) reg.VecVirtual {
		if level == len(bits) {
			return vector(first)
		}
		a, b := reduce(first, level+1), reduce(first+1<<bits[level], level+1)
		low, high := k.reg(), k.reg()
		k.parts(1<<level, a, b, low, high)
		f(k, high, low, low)
		return low
	}
	return reduce(0, 0)
}

// runs addresses as many runs of n words as a register has lanes, which follow one another.
type shortRuns struct {
	k       *code
	every4  []reg.GPVirtual // the first word of runs 0, 4, 8, ..
	one     reg.GPVirtual   // the bytes of a run
	three   reg.GPVirtual   // of three runs
	vectors int             // of a run
	mask    reg.Register    // what the last of these has
}

// newShortRuns is for runs at x of n words that fill some vectors, the last perhaps not whole. It changes n.
func (k *code) newShortRuns(x, n reg.GPVirtual, vectors int) *shortRuns {
	r := &shortRuns{k: k, every4: []reg.GPVirtual{x}, one: k.GP64(), three: k.GP64(), vectors: vectors}
	k.MOVQ(n, r.one)
	k.SHLQ(operand.U8(2), r.one)
	k.LEAQ(indexed(r.one, r.one, 2), r.three)
	for i := 4; i < k.lanes(); i += 4 {
		r.every4 = append(r.every4, k.GP64())
	}
	k.SUBQ(operand.U8((vectors-1)*k.lanes()), n)
	r.mask = k.firstLanes(n)
	return r
}

// begin addresses the runs of a group; next goes to the next group.
func (r *shortRuns) begin() {
	for i, p := range r.every4[1:] {
		r.k.LEAQ(indexed(r.every4[i], r.one, 4), p)
	}
}

func (r *shortRuns) next() {
	last := r.every4[len(r.every4)-1]
	r.k.LEAQ(indexed(last, r.one, 4), r.every4[0])
}

// load is the words of a run; lanes beyond its end are 0.
func (r *shortRuns) load(run int) []reg.VecVirtual {
	at := operand.Mem{Base: r.every4[run/4]}
	switch run % 4 {
	case 1, 2:
		at.Index, at.Scale = r.one, uint8(run%4)
	case 3:
		at.Index, at.Scale = r.three, 1
	}
	x := r.k.regs(r.vectors)
	for i := range x {
		if i < r.vectors-1 {
			r.k.VMOVUPS(at, x[i])
		} else {
			r.k.loadMasked(at, r.mask, x[i])
		}
		at.Disp += r.k.bytes()
	}
	return x
}
