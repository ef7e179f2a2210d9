package optest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"lockstep/op"
)

// lengths of vectors: none, one, and those round the lanes of 8, 16, 32 and 64 words.
var lengths = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000}

// odd is a length that fills no vector and no unrolled loop.
const odd = 8*32 + 8 + 7

// generators is the table of cases: op name -> what adds its cases. It is filled in init, because Cases reads it.
var generators map[string]func(g *table)

func init() {
	generators = map[string]func(g *table){
		"neg": unaries, "exp": unaries, "log": unaries, "sqrt": unaries, "tanh": unaries, "sinpi": unaries, "cospi": unaries, "relu": unaries,
		"sigmoid": unaries, "rsqrt": unaries, "gelu": unaries,
		"add": binaries, "sub": binaries, "mul": binaries, "div": binaries, "max": binaries, "min": binaries,
		"gt": compare, "ge": compare, "lt": compare, "le": compare, "eq": compare, "same": compare,
		"select": selects, "fill": fills, "iota": iotas, "cast": casts, "iadd": iadds,
		"matmul": matmuls, "matmuljvp": matmuljvps, "matmultail": matmultails, "ternarymm": ternarymms, "ternarymmtail": ternarymmtails,
		"sum": sums, "mean": means, "amax": alongAxes(func(a int8) op.Op { return op.AMax{Axis: a} }),
		"argmax":  alongAxes(func(a int8) op.Op { return op.ArgMax{Axis: a} }),
		"softmax": softmaxes, "softmaxgrad": softmaxGrads, "layernorm": layerNorms, "layernormgrad": layerNormGrads,
		"xent": xents, "xentgrad": xentgrads,
		"broadcast": broadcasts, "onehot": onehots, "pick": picks, "reshape": reshapes, "transpose": transposes,
		"slice": slicings, "pad": paddings, "tail": tails, "concat": concats, "split": splits, "putrow": putrows,
		"gather": gathers, "scatteradd": scatteradds,
		"dualmatmul": duals, "dualtanh": duals, "dualsigmoid": duals, "dualgelu": duals, "dualsoftmax": duals, "dualsoftmaxgrad": duals, "dualxentgrad": duals,
		"duallayernorm": duals, "duallayernormgrad": duals,
		"uniform": uniforms, "normal": drawsTo(func(s op.Shape) op.Op { return op.Normal{To: s} }),
		"rademacher": drawsTo(func(s op.Shape) op.Op { return op.Rademacher{To: s} }),
		"randint":    randints, "ternary": ternaries, "batch": batches,
	}
}

// elementwise calls add for every length, flavour and a few shapes.
func elementwise(add func(f flavour, dims ...int)) {
	for _, n := range lengths {
		add(bits, n)
	}
	for _, f := range flavours {
		add(f, odd)
	}
	add(gauss)
	add(wide, 3, 5, 7)
	add(wide, 4, 0, 7)
	add(bits, 20011)
}

func unaries(g *table) {
	elementwise(func(f flavour, dims ...int) { g.add(g.op, f.name, f32(f, dims...)) })
	g.add(g.op, "all special values", f32(flavour{"", func(_ *rand.Rand, i int) float32 { return specials[i] }}, len(specials)))
	g.add(g.op, "the range of the exponential", f32(flavour{"", scaled(-10, 6)}, 5003))
}

func binaries(g *table) {
	elementwise(func(f flavour, dims ...int) { g.add(g.op, f.name, f32(f, dims...), f32(f, dims...)) })
	pairs(g, g.op)
	g.add(g.op, "small by huge", f32(under, odd), f32(over, odd))
	g.addRelated(g.op, "neighbours", func(r *rand.Rand, in []op.Tensor) {
		for i, x := range in[0].F() {
			in[1].SetF(i, sign(r)*math.Nextafter32(x, float32(r.NormFloat64())))
		}
	}, f32(wide, odd), f32(wide, odd))
	g.addRelated(g.op, "an operand with itself", func(_ *rand.Rand, in []op.Tensor) { copy(in[1].W, in[0].W) }, f32(bits, odd), f32(bits, odd))
}

// pairs is every pair of special values.
func pairs(g *table, o op.Op) {
	n := len(specials)
	g.add(o, "all pairs of special values", f32(flavour{"", func(_ *rand.Rand, i int) float32 { return specials[i/n] }}, n, n),
		f32(flavour{"", func(_ *rand.Rand, i int) float32 { return specials[i%n] }}, n, n))
}

func compare(g *table) {
	binaries(g)
	for _, d := range []op.DType{op.U32, op.I32} {
		for _, n := range []int{0, 1, 17, odd} {
			g.add(g.op, "the ends of the range", integers(d, n), integers(d, n))
		}
	}
}

func selects(g *table) {
	for _, d := range []op.DType{op.F32, op.U32, op.I32, op.Bool} {
		for _, n := range lengths {
			g.add(op.Select{}, "any bits", flags(n), oneWord(d, n), oneWord(d, n))
		}
	}
	g.add(op.Select{}, special.name, flags(3, 7), f32(special, 3, 7), f32(zeros, 3, 7))
	g.add(op.Select{}, "a long one", flags(20011), f32(bits, 20011), f32(bits, 20011))
}

func fills(g *table) {
	for i, x := range specials {
		g.add(op.Fill{DType: op.F32, Bits: op.B(x), To: op.S(i)}, "a constant")
	}
	for _, dims := range [][]int{{}, {0}, {3, 0, 2}, {odd}, {2, 3, 2, 2, 1, 3}} {
		g.add(op.Fill{DType: op.U32, Bits: math.MaxUint32, To: op.S(dims...)}, "the largest u32")
		g.add(op.Fill{DType: op.I32, Bits: 1 << 31, To: op.S(dims...)}, "the smallest i32")
		g.add(op.Fill{DType: op.Bool, Bits: 1, To: op.S(dims...)}, "true")
	}
}

func iotas(g *table) {
	for _, n := range lengths {
		g.add(op.Iota{N: int32(n)}, "counting")
	}
}

func casts(g *table) {
	for _, to := range []op.DType{op.F32, op.U32, op.I32, op.I8} {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 15, 16, 17, 64, odd} {
			if to != op.F32 {
				for _, f := range []flavour{special, bits, ties, {"numbers about the ends of int8", func(r *rand.Rand, _ int) float32 {
					return float32(r.IntN(1041)-520) / 4
				}}, {"numbers about the ends of int32", scaled(29, 33)}} {
					g.add(op.Cast{To: to}, f.name, f32(f, n))
				}
			}
			for _, from := range []op.DType{op.U32, op.I32, op.Bool} {
				if from != to {
					g.add(op.Cast{To: to}, "the ends of the range", oneWord(from, n))
				}
			}
			if to != op.I8 {
				g.add(op.Cast{To: to}, "any int8", int8s(anyInt8, n))
			}
		}
	}
}

func iadds(g *table) {
	for _, d := range []op.DType{op.U32, op.I32} {
		for _, n := range lengths {
			g.add(op.IAdd{}, "the ends of the range", integers(d, n), integers(d, n))
		}
	}
}

// key is the operand of a draw, and step its t: one word or two.
func key() operand { return words(op.U32, (*rand.Rand).Uint32, 2) }

func step(wordCount int) operand {
	if wordCount == 1 {
		return words(op.U32, func(r *rand.Rand) uint32 { return []uint32{0, 1, r.Uint32(), math.MaxUint32}[r.IntN(4)] })
	}
	return words(op.U32, (*rand.Rand).Uint32, 2)
}

// shapes of draws: the borders of the blocks of 4 words and of 128 bits.
var drawShapes = [][]int{{}, {0}, {1}, {2}, {3}, {4}, {5}, {7}, {8}, {9}, {127}, {128}, {129}, {3, 5, 7}, {2, 0}, {1025}, {5003}}

func drawsTo(o func(s op.Shape) op.Op) func(g *table) {
	return func(g *table) {
		for i, dims := range drawShapes {
			g.add(o(op.S(dims...)), "a key and a step", key(), step(1+i%2))
		}
	}
}

func uniforms(g *table) {
	for i, r := range [][2]float32{{0, 1}, {-1, 1}, {-0.1, 0.3}, {5, 5}, {3, -2}, {0x1p-149, 0x1p-140}, {-0x1p+126, 0x1p+126}} {
		for _, dims := range drawShapes {
			g.add(op.Uniform{To: op.S(dims...), Lo: op.B(r[0]), Hi: op.B(r[1])}, "a key and a step", key(), step(1+i%2))
		}
	}
}

func randints(g *table) {
	for i, n := range []uint32{1, 2, 3, 10, 1797, 1 << 31, math.MaxUint32} {
		for _, dims := range drawShapes {
			g.add(op.RandInt{To: op.S(dims...), N: n}, "a key and a step", key(), step(1+i%2))
		}
	}
}

func ternaries(g *table) {
	for i, cols := range []int{0, 1, 15, 16, 17, 63, 64, 65, 128, 129, 1000} {
		for _, rows := range []int{0, 1, 3, 16} {
			g.add(op.Ternary{Rows: int32(rows), Cols: int32(cols)}, "a key and a step", key(), step(1+i%2))
		}
	}
}

func batches(g *table) {
	for _, n := range []int32{1, 2, 3, 4, 5, 16, 17, 100, 256, 257, 1797, 1<<31 - 1} {
		for _, b := range []int32{0, 1, 3, 8, 17, 64} {
			g.add(op.Batch{N: n, B: b}, fmt.Sprintf("a step, batches of %d", b), key(), step(1))
		}
	}
	g.add(op.Batch{N: 1797, B: 1797}, "a whole epoch", key(), step(1))
	g.add(op.Batch{N: 1797, B: 4000}, "more than an epoch", key(), step(1))
}
