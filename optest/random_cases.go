package optest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"lockstep/graph"
	"lockstep/op"
)

// The table of Cases holds what someone thought of. Random cases are for what nobody did: which size of 1, which batch and which transpose together take
// a kernel's side path. They are of the ops that engines compute in ways of their own; random programs have all ops, in few sizes.

// lastRandom is the last random case: every engine and variant wants it, with the law's results.
var lastRandom struct {
	sync.Mutex
	seed, i uint64
	c       *Case
}

// RandomCase is case i of an endless list for a seed: an op with random attributes, shapes and values. Equal seed and i give an equal case.
func RandomCase(seed, i uint64) *Case {
	l := &lastRandom
	l.Lock()
	defer l.Unlock()
	if l.c == nil || l.seed != seed || l.i != i {
		l.seed, l.i, l.c = seed, i, drawCase(seed, i)
	}
	return l.c
}

func drawCase(seed, i uint64) *Case {
	d := &dice{rand.New(rand.NewPCG(seed, i))}
	for {
		o, in := randomKinds[d.IntN(len(randomKinds))](d)
		if !within(o, in) {
			continue // it would take the law too long, or has no place
		}
		t := &table{op: o, seed: d.Uint64()}
		t.add(o, fmt.Sprintf("random case %d of seed %d", i, seed), in...)
		return t.cases[0]
	}
}

// CheckRandom holds an engine to the law in case i for a seed, in both packings. A variant that declines the case is no error. Error: what differs, with the
// command that replays it, or what the engine said.
func CheckRandom(e graph.Engine, variant string, seed, i uint64) error {
	c := RandomCase(seed, i)
	for _, p := range []Packing{Alone, Three} {
		err := Check(e, c, p, variant)
		if errors.Is(err, errDeclined) {
			return nil
		}
		if f := (*Failure)(nil); errors.As(err, &f) {
			return fmt.Errorf("%w\n  %s", f, f.Save("testdata/failures"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Most words of all operands and results, and multiply-adds of a product: what a law does in some milliseconds.
const (
	mostWords = 200_000
	mostWork  = 1_000_000
)

// within tells whether an op takes operands of these types, and is no more work than a random case may be.
func within(o op.Op, in []operand) bool {
	var types []op.Type
	for _, x := range in {
		types = append(types, x.t)
	}
	out, err := o.Shape(types)
	if err != nil {
		return false
	}
	words := 0
	for _, t := range slices.Concat(types, out) {
		words += t.Words()
	}
	work := 0
	switch o.(type) {
	case op.MatMul, op.MatMulJVP, op.MatMulTail, op.TernaryMM, op.TernaryMMTail:
		work = out[0].Len() * max(types[0].At(-1), types[0].At(-2)) // an entry is a sum along one of the last axes of the left side
	}
	return words <= mostWords && work <= mostWork
}

// dice makes the choices of a random case.
type dice struct{ *rand.Rand }

func (d *dice) oneIn(n int) bool { return d.IntN(n) == 0 }

// one chooses.
func one[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

// Sizes of axes: every third is 1, which is where kernels take side paths; lanes and tiles give or take one; now and then none, any, or more
// than a chunk.
var (
	sizes = []int{1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 128, 129}
	longs = []int{255, 256, 257, 511, 513, 1023, 1024, 1025, 2047, 2049, 3000}
)

func (d *dice) size() int {
	switch k := d.IntN(40); {
	case k == 0:
		return 0
	case k < 4:
		return one(d, longs...)
	case k < 14:
		return 1 + d.IntN(150)
	}
	return one(d, sizes...)
}

// dims are the sizes of lo to hi axes.
func (d *dice) dims(lo, hi int) (dims []int) {
	for range lo + d.IntN(hi-lo+1) {
		dims = append(dims, d.size())
	}
	return dims
}

// rounded are values at which orders and roundings show: sums that cancel, few subnormals, zeros of both signs, hardly ever an infinity or a NaN.
var rounded = flavour{"", func(r *rand.Rand, _ int) float32 {
	x := float32(r.NormFloat64())
	switch r.IntN(64) {
	case 0:
		return float32(math.Copysign(0, float64(x)))
	case 1:
		return x * 0x1p-130
	case 2:
		return -1000 * (1 + 0x1p-23*float32(r.IntN(3)))
	case 3:
		return 1000
	case 4:
		if r.IntN(100) == 0 {
			return []float32{inf, -inf, nan}[r.IntN(3)]
		}
	}
	return x
}}

func (d *dice) flavour() flavour {
	if d.oneIn(4) {
		return one(d, flavours...)
	}
	return rounded
}

func (d *dice) f32(dims ...int) operand { return f32(d.flavour(), dims...) }

// klen appends, one time in three, how many of k terms count.
func (d *dice) klen(k int, in ...operand) []operand {
	if d.oneIn(3) {
		in = append(in, below(uint32(k+1)))
	}
	return in
}

// randomKinds draw an op and its operands. Products stand there several times, as they have the most paths.
var randomKinds = []func(d *dice) (op.Op, []operand){
	randomProduct, randomProduct, randomProduct, randomProduct, randomProduct, randomTernary, randomTernary, randomTernary,
	randomReduction, randomReduction, randomReduction, randomExtremum, randomClasses, randomClasses, randomScatter,
	randomElementwise, randomElementwise, randomElementwise, randomElementwise, randomMove, randomMove, randomDraw, randomDraw, randomDual, randomDual,
}

func randomProduct(d *dice) (op.Op, []operand) {
	o := op.MatMul{TA: d.oneIn(2), TB: d.oneIn(2)}
	m, k, n := d.size(), d.size(), d.size()
	if d.oneIn(2) { // side paths are for rows and columns alone
		*one(d, &m, &k, &n) = 1
	}
	var batch []int
	for range d.IntN(3) {
		batch = append(batch, one(d, 1, 2, 3, 4))
	}
	of := func(batch []int, transposed bool, rows, cols int) operand {
		return matrix(d.flavour(), transposed, batch, rows, cols)
	}
	aBatch, bBatch := batch, batch
	switch d.IntN(3) {
	case 0:
		aBatch = nil
	case 1:
		bBatch = nil
	}
	both := func() []operand { return []operand{of(aBatch, o.TA, m, k), of(bBatch, o.TB, k, n)} }
	switch d.IntN(5) {
	case 0, 1:
		return op.MatMulJVP(o), d.klen(k, slices.Concat(both(), both())...)
	case 2:
		return op.MatMulTail(o), append(both(), below(uint32(n+1)))
	}
	return o, d.klen(k, both()...)
}

func randomTernary(d *dice) (op.Op, []operand) {
	tb, m, k, n := d.oneIn(2), d.size(), d.size(), d.size()
	x := f32(one(d, rounded, ternaryFlavours[d.IntN(len(ternaryFlavours))]), m, k)
	if d.oneIn(3) {
		return op.TernaryMMTail{TB: tb}, []operand{x, weights(tb, k, n), below(uint32(n + 1))}
	}
	if d.oneIn(6) {
		x = int8s(anyInt8, m, k)
	}
	return op.TernaryMM{TB: tb}, d.klen(k, x, weights(tb, k, n))
}

func randomReduction(d *dice) (op.Op, []operand) {
	dims := d.dims(1, 4)
	var axes []int
	for a := range dims {
		if d.oneIn(2) {
			axes = append(axes, a)
		}
	}
	return one[op.Op](d, op.Sum{Axes: op.List(axes...)}, op.Mean{Axes: op.List(axes...)}), []operand{d.f32(dims...)}
}

func randomExtremum(d *dice) (op.Op, []operand) {
	dims := d.dims(1, 3)
	axis := int8(d.IntN(len(dims)))
	return one[op.Op](d, op.AMax{Axis: axis}, op.ArgMax{Axis: axis}), []operand{d.f32(dims...)}
}

func randomClasses(d *dice) (op.Op, []operand) {
	b, c := d.size(), d.size()
	label := about(uint32(c), b, 1)
	rows := append(d.dims(0, 2), c)
	switch d.IntN(6) {
	case 0:
		return op.Xent{}, []operand{d.f32(b, c), label}
	case 1:
		return op.XentGrad{}, []operand{d.f32(b, c), label, d.f32(b, 1)}
	case 2:
		return op.SoftmaxGrad{}, []operand{d.f32(rows...), d.f32(rows...)}
	case 3:
		return op.LayerNorm{Eps: op.B(one[float32](d, 0, 1e-5, 1))}, []operand{d.f32(rows...)}
	case 4:
		return op.LayerNormGrad{}, []operand{d.f32(rows...), d.f32(op.S(rows...).With(-1, 1).Dims()...), d.f32(rows...)}
	}
	return op.Softmax{}, []operand{d.f32(rows...)}
}

func randomScatter(d *dice) (op.Op, []operand) {
	b, n := d.size(), d.size()
	return op.ScatterAdd{N: int32(n)}, []operand{about(uint32(n), b), d.f32(append([]int{b}, d.dims(0, 2)...)...)}
}

func randomElementwise(d *dice) (op.Op, []operand) {
	dims := d.dims(1, 2)
	switch d.IntN(6) {
	case 0:
		return op.Select{}, []operand{flags(dims...), oneWord(op.F32, dims...), oneWord(op.F32, dims...)}
	case 1:
		return op.IAdd{}, []operand{integers(op.U32, dims...), integers(op.U32, dims...)}
	case 2:
		from, to := one(d, op.F32, op.U32, op.I32, op.I8), one(d, op.F32, op.U32, op.I32, op.I8)
		x := int8s(anyInt8, dims...)
		if from != op.I8 {
			x = oneWord(from, dims...)
		}
		return op.Cast{To: to}, []operand{x}
	}
	if o, _ := op.Named(one(d, ofOne...)); d.oneIn(2) {
		return o, []operand{d.f32(dims...)}
	}
	o, _ := op.Named(one(d, ofTwo...)) // no error: TestRandomCasesReach wants each
	return o, []operand{d.f32(dims...), d.f32(dims...)}
}

// ofOne and ofTwo are the elementwise functions of one and of two float32.
var (
	ofOne = []string{"neg", "exp", "log", "sqrt", "tanh", "sinpi", "cospi", "relu", "sigmoid", "rsqrt", "gelu"}
	ofTwo = []string{"add", "sub", "mul", "div", "max", "min", "gt", "ge", "lt", "le", "eq", "same"}
)

// randomMove draws a broadcast or a transpose.
func randomMove(d *dice) (op.Op, []operand) {
	to := d.dims(1, 4)
	x := func(dims []int) operand { return oneWord(one(d, copied...), dims...) }
	if d.oneIn(2) {
		return op.Transpose{Perm: op.List(d.Perm(len(to))...)}, []operand{x(to)}
	}
	from := slices.Clone(to[d.IntN(len(to)+1):])
	for i := range from {
		if d.oneIn(2) {
			from[i] = 1
		}
	}
	return op.Broadcast{To: op.S(to...)}, []operand{x(from)}
}

// randomDraw draws a draw of random numbers, or one-hot rows.
func randomDraw(d *dice) (op.Op, []operand) {
	dims := d.dims(0, 3)
	to, seeded := op.S(dims...), []operand{key(), step(1 + d.IntN(2))}
	switch d.IntN(7) {
	case 0:
		return op.Normal{To: to}, seeded
	case 1:
		return op.Rademacher{To: to}, seeded
	case 2:
		return op.Uniform{To: to, Lo: op.B(float32(d.NormFloat64())), Hi: op.B(float32(d.NormFloat64()))}, seeded
	case 3:
		return op.RandInt{To: to, N: d.Uint32() | 1}, seeded
	case 4:
		return op.Ternary{Rows: int32(d.size()), Cols: int32(d.size())}, seeded
	case 5:
		return op.Batch{N: int32(1 + d.size()), B: int32(d.size())}, []operand{key(), step(1)}
	}
	if len(dims) == 0 {
		dims = []int{1}
	}
	axis, n := d.IntN(len(dims)), d.size()
	dims[axis] = 1
	return op.OneHot{Axis: int8(axis), N: int32(n), To: one(d, op.F32, op.Bool)}, []operand{about(uint32(n), dims...)}
}
