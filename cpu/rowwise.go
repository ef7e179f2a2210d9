package cpu

import (
	"math/bits"
	"reflect"
	"slices"

	"lockstep/op"
)

// A rowRule tells, of an op of whose results each row (index of the first axis) hangs on the same row of some operands and on nothing else of them, what
// computes a band of 1/count of the rows: the op, and by which operands (bit i: operand i) the same band of it is read; the others it reads whole. It gives
// nil of an op that is no such, or not with these operands. The results have a first axis; types are held against Shape by who asks.
type rowRule func(o op.Op, in []op.Type, count int) (band op.Op, by uint32)

// rowRules holds the rules of the ops that are not pointwise, by kind.
var rowRules = map[reflect.Type]rowRule{}

func rowwise[O op.Op](rule func(o O, in []op.Type, count int) (band op.Op, by uint32)) {
	rowRules[reflect.TypeFor[O]()] = func(o op.Op, in []op.Type, count int) (op.Op, uint32) { return rule(o.(O), in, count) }
}

// bandOf asks the rule of an op; nil: it does not go by rows.
func bandOf(o op.Op, in []op.Type, count int) (band op.Op, by uint32) {
	if _, is := o.(op.Pointwise); is {
		return o, 1<<len(in) - 1
	}
	if d, is := o.(op.Twofold); is {
		of, with := d.Primal()
		n := len(in) - bits.OnesCount32(with)
		rule := rowRules[reflect.TypeOf(of)]
		if rule == nil {
			return nil, 0
		}
		band, by := rule(of, in[:n], count)
		if band != of { // its attributes would have to change, and no dual has such
			return nil, 0
		}
		return o, withTangents(by, with, n)
	}
	if rule := rowRules[reflect.TypeOf(o)]; rule != nil {
		return rule(o, in, count)
	}
	return nil, 0
}

// withTangents adds, to those of its first n operands that a dual reads by rows, their tangents, which follow for the bits of with.
func withTangents(by, with uint32, n int) uint32 {
	at := n
	for i := range n {
		if with>>i&1 == 1 {
			by |= by >> i & 1 << at
			at++
		}
	}
	return by
}

func init() {
	rowwise(productByRows)
	rowwise(func(o op.MatMulJVP, in []op.Type, count int) (op.Op, uint32) {
		band, by := productByRows(op.MatMul(o), in[:2], count)
		if band == nil || len(in) > 4 {
			return nil, 0
		}
		return o, by | by<<2
	})
	rowwise(func(o op.Fill, in []op.Type, count int) (op.Op, uint32) {
		return op.Fill{DType: o.DType, Bits: o.Bits, To: fewerRows(o.To, count)}, 0
	})
	rowwise(func(o op.Reshape, in []op.Type, count int) (op.Op, uint32) {
		return op.Reshape{To: fewerRows(o.To, count)}, 1
	})
	rowwise(func(o op.Broadcast, in []op.Type, count int) (op.Op, uint32) {
		by := uint32(0)
		if in[0].Rank == o.To.Rank && in[0].At(0) == o.To.At(0) {
			by = 1
		}
		return op.Broadcast{To: fewerRows(o.To, count)}, by
	})
	rowwise(func(o op.Transpose, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Perm.Slice()[0] != 0, o, 1) })
	rowwise(func(o op.Sum, in []op.Type, _ int) (op.Op, uint32) {
		return unless(slices.Contains(o.Axes.Slice(), 0), o, 1)
	})
	rowwise(func(o op.Mean, in []op.Type, _ int) (op.Op, uint32) {
		return unless(slices.Contains(o.Axes.Slice(), 0), o, 1)
	})
	rowwise(func(o op.AMax, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.ArgMax, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.OneHot, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.Pick, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 3) })
	rowwise(func(o op.Slice, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.Pad, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.Split, in []op.Type, _ int) (op.Op, uint32) { return unless(o.Axis == 0, o, 1) })
	rowwise(func(o op.Concat, in []op.Type, _ int) (op.Op, uint32) {
		return unless(o.Axis == 0, o, 1<<len(in)-1)
	})
	rowwise(func(o op.Gather, in []op.Type, _ int) (op.Op, uint32) { return o, 2 })
	rowwise(func(o op.Softmax, in []op.Type, _ int) (op.Op, uint32) { return unless(in[0].Rank < 2, o, 1) })
	rowwise(func(o op.SoftmaxGrad, in []op.Type, _ int) (op.Op, uint32) { return unless(in[0].Rank < 2, o, 3) })
	rowwise(func(o op.LayerNorm, in []op.Type, _ int) (op.Op, uint32) { return unless(in[0].Rank < 2, o, 1) })
	rowwise(func(o op.LayerNormGrad, in []op.Type, _ int) (op.Op, uint32) {
		return unless(in[0].Rank < 2, o, 7)
	})
	rowwise(func(o op.Xent, in []op.Type, _ int) (op.Op, uint32) { return o, 3 })
	rowwise(func(o op.XentGrad, in []op.Type, _ int) (op.Op, uint32) { return o, 7 })
}

// productByRows: the rows of A are those of the product, or the first batch axis is theirs.
func productByRows(o op.MatMul, in []op.Type, _ int) (op.Op, uint32) {
	switch a, b := in[0].Rank, in[1].Rank; {
	case a > 2 && b > 2:
		return o, 3
	case a > 2:
		return o, 1
	case b > 2:
		return o, 2
	}
	return unless(o.TA, o, 1)
}

func unless(not bool, o op.Op, by uint32) (op.Op, uint32) {
	if not {
		return nil, 0
	}
	return o, by
}

// fewerRows is the shape of 1/count of the rows.
func fewerRows(s op.Shape, count int) op.Shape { return s.With(0, s.At(0)/count) }

// bandType is the type of 1/count of a value's rows, as a cell's; ok is false if there are no such.
func bandType(t op.Type, count int) (band op.Type, ok bool) {
	if t.Rank == 0 || t.At(0)%count != 0 || t.Words() != t.Len() || t.DType == op.I8 || t.DType == op.T2 {
		return t, false
	}
	return op.Type{DType: t.DType, Domain: op.Cell, Shape: fewerRows(t.Shape, count)}, true
}
