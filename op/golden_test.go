package op_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew: the bits of the law have changed on purpose")

const goldenFile = "testdata/golden.txt"

// goldenInputs are fixed inputs, made with Philox alone. They are no part of the conformance suite, whose cases may grow: a
// hash that changes means that a result has changed.
type goldenInputs struct {
	t    *testing.T
	key  [2]uint32
	next uint64 // the block that comes next
	h    func(out []op.Tensor)
}

// words takes n words of the stream.
func (g *goldenInputs) words(n int) (w []uint32) {
	for len(w) < n {
		b := op.Philox(g.key, 0, g.next)
		g.next++
		w = append(w, b[:]...)
	}
	return w[:n]
}

// f32 has magnitudes of 2^-6 to 2^2, and now and then any bits at all.
func (g *goldenInputs) f32(dims ...int) op.Tensor {
	t := op.New(op.T(op.F32, op.Shared, dims...))
	for i, w := range g.words(len(t.W)) {
		if t.W[i] = w; w>>4%16 != 0 {
			t.W[i] = w&0x807fffff | (121+w>>24%8)<<23
		}
	}
	op.Canonical(t.W)
	return t
}

func (g *goldenInputs) below(n uint32, dims ...int) op.Tensor {
	t := op.New(op.T(op.U32, op.Shared, dims...))
	for i, w := range g.words(len(t.W)) {
		t.W[i] = uint32(uint64(w) * uint64(n) >> 32)
	}
	return t
}

func (g *goldenInputs) any(d op.DType, dims ...int) op.Tensor {
	t := op.New(op.T(d, op.Shared, dims...))
	copy(t.W, g.words(len(t.W)))
	if d == op.I8 && len(t.W) > 0 {
		t.W[len(t.W)-1] &= 1<<(8*((t.Len()-1)%4+1)) - 1 // the bytes beyond the end are 0
	}
	return t
}

func (g *goldenInputs) flags(dims ...int) op.Tensor {
	t := g.below(2, dims...)
	t.DType = op.Bool
	return t
}

func (g *goldenInputs) run(o op.Op, in ...op.Tensor) { g.h(law(g.t, o, in...)) }

// golden is the table: what is hashed for each op.
var golden = map[string]func(g *goldenInputs, o op.Op){
	"neg": unaryGolden, "exp": unaryGolden, "log": unaryGolden, "sqrt": unaryGolden, "tanh": unaryGolden, "sinpi": unaryGolden, "cospi": unaryGolden,
	"relu": unaryGolden, "sigmoid": unaryGolden, "rsqrt": unaryGolden, "gelu": unaryGolden,
	"add": binaryGolden, "sub": binaryGolden, "mul": binaryGolden, "div": binaryGolden, "max": binaryGolden, "min": binaryGolden,
	"gt": binaryGolden, "ge": binaryGolden, "lt": binaryGolden, "le": binaryGolden, "eq": binaryGolden, "same": binaryGolden,
	"matmul": func(g *goldenInputs, _ op.Op) {
		g.run(op.MatMul{}, g.f32(2, 7, 33), g.f32(2, 33, 5))
		g.run(op.MatMul{TA: true}, g.f32(33, 7), g.f32(33, 5))
		g.run(op.MatMul{TB: true}, g.f32(3, 2, 9), g.f32(4, 9), g.below(10))
		g.run(op.MatMul{TA: true, TB: true}, g.f32(2100, 3), g.f32(2, 2100))
	},
	"matmuljvp": func(g *goldenInputs, _ op.Op) {
		g.run(op.MatMulJVP{}, g.f32(7, 33), g.f32(33, 5), g.f32(7, 33), g.f32(33, 5))
		g.run(op.MatMulJVP{TA: true, TB: true}, g.f32(1100, 3), g.f32(2, 1100), g.f32(1100, 3), g.f32(2, 1100), g.below(1101))
	},
	"matmultail": func(g *goldenInputs, _ op.Op) {
		g.run(op.MatMulTail{}, g.f32(2, 7, 33), g.f32(2, 33, 5), g.below(6))
		g.run(op.MatMulTail{TB: true}, g.f32(2, 1100), g.f32(9, 1100), g.below(10))
	},
	"ternarymm": func(g *goldenInputs, _ op.Op) {
		g.run(op.TernaryMM{}, g.f32(40, 3), g.any(op.T2, 3, 50))
		g.run(op.TernaryMM{TB: true}, g.f32(5, 70), g.any(op.T2, 9, 70), g.below(71))
		g.run(op.TernaryMM{}, g.any(op.I8, 5, 70), g.any(op.T2, 70, 9))
	},
	"ternarymmtail": func(g *goldenInputs, _ op.Op) {
		g.run(op.TernaryMMTail{TB: true}, g.f32(40, 3), g.any(op.T2, 50, 3), g.below(51))
	},
	"select": func(g *goldenInputs, o op.Op) { g.run(o, g.flags(40), g.f32(40), g.f32(40)) },
	"fill":   func(g *goldenInputs, _ op.Op) { g.run(op.Fill{DType: op.F32, Bits: op.B(0.1), To: op.S(3, 4)}) },
	"iota":   func(g *goldenInputs, _ op.Op) { g.run(op.Iota{N: 40}) },
	"cast": func(g *goldenInputs, _ op.Op) {
		for _, to := range []op.DType{op.U32, op.I32, op.I8} {
			g.run(op.Cast{To: to}, g.f32(300))
		}
		for _, from := range []op.DType{op.U32, op.I32, op.I8} {
			g.run(op.Cast{To: op.F32}, g.any(from, 300))
		}
	},
	"iadd":      func(g *goldenInputs, o op.Op) { g.run(o, g.any(op.U32, 40), g.any(op.U32, 40)) },
	"broadcast": func(g *goldenInputs, _ op.Op) { g.run(op.Broadcast{To: op.S(2, 3, 4)}, g.f32(3, 1)) },
	"sum": func(g *goldenInputs, _ op.Op) {
		g.run(op.Sum{Axes: "0"}, g.f32(2500, 2))
		g.run(op.Sum{Axes: "0,2"}, g.f32(5, 3, 7))
	},
	"mean":      func(g *goldenInputs, _ op.Op) { g.run(op.Mean{Axes: "0,2"}, g.f32(5, 3, 7)) },
	"amax":      func(g *goldenInputs, _ op.Op) { g.run(op.AMax{Axis: 1}, g.f32(5, 30, 7)) },
	"argmax":    func(g *goldenInputs, _ op.Op) { g.run(op.ArgMax{Axis: 1}, g.f32(5, 30, 7)) },
	"onehot":    func(g *goldenInputs, _ op.Op) { g.run(op.OneHot{Axis: 1, N: 5, To: op.F32}, g.below(6, 30, 1)) },
	"pick":      func(g *goldenInputs, _ op.Op) { g.run(op.Pick{Axis: 1}, g.f32(30, 5), g.below(6, 30, 1)) },
	"reshape":   func(g *goldenInputs, _ op.Op) { g.run(op.Reshape{To: op.S(4, 3)}, g.f32(3, 4)) },
	"transpose": func(g *goldenInputs, _ op.Op) { g.run(op.Transpose{Perm: "2,0,1"}, g.f32(3, 4, 5)) },
	"slice":     func(g *goldenInputs, _ op.Op) { g.run(op.Slice{Axis: 1, Start: 1, Len: 2}, g.f32(3, 4, 5)) },
	"pad":       func(g *goldenInputs, _ op.Op) { g.run(op.Pad{Axis: 1, Before: 1, After: 2}, g.f32(3, 4, 5)) },
	"tail":      func(g *goldenInputs, _ op.Op) { g.run(op.Tail{Axis: 1}, g.f32(3, 4, 5), scalar(2)) },
	"concat":    func(g *goldenInputs, _ op.Op) { g.run(op.Concat{Axis: 1}, g.f32(3, 4), g.f32(3, 2)) },
	"split":     func(g *goldenInputs, _ op.Op) { g.run(op.Split{Axis: 1, Sizes: "1,3"}, g.f32(3, 4)) },
	"putrow":    func(g *goldenInputs, o op.Op) { g.run(o, g.f32(9, 4), g.f32(3, 4), scalar(7)) },
	"gather":    func(g *goldenInputs, o op.Op) { g.run(o, g.f32(9, 4), g.below(10, 20)) },
	"scatteradd": func(g *goldenInputs, _ op.Op) {
		g.run(op.ScatterAdd{N: 3}, g.below(4, 2100), g.f32(2100, 2))
	},
	"softmax": func(g *goldenInputs, o op.Op) { g.run(o, g.f32(40, 10)) },
	"dualmatmul": func(g *goldenInputs, _ op.Op) {
		g.run(op.Dual[op.MatMul]{With: 3}, g.f32(7, 33), g.f32(33, 5), g.f32(7, 33), g.f32(33, 5))
		g.run(op.Dual[op.MatMul]{Of: op.MatMul{TB: true}, With: 2}, g.f32(7, 33), g.f32(5, 33), g.below(34), g.f32(5, 33))
	},
	"dualtanh": dualGolden, "dualsigmoid": dualGolden, "dualgelu": dualGolden,
	"dualsoftmax": func(g *goldenInputs, _ op.Op) { g.run(op.Dual[op.Softmax]{With: 1}, g.f32(40, 10), g.f32(40, 10)) },
	"dualsoftmaxgrad": func(g *goldenInputs, _ op.Op) {
		g.run(op.Dual[op.SoftmaxGrad]{With: 3}, g.f32(40, 10), g.f32(40, 10), g.f32(40, 10), g.f32(40, 10))
	},
	"dualxentgrad": func(g *goldenInputs, _ op.Op) {
		g.run(op.Dual[op.XentGrad]{With: 1}, g.f32(40, 10), g.below(10, 40, 1), g.f32(40, 1), g.f32(40, 10))
	},
	"duallayernorm": func(g *goldenInputs, _ op.Op) {
		g.run(op.Dual[op.LayerNorm]{Of: op.LayerNorm{Eps: op.B(1e-5)}, With: 1}, g.f32(40, 10), g.f32(40, 10))
	},
	"duallayernormgrad": func(g *goldenInputs, _ op.Op) {
		g.run(op.Dual[op.LayerNormGrad]{With: 7}, g.f32(40, 10), g.f32(40, 1), g.f32(40, 10), g.f32(40, 10), g.f32(40, 1), g.f32(40, 10))
	},
	"softmaxgrad": func(g *goldenInputs, o op.Op) { g.run(o, g.f32(40, 10), g.f32(40, 10)) },
	"layernorm": func(g *goldenInputs, _ op.Op) {
		g.run(op.LayerNorm{Eps: op.B(1e-5)}, g.f32(40, 10))
		g.run(op.LayerNorm{}, g.f32(3, 1100))
	},
	"layernormgrad": func(g *goldenInputs, o op.Op) { g.run(o, g.f32(40, 10), g.f32(40, 1), g.f32(40, 10)) },
	"xent":          func(g *goldenInputs, o op.Op) { g.run(o, g.f32(40, 10), g.below(10, 40, 1)) },
	"xentgrad": func(g *goldenInputs, o op.Op) {
		g.run(o, g.f32(40, 10), g.below(10, 40, 1), g.f32(40, 1))
	},
	"uniform": func(g *goldenInputs, _ op.Op) {
		g.run(op.Uniform{To: op.S(101), Lo: op.B(-0.3), Hi: op.B(2)}, g.any(op.U32, 2), scalar(3))
	},
	"normal":     func(g *goldenInputs, _ op.Op) { g.run(op.Normal{To: op.S(1001)}, g.any(op.U32, 2), g.any(op.U32, 2)) },
	"rademacher": func(g *goldenInputs, _ op.Op) { g.run(op.Rademacher{To: op.S(501)}, g.any(op.U32, 2), scalar(3)) },
	"randint":    func(g *goldenInputs, _ op.Op) { g.run(op.RandInt{To: op.S(501), N: 1797}, g.any(op.U32, 2), scalar(3)) },
	"ternary":    func(g *goldenInputs, _ op.Op) { g.run(op.Ternary{Rows: 3, Cols: 128}, g.any(op.U32, 2), scalar(0)) },
	"batch":      func(g *goldenInputs, _ op.Op) { g.run(op.Batch{N: 1797, B: 64}, g.any(op.U32, 2), scalar(50)) },
}

func dualGolden(g *goldenInputs, o op.Op) {
	of, _ := o.(op.Twofold).Primal()
	g.run(of.(op.Dualer).Dual(1), g.f32(1000), g.f32(1000))
}
func unaryGolden(g *goldenInputs, o op.Op)  { g.run(o, g.f32(1000)) }
func binaryGolden(g *goldenInputs, o op.Op) { g.run(o, g.f32(1000), g.f32(1000)) }

// goldenLine is an op's name and the SHA-256 of its results: each result's words, little endian, one after the other.
func goldenLine(t *testing.T, o op.Op) string {
	make := golden[o.Name()]
	if make == nil {
		t.Fatalf("no golden inputs for %s: add a line to the table", o.Name())
	}
	h := sha256.New()
	make(&goldenInputs{t: t, key: op.Key(0, "golden "+o.Name()), h: func(out []op.Tensor) {
		for _, y := range out {
			for _, w := range y.W {
				h.Write(binary.LittleEndian.AppendUint32(nil, w))
			}
		}
	}}, o)
	return fmt.Sprintf("%s %x", o.Name(), h.Sum(nil))
}

// TestGolden pins the bits of every law, on whatever machine and with whatever build flags. A hash that changes is a change
// of the law: a new op.Version. go test ./op -run Golden -update writes the file.
func TestGolden(t *testing.T) {
	var lines []string
	for _, o := range op.All {
		lines = append(lines, goldenLine(t, o))
	}
	slices.Sort(lines)
	if *update {
		if err := os.MkdirAll(filepath.Dir(goldenFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []string
	for s := bufio.NewScanner(f); s.Scan(); {
		want = append(want, s.Text())
	}
	for _, l := range lines {
		if !slices.Contains(want, l) {
			t.Errorf("the law has changed, or the op is new: %s", l)
		}
	}
	if len(want) != len(lines) {
		t.Errorf("%s has %d lines for %d ops", goldenFile, len(want), len(lines))
	}
}
