package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"lockstep/graph"
	"lockstep/op"
)

// Shapes are those of the digits study (studies/intrinsic-digits.toml): batches of 128 rows of 64 pixels, layers of 32, 64 and
// 128, 10 classes, D = 8,970 and 26,122 parameters; and some large ones.
var (
	packs = []int{1, 64, 1024}
	alone = []int{1}
)

// row is one line of the table: a case for each number of cells.
type row struct {
	name  string
	cells []int
	unit  string
	in    []operand
	body  func(b *graph.Builder, in []op.Value) []op.Value
}

// Cases is the table: family by family, the smallest of a family first.
func Cases() (all []*Case) {
	for _, r := range rows() {
		for _, c := range r.cells {
			all = append(all, &Case{Name: fmt.Sprintf("%s/cells=%d", r.name, c), Cells: c, Unit: r.unit, in: r.in, body: r.body})
		}
	}
	return slices.Concat(all, trainCases(), packCases(), sweepCases(), curvatureCases())
}

func rows() (all []row) {
	for _, w := range []int{32, 64, 128} {
		all = append(all, matmul(128, 64, w, op.MatMul{}, packs), matmul(128, w, 10, op.MatMul{}, packs))
		if w != 64 {
			all = append(all, matmul(128, w, w, op.MatMul{}, packs))
		}
	}
	square := operands(cell(128, 128))
	return append(all,
		matmul(64, 128, 64, op.MatMul{TA: true}, packs), // the gradient of a layer's weights
		matmul(64, 128, 10, op.MatMul{TA: true}, packs),
		matmul(128, 64, 64, op.MatMul{TB: true}, packs), // and of its input
		matmul(128, 10, 64, op.MatMul{TB: true}, packs),
		matmul(32, 32, 32, op.MatMul{}, []int{256}),
		matmul(64, 64, 64, op.MatMul{}, []int{64}),
		matmul(512, 512, 512, op.MatMul{}, alone),
		matmul(1024, 1024, 1024, op.MatMul{}, alone),
		matmul(4096, 4096, 4096, op.MatMul{}, alone),
		matmul(64, 100, 8970, op.MatMul{}, alone), // 64 cells by the dense basis of their seed, and back
		matmul(64, 8970, 100, op.MatMul{TB: true}, alone),
		row{"matmuljvp/128x64x64", packs, "GMAC/s", operands(cell(128, 64), cell(64, 64), cell(128, 64), cell(64, 64)), one(op.MatMulJVP{})},
		row{"matmuljvp/1024x1024x1024", alone, "GMAC/s", operands(cell(1024, 1024).byRow(0), cell(1024, 1024), cell(1024, 1024).byRow(0), cell(1024, 1024)), one(op.MatMulJVP{})},

		row{"add/128x128", packs, "GB/s", operands(cell(128, 128), cell(128, 128)), one(op.Add)},
		row{"add/4096x4096", alone, "GB/s", operands(cell(4096, 4096).byRow(0), cell(4096, 4096).byRow(0)), one(op.Add)},
		row{"bias/128x64", packs, "GB/s", operands(cell(128, 64), cell(64)), bias},
		row{"exp/128x128", packs, "GB/s", square, one(op.Exp)},
		row{"relu/128x128", packs, "GB/s", square, one(op.Relu)},
		row{"gelu/128x128", packs, "GB/s", square, one(op.Gelu{})},
		row{"adam/125", packs, "GB/s", adamOperands(125), adam},
		row{"adam/8970", packs, "GB/s", adamOperands(8970), adam},
		row{"sum/128x128/rows", packs, "GB/s", square, one(op.Sum{Axes: "1"})},
		row{"sum/128x128/columns", packs, "GB/s", square, one(op.Sum{Axes: "0"})},
		row{"sum/128x128/all", packs, "GB/s", square, one(op.Sum{Axes: "0,1"})},
		row{"sum/4096x4096/all", alone, "GB/s", operands(cell(4096, 4096)), one(op.Sum{Axes: "0,1"})},
		row{"softmax/128x10", packs, "GB/s", operands(cell(128, 10)), one(op.Softmax{})},
		row{"softmax/4096x1000", alone, "GB/s", operands(cell(4096, 1000).byRow(0)), one(op.Softmax{})},
		row{"xent/128x10", packs, "GB/s", operands(cell(128, 10), below(10, 128, 1)), one(op.Xent{})},
		row{"xent/4096x1000", alone, "GB/s", operands(cell(4096, 1000).byRow(0), below(1000, 4096, 1).byRow(0)), one(op.Xent{})},
		row{"xentgrad/128x10", packs, "GB/s", operands(cell(128, 10), below(10, 128, 1), cell(128, 1)), one(op.XentGrad{})},
		row{"xentgrad/4096x1000", alone, "GB/s", operands(cell(4096, 1000).byRow(0), below(1000, 4096, 1).byRow(0), cell(4096, 1).byRow(0)), one(op.XentGrad{})},
		row{"gather/1437x64", packs, "GB/s", operands(table(1437, 64, 128), below(1437, 128)), one(op.Gather{})},
		row{"scatteradd/1437x64", packs, "GB/s", operands(below(1437, 128), cell(128, 64)), one(op.ScatterAdd{N: 1437})},

		row{"transpose/128x64", packs, "GB/s", operands(cell(128, 64)), one(op.Transpose{Perm: "1,0"})},
		row{"transpose/4096x4096", alone, "GB/s", operands(cell(4096, 4096).byRow(1)), one(op.Transpose{Perm: "1,0"})},

		draw("normal/8970", packs, op.Normal{To: op.S(8970)}),
		draw("normal/4194304", alone, op.Normal{To: op.S(1 << 22)}),
		draw("uniform/8970", packs, op.Uniform{To: op.S(8970), Lo: op.B(-1), Hi: op.B(1)}),
		draw("uniform/4194304", alone, op.Uniform{To: op.S(1 << 22), Lo: op.B(-1), Hi: op.B(1)}),
		draw("rademacher/8970", packs, op.Rademacher{To: op.S(8970)}),
		draw("randint/8970", packs, op.RandInt{To: op.S(8970), N: 1437}),
		draw("basis/125x8970", alone, op.Ternary{Rows: 125, Cols: 8970}),
		draw("batch/128of1437", packs, op.Batch{N: 1437, B: 128}),
		draw("batch/60000of60000", alone, op.Batch{N: 60000, B: 60000}),

		project(125, 8970, packs), backproject(125, 8970, packs),
		project(300, 8970, packs), backproject(300, 8970, packs),
		project(125, 26122, packs), backproject(125, 26122, packs),
		project(300, 26122, packs), backproject(300, 26122, packs),
		project(1000, 1_000_000, alone), backproject(1000, 1_000_000, alone),
	)
}

// one is a body of one op.
func one(o op.Op) func(b *graph.Builder, in []op.Value) []op.Value {
	return func(b *graph.Builder, in []op.Value) []op.Value { return b.Emit(o, in...) }
}

func operands(o ...operand) []operand { return o }

// matmul is the product of m x k by k x n.
func matmul(m, k, n int, o op.MatMul, cells []int) row {
	a, b, how := cell(m, k).byRow(0), cell(k, n), ""
	if o.TA {
		a, how = cell(k, m).byRow(1), "/TA"
	}
	if o.TB {
		b, how = cell(n, k), "/TB"
	}
	return row{fmt.Sprintf("matmul/%dx%dx%d%s", m, k, n, how), cells, "GMAC/s", operands(a, b), one(o)}
}

// draw is a stream of each cell's own.
func draw(name string, cells []int, o op.Op) row {
	key := operand{op.T(op.U32, op.Cell, 2), (*rand.Rand).Uint32, 0, 0}
	return row{name, cells, "Mdraw/s", operands(key, below(1000)), one(o)}
}

// project is P z of the cells of a seed, as subspace.Ternary makes it.
func project(d, D int, cells []int) row {
	return row{fmt.Sprintf("ternarymm/d%d-D%d", d, D), cells, "Gcode/s", operands(cell(1, d), codes(d, D), always(d)), one(op.TernaryMM{})}
}

// backproject is its gradient: the cotangent of theta times P.
func backproject(d, D int, cells []int) row {
	return row{fmt.Sprintf("ternarymmtail/D%d-d%d", D, d), cells, "Gcode/s", operands(cell(1, D), codes(d, D), always(d)), one(op.TernaryMMTail{TB: true})}
}

// bias adds a vector to each row.
func bias(b *graph.Builder, in []op.Value) []op.Value {
	return b.Emit(op.Add, in[0], b.Do(op.Broadcast{To: b.Type(in[0]).Shape}, in[1]))
}

// adamOperands are z, g, m, v [n] and the numbers b1, c1, b2, c2, q1, q2, eps, lr.
func adamOperands(n int) []operand {
	return operands(cell(n), cell(n), cell(n), operand{op.T(op.F32, op.Cell, n), positive, 0, 0}, operand{op.T(op.F32, op.Cell, 8), positive, 0, 0})
}

// adam is the chain of model.Rule's update: the next z, m and v.
func adam(b *graph.Builder, in []op.Value) []op.Value {
	z, g, m, v := in[0], in[1], in[2], in[3]
	wide := func(i int) op.Value {
		return b.Do(op.Broadcast{To: b.Type(z).Shape}, b.Do(op.Slice{Start: int32(i), Len: 1}, in[4]))
	}
	mul := func(x, y op.Value) op.Value { return b.Do(op.Mul, x, y) }
	m = b.Do(op.Add, mul(wide(0), m), mul(wide(1), g))
	v = b.Do(op.Add, mul(wide(2), v), mul(wide(3), mul(g, g)))
	root := b.Do(op.Sqrt, b.Do(op.Div, v, wide(5)))
	ratio := b.Do(op.Div, b.Do(op.Div, m, wide(4)), b.Do(op.Add, root, wide(6)))
	return []op.Value{b.Do(op.Sub, z, mul(wide(7), ratio)), m, v}
}

// Operands: standard normal values of each cell's own; a table that all share, of which each cell reads some rows; ternary codes
// that the cells of a seed share; integers below n; a number that is always n, for ragged ops.

func cell(dims ...int) operand { return operand{op.T(op.F32, op.Cell, dims...), normal, 0, 0} }
func table(n, k, rows int) operand {
	return operand{op.T(op.F32, op.Shared, n, k), normal, rows * k, 0}
}
func codes(d, D int) operand { return operand{op.T(op.T2, op.Seed, d, D), (*rand.Rand).Uint32, 0, 0} }

func below(n int, dims ...int) operand {
	return operand{op.T(op.U32, op.Cell, dims...), func(r *rand.Rand) uint32 { return r.Uint32N(uint32(n)) }, 0, 0}
}

func always(n int) operand {
	return operand{op.T(op.U32, op.Cell), func(*rand.Rand) uint32 { return uint32(n) }, 0, 0}
}

func normal(r *rand.Rand) uint32   { return math.Float32bits(float32(r.NormFloat64())) }
func positive(r *rand.Rand) uint32 { return math.Float32bits(0.5 + r.Float32()) }
