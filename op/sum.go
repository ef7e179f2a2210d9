package op

import "slices"

// Lanes is the number of interleaved partial sums of a Sum's segment.
const Lanes = 32

// Sum adds over a set of axes, which become axes of size 1.
//
//	x f32[s] -> f32[s with 1 at Axes]
//
// Order: the elements that fall on one result are numbered in row-major order. They are cut into segments of 1024. In a
// segment, lane l of 32 starts at +0 and adds elements l, l+32, .. ascending; then lane l adds lane l+h for h = 16, 8,
// 4, 2, 1. The results of the segments are summed by the same law. No element gives +0.
type Sum struct{ Axes Ints }

func (Sum) Name() string { return "sum" }
func (Sum) Class() Class { return Ordered }

func (o Sum) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	return reduced(o, in, o.Axes)
}

// reduced is the result of a reduction: 1 at the axes, which must be distinct, ascending and there.
func reduced(o Op, in []Type, axes Ints) ([]Type, error) {
	l, err := axes.parse()
	s := in[0].Shape
	for i, a := range l {
		if !isAxis(a, s) || i > 0 && a <= l[i-1] {
			return nil, bad(o, in, "ascending, distinct axes below %d", s.Rank)
		}
		s = s.With(a, 1)
	}
	if err != nil || List(l...) != axes {
		return nil, bad(o, in, "axes as a list such as 0,2")
	}
	return result(in[0].DType, s), nil
}

func (o Sum) Law(out, in []Tensor) {
	terms := make([][]float32, out[0].Len())
	for i, x := range in[0].F() {
		j := project(i, in[0].Shape, out[0].Shape)
		terms[j] = append(terms[j], x)
	}
	for j, x := range terms {
		out[0].SetF(j, SumLaw(x))
	}
}

// SumLaw sums a list in the declared order.
func SumLaw(x []float32) float32 {
	if len(x) <= Chunk {
		return sumSegment(x)
	}
	var partial []float32
	for s := range slices.Chunk(x, Chunk) {
		partial = append(partial, sumSegment(s))
	}
	return SumLaw(partial)
}

func sumSegment(x []float32) float32 {
	var lane [Lanes]float32
	for i, v := range x {
		lane[i%Lanes] += v
	}
	for h := Lanes / 2; h > 0; h /= 2 {
		for l := range h {
			lane[l] += lane[l+h]
		}
	}
	return lane[0]
}

func (o Sum) JVP(e Emitter, n Node, t []Value) []Value { return e.Emit(o, t[0]) }

func (o Sum) VJP(e Emitter, n Node, ct []Value) []Value {
	return e.Emit(Broadcast{e.Type(n.In[0]).Shape}, ct[0])
}

// Mean is Sum / float32(N), N the number of elements that fall on one result, N < 2^24; N = 0 gives NaN.
//
//	x f32[s] -> f32[s with 1 at Axes]
type Mean struct{ Axes Ints }

func (Mean) Name() string { return "mean" }
func (Mean) Class() Class { return Ordered }

func (o Mean) Shape(in []Type) ([]Type, error) {
	if err := operands(o, in, F32); err != nil {
		return nil, err
	}
	if o.count(in[0].Shape) >= 1<<24 {
		return nil, bad(o, in, "fewer than 2^24 elements a result, so that their number is a float32")
	}
	return reduced(o, in, o.Axes)
}

func (o Mean) count(s Shape) int {
	n := 1
	for _, a := range o.Axes.Slice() {
		if isAxis(a, s) {
			n *= s.At(a)
		}
	}
	return n
}

// Law is the law of the expansion: sum(x) / N.
func (o Mean) Law(out, in []Tensor) { ExpandLaw(o, out, in) }

func (o Mean) Expand(e Emitter, in []Value) []Value {
	return []Value{o.divide(e, one(e, Sum(o), in[0]), e.Type(in[0]).Shape)}
}

func (o Mean) divide(e Emitter, x Value, s Shape) Value {
	return one(e, Div, x, FillLike(e, float32(o.count(s)), x))
}

func (o Mean) JVP(e Emitter, n Node, t []Value) []Value { return o.Expand(e, t) }

func (o Mean) VJP(e Emitter, n Node, ct []Value) []Value {
	s := e.Type(n.In[0]).Shape
	return e.Emit(Broadcast{s}, o.divide(e, ct[0], s))
}
