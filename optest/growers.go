package optest

import (
	"slices"

	"lockstep/op"
)

// A grower chooses attributes and operands for an op of a kind.
type grower func(g *generator, kind op.Op) (o op.Op, in []op.Value)

// growers has one for each op of op.All.
var growers map[string]grower

func init() {
	growers = map[string]grower{
		"neg": growUnary, "exp": growUnary, "tanh": growUnary, "sinpi": growUnary, "cospi": growUnary, "relu": growUnary, "sigmoid": growUnary, "gelu": growUnary,
		"log": growRoot, "sqrt": growRoot, "rsqrt": growRoot,
		"add": growBinary, "sub": growBinary, "mul": growBinary, "max": growBinary, "min": growBinary, "div": growQuotient,
		"gt": growCompare, "ge": growCompare, "lt": growCompare, "le": growCompare, "eq": growCompare, "same": growCompare,
		"select": growSelect, "fill": growFill, "iota": growIota, "cast": growCast, "iadd": growIAdd,
		"matmul": growMatMul, "matmuljvp": growMatMulJVP, "matmultail": growMatMulTail, "ternarymm": growTernary, "ternarymmtail": growTernary,
		"sum":       growReduction(func(axes op.Ints) op.Op { return op.Sum{Axes: axes} }),
		"mean":      growReduction(func(axes op.Ints) op.Op { return op.Mean{Axes: axes} }),
		"amax":      growExtremum(func(axis int8) op.Op { return op.AMax{Axis: axis} }),
		"argmax":    growExtremum(func(axis int8) op.Op { return op.ArgMax{Axis: axis} }),
		"broadcast": growBroadcast, "onehot": growOneHot, "pick": growPick,
		"reshape": growReshape, "transpose": growTranspose, "slice": growSlice, "pad": growPad, "tail": growTail, "concat": growConcat, "split": growSplit,
		"putrow": growPutRow, "gather": growGather, "scatteradd": growScatterAdd,
		"softmax": growSoftmax, "softmaxgrad": growSoftmaxGrad, "layernorm": growLayerNorm, "layernormgrad": growLayerNormGrad,
		"xent": growXent, "xentgrad": growXent,
		"dualmatmul": growDual, "dualtanh": growDual, "dualsigmoid": growDual, "dualgelu": growDual, "dualsoftmax": growDual, "dualsoftmaxgrad": growDual, "dualxentgrad": growDual,
		"duallayernorm": growDual, "duallayernormgrad": growDual,
		"uniform":    growDraw(func(g *generator, s op.Shape) op.Op { return op.Uniform{To: s, Lo: op.B(-1), Hi: op.B(2)} }),
		"normal":     growDraw(func(g *generator, s op.Shape) op.Op { return op.Normal{To: s} }),
		"rademacher": growDraw(func(g *generator, s op.Shape) op.Op { return op.Rademacher{To: s} }),
		"randint":    growDraw(func(g *generator, s op.Shape) op.Op { return op.RandInt{To: s, N: uint32(1 + g.below(12))} }),
		"ternary": growDraw(func(g *generator, s op.Shape) op.Op {
			return op.Ternary{Rows: int32(s.Len() % 50), Cols: int32(g.dims(1)[0])}
		}),
		"batch": growBatch,
	}
}

func growUnary(g *generator, kind op.Op) (op.Op, []op.Value) {
	return kind, []op.Value{g.any(op.F32, 0, op.MaxRank)}
}

// growRoot takes, where it must be smooth, 1 + x^2.
func growRoot(g *generator, kind op.Op) (op.Op, []op.Value) {
	return kind, []op.Value{g.positive(g.any(op.F32, 0, op.MaxRank))}
}

func (g *generator) positive(x op.Value) op.Value {
	if !g.smooth {
		return x
	}
	return g.b.Do(op.Add, op.FillLike(g.b, 1, x), g.b.Do(op.Mul, x, x))
}

func growBinary(g *generator, kind op.Op) (op.Op, []op.Value) {
	a := g.any(op.F32, 0, op.MaxRank)
	return kind, []op.Value{a, g.value(op.F32, g.b.Type(a).Dims()...)}
}

func growQuotient(g *generator, kind op.Op) (op.Op, []op.Value) {
	a := g.any(op.F32, 0, op.MaxRank)
	return kind, []op.Value{a, g.positive(g.value(op.F32, g.b.Type(a).Dims()...))}
}

func growCompare(g *generator, kind op.Op) (op.Op, []op.Value) {
	d := choose(g, op.F32, op.U32, op.I32)
	a := g.any(d, 0, op.MaxRank)
	return kind, []op.Value{a, g.value(d, g.b.Type(a).Dims()...)}
}

func growSelect(g *generator, kind op.Op) (op.Op, []op.Value) {
	c := g.any(op.Bool, 0, op.MaxRank)
	d, dims := g.moved(), g.b.Type(c).Dims()
	return kind, []op.Value{c, g.value(d, dims...), g.value(d, dims...)}
}

// moved is an element type that is copied; where it must be smooth, one that has derivatives.
func (g *generator) moved() op.DType {
	if g.smooth {
		return op.F32
	}
	return choose(g, op.F32, op.F32, op.U32, op.I32, op.Bool)
}

// rows is f32, or u32 where it need not be smooth: what can be gathered.
func (g *generator) rows() op.DType {
	if g.smooth {
		return op.F32
	}
	return choose(g, op.F32, op.F32, op.U32)
}

func growFill(g *generator, _ op.Op) (op.Op, []op.Value) {
	d := g.moved()
	return op.Fill{DType: d, Bits: g.constant(d), To: op.S(g.dims(g.below(4))...)}, nil
}

func growIota(g *generator, _ op.Op) (op.Op, []op.Value) {
	return op.Iota{N: int32(g.dims(1)[0])}, nil
}

func growCast(g *generator, _ op.Op) (op.Op, []op.Value) {
	from, to := choose(g, op.F32, op.U32, op.I32, op.Bool, op.I8), choose(g, op.F32, op.U32, op.I32, op.I8)
	if from == to {
		from = op.Bool
	}
	return op.Cast{To: to}, []op.Value{g.any(from, 0, op.MaxRank)}
}

func growIAdd(g *generator, kind op.Op) (op.Op, []op.Value) {
	d := choose(g, op.U32, op.I32)
	a := g.any(d, 0, op.MaxRank)
	return kind, []op.Value{a, g.value(d, g.b.Type(a).Dims()...)}
}

// factors are the shapes of the operands of a product, of which one is there already.
func (g *generator) factors() (o op.MatMul, a op.Value, b []int) {
	o = op.MatMul{TA: g.oneIn(2), TB: g.oneIn(2)}
	a = g.any(op.F32, 2, 4)
	d := g.b.Type(a).Dims()
	batch, k, n := d[:len(d)-2], d[len(d)-1], g.dims(1)[0]
	if o.TA {
		k = d[len(d)-2]
	}
	if g.oneIn(2) {
		batch = nil // b is the same for the whole batch
	}
	if o.TB {
		k, n = n, k
	}
	return o, a, append(slices.Clone(batch), k, n)
}

// klen appends, one time in three, how many terms count.
func (g *generator) klen(in ...op.Value) []op.Value {
	if g.oneIn(3) {
		in = append(in, g.value(op.U32))
	}
	return in
}

func growMatMul(g *generator, _ op.Op) (op.Op, []op.Value) {
	o, a, b := g.factors()
	return o, g.klen(a, g.value(op.F32, b...))
}

func growMatMulTail(g *generator, _ op.Op) (op.Op, []op.Value) {
	o, a, b := g.factors()
	return op.MatMulTail(o), []op.Value{a, g.value(op.F32, b...), g.value(op.U32)}
}

func growMatMulJVP(g *generator, _ op.Op) (op.Op, []op.Value) {
	o, a, b := g.factors()
	return op.MatMulJVP(o), g.klen(a, g.value(op.F32, b...), g.value(op.F32, g.b.Type(a).Dims()...), g.value(op.F32, b...))
}

func growTernary(g *generator, kind op.Op) (op.Op, []op.Value) {
	tb, d := g.oneIn(2), op.F32
	if _, ok := kind.(op.TernaryMM); ok && !g.smooth && g.oneIn(3) {
		d = op.I8
	}
	x := g.any(d, 2, 2)
	k, n := g.b.Type(x).At(1), g.dims(1)[0]
	if tb {
		k, n = n, k
	}
	in := []op.Value{x, g.value(op.T2, k, n)}
	if _, ok := kind.(op.TernaryMMTail); ok {
		return op.TernaryMMTail{TB: tb}, append(in, g.value(op.U32))
	}
	return op.TernaryMM{TB: tb}, g.klen(in...)
}

func growReduction(o func(axes op.Ints) op.Op) grower {
	return func(g *generator, _ op.Op) (op.Op, []op.Value) {
		x := g.any(op.F32, 0, op.MaxRank)
		var axes []int
		for a := range int(g.b.Type(x).Rank) {
			if !g.oneIn(3) {
				axes = append(axes, a)
			}
		}
		return o(op.List(axes...)), []op.Value{x}
	}
}

// filled tells whether a shape has no axis without places.
func filled(s op.Shape) bool { return !slices.Contains(s.Dims(), 0) }

// axis chooses one of a value's axes.
func (g *generator) axis(x op.Value) int { return g.below(int(g.b.Type(x).Rank)) }

func growExtremum(o func(axis int8) op.Op) grower {
	return func(g *generator, _ op.Op) (op.Op, []op.Value) {
		x := g.anySuch(op.F32, 1, op.MaxRank, filled)
		return o(int8(g.axis(x))), []op.Value{x}
	}
}

func growBroadcast(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 0, 4)
	dims := g.b.Type(x).Dims()
	words := g.b.Type(x).Len()
	for i, n := range dims {
		if n == 1 && words < 500 {
			dims[i] = g.dims(1)[0]
			words *= dims[i]
		}
	}
	if g.oneIn(2) && words < 500 {
		dims = append(g.dims(1), dims...)
	}
	return op.Broadcast{To: op.S(dims...)}, []op.Value{x}
}

func growOneHot(g *generator, _ op.Op) (op.Op, []op.Value) {
	dims := g.dims(1 + g.below(3))
	axis := g.below(len(dims))
	n := dims[axis]
	dims[axis] = 1
	return op.OneHot{Axis: int8(axis), N: int32(n), To: choose(g, op.F32, op.Bool)}, []op.Value{g.value(op.U32, dims...)}
}

func growPick(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(op.F32, 1, op.MaxRank)
	axis := g.axis(x)
	return op.Pick{Axis: int8(axis)}, []op.Value{x, g.value(op.U32, g.b.Type(x).With(axis, 1).Dims()...)}
}

func growReshape(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 0, op.MaxRank)
	t := g.b.Type(x)
	dims := []int{t.Len()}
	switch g.below(3) {
	case 0:
		for _, f := range []int{2, 3, 5} {
			if n := dims[len(dims)-1]; n > 0 && n%f == 0 {
				dims = append(dims[:len(dims)-1], f, n/f)
			}
		}
	case 1:
		if dims = t.Dims(); len(dims) < op.MaxRank {
			dims = slices.Insert(dims, g.below(len(dims)+1), 1)
		}
	}
	return op.Reshape{To: op.S(dims...)}, []op.Value{x}
}

func growTranspose(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 0, op.MaxRank)
	perm := make([]int, g.b.Type(x).Rank)
	for i := range perm {
		perm[i] = i
		j := g.below(i + 1)
		perm[i], perm[j] = perm[j], perm[i]
	}
	return op.Transpose{Perm: op.List(perm...)}, []op.Value{x}
}

func growSlice(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 1, op.MaxRank)
	axis := g.axis(x)
	n := g.b.Type(x).At(axis)
	start := g.below(n + 1)
	return op.Slice{Axis: int8(axis), Start: int32(start), Len: int32(n - start - g.below(n-start+1))}, []op.Value{x}
}

func growPad(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 1, op.MaxRank)
	return op.Pad{Axis: int8(g.axis(x)), Before: int32(g.below(4)), After: int32(g.below(4))}, []op.Value{x}
}

func growTail(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(op.F32, 1, op.MaxRank)
	return op.Tail{Axis: int8(g.axis(x))}, []op.Value{x, g.value(op.U32)}
}

func growConcat(g *generator, _ op.Op) (op.Op, []op.Value) {
	d := g.moved()
	in := []op.Value{g.any(d, 1, op.MaxRank)}
	axis := g.axis(in[0])
	for range g.below(3) {
		in = append(in, g.value(d, g.b.Type(in[0]).With(axis, g.dims(1)[0]).Dims()...))
	}
	return op.Concat{Axis: int8(axis)}, in
}

func growSplit(g *generator, _ op.Op) (op.Op, []op.Value) {
	x := g.any(g.moved(), 1, op.MaxRank)
	axis := g.axis(x)
	n := g.b.Type(x).At(axis)
	first := g.below(n + 1)
	second := g.below(n - first + 1)
	return op.Split{Axis: int8(axis), Sizes: op.List(first, second, n-first-second)}, []op.Value{x}
}

func growPutRow(g *generator, kind op.Op) (op.Op, []op.Value) {
	d := g.rows()
	x := g.any(d, 2, 2)
	return kind, []op.Value{x, g.value(d, g.dims(1)[0], g.b.Type(x).At(1)), g.value(op.U32)}
}

func growGather(g *generator, kind op.Op) (op.Op, []op.Value) {
	return kind, []op.Value{g.any(g.rows(), 1, 3), g.value(op.U32, g.dims(1)[0])}
}

func growScatterAdd(g *generator, _ op.Op) (op.Op, []op.Value) {
	rows := g.any(op.F32, 1, 3)
	return op.ScatterAdd{N: int32(g.dims(1)[0])}, []op.Value{g.value(op.U32, g.b.Type(rows).At(0)), rows}
}

// classed tells whether the last axis of a shape has places.
func classed(s op.Shape) bool { return s.At(-1) > 0 }

func growSoftmax(g *generator, kind op.Op) (op.Op, []op.Value) {
	return kind, []op.Value{g.anySuch(op.F32, 1, op.MaxRank, classed)}
}

func growSoftmaxGrad(g *generator, kind op.Op) (op.Op, []op.Value) {
	y := g.anySuch(op.F32, 1, op.MaxRank, classed)
	return kind, []op.Value{y, g.value(op.F32, g.b.Type(y).Dims()...)}
}

// growLayerNorm takes an eps with which nothing is near to a division by 0.
func growLayerNorm(g *generator, _ op.Op) (op.Op, []op.Value) {
	return op.LayerNorm{Eps: op.B(0.5)}, []op.Value{g.anySuch(op.F32, 1, op.MaxRank, classed)}
}

func growLayerNormGrad(g *generator, kind op.Op) (op.Op, []op.Value) {
	y := g.anySuch(op.F32, 1, op.MaxRank, classed)
	s := g.b.Type(y)
	return kind, []op.Value{y, g.value(op.F32, s.With(-1, 1).Dims()...), g.value(op.F32, s.Dims()...)}
}

func growXent(g *generator, kind op.Op) (op.Op, []op.Value) {
	x := g.anySuch(op.F32, 2, 2, classed)
	b := g.b.Type(x).At(0)
	in := []op.Value{x, g.label(b, g.b.Type(x).At(1))}
	if _, ok := kind.(op.XentGrad); ok {
		in = append(in, g.value(op.F32, b, 1))
	}
	return kind, in
}

// label is u32 [b, 1]; where it must be smooth, of classes that there are.
func (g *generator) label(b, classes int) op.Value {
	if !g.smooth {
		return g.value(op.U32, b, 1)
	}
	return g.b.Do(op.Fill{DType: op.U32, Bits: op.Bits(g.below(classes)), To: op.S(b, 1)})
}

// growDraw takes a key and a step of one word or two.
func growDraw(o func(g *generator, s op.Shape) op.Op) grower {
	return func(g *generator, _ op.Op) (op.Op, []op.Value) {
		step := []int{2}
		if !g.oneIn(3) {
			step = nil
		}
		return o(g, op.S(g.dims(g.below(3))...)), []op.Value{g.value(op.U32, 2), g.value(op.U32, step...)}
	}
}

func growBatch(g *generator, _ op.Op) (op.Op, []op.Value) {
	return op.Batch{N: int32(1 + g.below(300)), B: int32(g.dims(1)[0])}, []op.Value{g.value(op.U32, 2), g.value(op.U32)}
}
