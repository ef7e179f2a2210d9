package op_test

import (
	"math"
	"testing"

	"lockstep/op"
	"lockstep/optest"
)

func vec(x ...float32) op.Tensor { return op.Float32s(op.S(len(x)), x...) }

func mat(rows, cols int, x ...float32) op.Tensor { return op.Float32s(op.S(rows, cols), x...) }

func u32s(x ...uint32) op.Tensor { return op.Words32(op.U32, op.S(len(x)), x...) }

func scalar(x uint32) op.Tensor { return op.Words32(op.U32, op.S(), x) }

// ternaryOf packs a matrix of -1, 0 and +1.
func ternaryOf(t *testing.T, rows, cols int, w ...int8) op.Tensor {
	t.Helper()
	m := op.New(op.T(op.I8, op.Shared, rows, cols))
	for i, x := range w {
		m.SetInt8(i, x)
	}
	p, ok := op.PackTernary(m)
	if !ok {
		t.Fatalf("%v is no ternary matrix", w)
	}
	return p
}

// TestEveryNaNIsCanonical: 0/0, inf - inf, 0 * inf and every other way to a NaN, of every op with a float32 result, store
// 7fc00000: an x86 processor makes ffc00000 of most of them.
func TestEveryNaNIsCanonical(t *testing.T) {
	ones := ternaryOf(t, 2, 1, 1, 1)
	makes := map[string][][]op.Tensor{
		"neg": {{vec(nan)}}, "exp": {{vec(nan)}}, "log": {{vec(-1)}, {vec(-inf)}, {vec(nan)}}, "sqrt": {{vec(-1)}, {vec(-inf)}, {vec(nan)}},
		"tanh": {{vec(nan)}}, "sinpi": {{vec(inf)}, {vec(-inf)}, {vec(nan)}}, "cospi": {{vec(inf)}, {vec(-inf)}, {vec(nan)}}, "relu": {{vec(nan)}},
		"sigmoid": {{vec(nan)}}, "rsqrt": {{vec(-1)}, {vec(nan)}}, "gelu": {{vec(-inf)}, {vec(nan)}},
		"add": {{vec(inf), vec(-inf)}, {vec(nan), vec(1)}, {vec(1), vec(nan)}}, "sub": {{vec(inf), vec(inf)}, {vec(nan), vec(1)}},
		"mul": {{vec(0), vec(inf)}, {vec(-inf), vec(0)}, {vec(nan), vec(0)}}, "div": {{vec(0), vec(0)}, {vec(inf), vec(-inf)}, {vec(1), vec(nan)}},
		"max": {{vec(nan), vec(1)}, {vec(1), vec(nan)}}, "min": {{vec(nan), vec(1)}, {vec(-inf), vec(nan)}},
		"select":     {{op.Words32(op.Bool, op.S(1), 1), vec(nan), vec(1)}, {op.Words32(op.Bool, op.S(1), 0), vec(1), vec(nan)}},
		"fill":       {{}},
		"matmul":     {{mat(1, 1, 0), mat(1, 1, inf)}, {mat(1, 2, inf, 1), mat(2, 1, 1, -inf)}, {mat(1, 1, nan), mat(1, 1, 0)}},
		"matmultail": {{mat(1, 1, 0), mat(1, 1, inf), scalar(1)}},
		"sum":        {{vec(inf, -inf)}, {vec(1, nan)}},
		"mean":       {{vec(inf, -inf)}, {vec()}},
		"softmax":    {{vec(inf, 0)}, {vec(-inf)}, {vec(nan)}}, "amax": {{vec(1, nan, inf)}},
		"matmuljvp": {{mat(1, 1, 0), mat(1, 1, inf), mat(1, 1, 0), mat(1, 1, 0)}, {mat(1, 1, 0), mat(1, 1, 0), mat(1, 1, 1), mat(1, 1, nan)}},
		"pick":      {{vec(nan), u32s(0)}}, "gather": {{vec(nan), u32s(0)}}, "scatteradd": {{u32s(0, 0), vec(inf, -inf)}},
		"xent": {{mat(1, 2, inf, 0), op.Words32(op.U32, op.S(1, 1), 0)}}, "xentgrad": {{mat(1, 2, nan, 0), op.Words32(op.U32, op.S(1, 1), 0), mat(1, 1, 1)}},
		"softmaxgrad": {{vec(inf, 0), vec(0, 1)}, {vec(1), vec(nan)}}, "layernorm": {{vec(inf, 0)}, {vec(nan)}}, "layernormgrad": {{vec(0), vec(1), vec(inf)}, {vec(nan), vec(1), vec(1)}},
		"dualmatmul": {{mat(1, 1, 0), mat(1, 1, inf), mat(1, 1, 0)}}, "dualtanh": {{vec(nan), vec(1)}}, "dualsigmoid": {{vec(nan), vec(1)}}, "dualgelu": {{vec(nan), vec(1)}},
		"dualsoftmax": {{vec(nan), vec(1)}}, "dualsoftmaxgrad": {{vec(nan), vec(1), vec(1)}}, "duallayernorm": {{vec(nan), vec(1)}}, "duallayernormgrad": {{vec(nan), vec(1), vec(1), vec(1)}},
		"dualxentgrad": {{mat(1, 2, nan, 0), op.Words32(op.U32, op.S(1, 1), 0), mat(1, 1, 1), mat(1, 2, 1, 1)}},
		"broadcast":    {{vec(nan)}}, "reshape": {{vec(nan)}}, "transpose": {{vec(nan)}}, "slice": {{vec(nan)}}, "pad": {{vec(nan)}}, "concat": {{vec(nan)}}, "split": {{vec(nan)}},
		"tail": {{vec(nan), scalar(1)}}, "putrow": {{mat(1, 1, 0), mat(1, 1, nan), scalar(0)}},
		"ternarymm": {{mat(1, 2, inf, 0), ones}, {mat(1, 2, 0, nan), ones}, {mat(1, 2, 0, -inf), ternaryOf(t, 2, 1, 0, 0)}}, "ternarymmtail": {{mat(1, 2, inf, 0), ones, scalar(1)}},
	}
	attributes := map[string]op.Op{
		"fill": op.Fill{DType: op.F32, Bits: op.B(nan), To: op.S(1)}, "sum": op.Sum{Axes: "0"}, "mean": op.Mean{Axes: "0"}, "broadcast": op.Broadcast{To: op.S(1)},
		"reshape": op.Reshape{To: op.S(1)}, "transpose": op.Transpose{Perm: "0"}, "slice": op.Slice{Len: 1}, "split": op.Split{Sizes: "1"}, "scatteradd": op.ScatterAdd{N: 1},
	}
	finite := map[string]bool{"cast": true, "onehot": true, "uniform": true, "normal": true, "rademacher": true} // never NaN
	for _, o := range op.All {
		if with, ok := attributes[o.Name()]; ok {
			o = with
		}
		if d, ok := o.(op.Twofold); ok {
			of, _ := d.Primal()
			o = of.(op.Dualer).Dual(1)
		}
		for _, in := range makes[o.Name()] {
			before := make([]op.Tensor, len(in))
			for i, x := range in {
				before[i] = op.Tensor{Type: x.Type, W: append([]uint32(nil), x.W...)}
			}
			out := law(t, o, in...)
			if w := out[0].W[0]; w != op.NaN {
				t.Errorf("%s(%v): %08x, want %08x", op.Describe(o), in, w, op.NaN)
			}
			for i := range in {
				if d := optest.Diff(in[i], before[i]); d != "" {
					t.Errorf("%s writes to operand %d: %s", op.Describe(o), i, d)
				}
			}
		}
		gives := false
		for _, c := range optest.Cases(o, 0) {
			out, err := c.Want(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, y := range out {
				gives = gives || y.DType == op.F32
				for i, w := range y.W {
					if y.DType == op.F32 && w&0x7fffffff > 0x7f800000 && w != op.NaN {
						t.Fatalf("%s: word %d is %08x", c, i, w)
					}
				}
			}
		}
		if gives && len(makes[o.Name()]) == 0 && !finite[o.Name()] {
			t.Errorf("%s has a float32 result, and no case here that makes a NaN", o.Name())
		}
	}
}

// TestZeros: the signs of zeros that orders and shortcuts get wrong.
func TestZeros(t *testing.T) {
	const tiny, minus = 0x1p-75, 1 << 31
	negZero := math.Float32frombits(minus)
	long := func(n int, x float32, at map[int]float32) op.Tensor {
		v := op.New(op.T(op.F32, op.Shared, n))
		for i := range v.W {
			v.SetF(i, x)
			if y, ok := at[i]; ok {
				v.SetF(i, y)
			}
		}
		return v
	}
	row := func(v op.Tensor) op.Tensor { v.Shape = op.S(1, v.Len()); return v }
	column := func(v op.Tensor) op.Tensor { v.Shape = op.S(v.Len(), 1); return v }
	under := map[int]float32{0: -tiny, 1024: -tiny}
	for _, c := range []struct {
		what string
		op   op.Op
		in   []op.Tensor
		want uint32
	}{
		{"a product that underflows", op.MatMul{}, []op.Tensor{mat(1, 1, -tiny), mat(1, 1, tiny)}, minus},
		{"chunk 0 alone ends in -0, and it is not added to +0", op.MatMul{}, []op.Tensor{mat(1, 2, -tiny, negZero), mat(2, 1, tiny, 1)}, minus},
		{"two chunks that end in -0", op.MatMul{}, []op.Tensor{row(long(1025, negZero, under)), column(long(1025, tiny, nil))}, minus},
		{"a chain starts at +0", op.MatMul{}, []op.Tensor{mat(1, 1, negZero), mat(1, 1, 1)}, 0},
		{"no terms", op.MatMul{}, []op.Tensor{mat(1, 0), mat(0, 1)}, 0},
		{"klen = 0", op.MatMul{}, []op.Tensor{mat(1, 1, nan), mat(1, 1, nan), scalar(0)}, 0},
		{"klen ends before the NaN", op.MatMul{}, []op.Tensor{mat(1, 2, -tiny, nan), mat(2, 1, tiny, nan), scalar(1)}, minus},
		{"a tangent that underflows", op.MatMulJVP{}, []op.Tensor{mat(1, 1, negZero), mat(1, 1, tiny), mat(1, 1, -tiny), mat(1, 1, 1)}, minus},
		{"a sum of -0 is +0", op.Sum{Axes: "0"}, []op.Tensor{vec(negZero)}, 0},
		{"and so over no axis", op.Sum{}, []op.Tensor{vec(negZero)}, 0},
		{"a broadcast copies -0", op.Broadcast{To: op.S(1)}, []op.Tensor{vec(negZero)}, minus},
		{"scattered -0", op.ScatterAdd{N: 1}, []op.Tensor{u32s(0), vec(negZero)}, 0},
		{"relu(-0)", op.Relu, []op.Tensor{vec(negZero)}, 0},
		{"neg(+0)", op.Neg, []op.Tensor{vec(0)}, minus},
		{"max(-0, +0)", op.Max, []op.Tensor{vec(negZero), vec(0)}, 0},
		{"max(+0, -0)", op.Max, []op.Tensor{vec(0), vec(negZero)}, 0},
		{"min(-0, +0)", op.Min, []op.Tensor{vec(negZero), vec(0)}, minus},
		{"min(+0, -0)", op.Min, []op.Tensor{vec(0), vec(negZero)}, minus},
		{"amax of zeros", op.AMax{}, []op.Tensor{vec(negZero, 0, negZero)}, 0},
		{"argmax: +0 beats -0", op.ArgMax{}, []op.Tensor{vec(negZero, 0, 0)}, 1},
		{"argmax: the first NaN", op.ArgMax{}, []op.Tensor{vec(inf, nan, nan)}, 1},
		{"argmax: the first of equals", op.ArgMax{}, []op.Tensor{vec(1, 2, 2)}, 1},
		{"same tells zeros apart", op.Same, []op.Tensor{vec(0), vec(negZero)}, 0},
		{"eq does not", op.Eq, []op.Tensor{vec(0), vec(negZero)}, 1},
		{"same(NaN, NaN)", op.Same, []op.Tensor{vec(nan), vec(nan)}, 1},
		{"ge(NaN, NaN)", op.Ge, []op.Tensor{vec(nan), vec(nan)}, 0},
		{"a row of -0", op.TernaryMM{}, []op.Tensor{mat(1, 1, negZero), ternaryOf(t, 1, 1, -1)}, 0},
		{"a sum that vanishes", op.TernaryMM{}, []op.Tensor{mat(1, 2, 3, 3), ternaryOf(t, 2, 1, 1, -1)}, 0},
		{"mean of nothing", op.Mean{Axes: "0"}, []op.Tensor{vec()}, op.NaN},
		{"an index beyond the table", op.Gather{}, []op.Tensor{vec(5), u32s(1)}, 0},
	} {
		if got := law(t, c.op, c.in...)[0].W[0]; got != c.want {
			t.Errorf("%s: %s gives %08x, want %08x", c.what, op.Describe(c.op), got, c.want)
		}
	}
}

// TestTraps: what a plausible implementation gets wrong and random operands do not show.
func TestTraps(t *testing.T) {
	f := func(x float32) uint32 { return math.Float32bits(x) }
	minimum := math.MinInt32
	for _, c := range []struct {
		what string
		op   op.Op
		in   []op.Tensor
		want uint32
	}{
		// 2^-40 + 24929 * 673 lies just above a tie; two roundings fall on the tie.
		{"one rounding of a fused product", op.MatMul{}, []op.Tensor{mat(1, 2, 0x1p-20, 24929), mat(2, 1, 0x1p-20, 673)}, f(16777218)},
		{"and of a tangent's", op.MatMulJVP{}, []op.Tensor{mat(1, 1, 24929), mat(1, 1, 0x1p-20), mat(1, 1, 0x1p-20), mat(1, 1, 673)}, f(16777218)},
		{"a tangent's first term is da b", op.MatMulJVP{}, []op.Tensor{mat(1, 1, 1), mat(1, 1, 1), mat(1, 1, 0x1p+24), mat(1, 1, 1)}, f(0x1p+24)},
		{"the last partial sum of a ternary row", op.TernaryMM{}, []op.Tensor{mat(1, 2, 0x1p+24, 1), ternaryOf(t, 2, 1, 1, 1)}, f(0x1p+24)},
		{"subnormal rows", op.TernaryMM{}, []op.Tensor{mat(1, 2, 0x1p-149, 0x1p-149), ternaryOf(t, 2, 1, 1, 1)}, 2},
		{"a subnormal sum of normal terms", op.TernaryMM{}, []op.Tensor{mat(1, 2, 0x1.8p-126, 0x1p-126), ternaryOf(t, 2, 1, 1, -1)}, f(0x1p-127)},
		{"overflow", op.TernaryMM{}, []op.Tensor{mat(1, 2, math.MaxFloat32, math.MaxFloat32), ternaryOf(t, 2, 1, 1, 1)}, f(inf)},
		{"no overflow on the way", op.TernaryMM{}, []op.Tensor{mat(1, 3, math.MaxFloat32, math.MaxFloat32, math.MaxFloat32), ternaryOf(t, 3, 1, 1, 1, -1)}, f(math.MaxFloat32)},
		{"a tie of the fixed point", op.TernaryMM{}, []op.Tensor{mat(1, 3, 1, 0x1p-30, -1), ternaryOf(t, 3, 1, 1, 1, 1)}, 0},
		{"and one that goes up", op.TernaryMM{}, []op.Tensor{mat(1, 3, 1, 0x1.8p-29, -1), ternaryOf(t, 3, 1, 1, 1, 1)}, f(0x1p-28)},
		{"2.5 to even", op.Cast{To: op.I32}, []op.Tensor{vec(2.5)}, 2},
		{"3.5 to even", op.Cast{To: op.U32}, []op.Tensor{vec(3.5)}, 4},
		{"2^31", op.Cast{To: op.I32}, []op.Tensor{vec(0x1p+31)}, math.MaxInt32},
		{"-2^32", op.Cast{To: op.I32}, []op.Tensor{vec(-0x1p+32)}, uint32(minimum)},
		{"infinity", op.Cast{To: op.U32}, []op.Tensor{vec(inf)}, math.MaxUint32},
		{"below zero", op.Cast{To: op.U32}, []op.Tensor{vec(-1)}, 0},
		{"NaN", op.Cast{To: op.I32}, []op.Tensor{vec(nan)}, 0},
		{"127.5", op.Cast{To: op.I8}, []op.Tensor{vec(127.5)}, 127},
		{"-129", op.Cast{To: op.I8}, []op.Tensor{vec(-129)}, 0x80},
		{"an integer between two float32", op.Cast{To: op.F32}, []op.Tensor{u32s(1<<24 + 3)}, f(1<<24 + 4)},
		{"-1 has no u32", op.Cast{To: op.U32}, []op.Tensor{op.Words32(op.I32, op.S(1), math.MaxUint32)}, 0},
	} {
		if got := law(t, c.op, c.in...)[0].W[0]; got != c.want {
			t.Errorf("%s: %s gives %08x, want %08x", c.what, op.Describe(c.op), got, c.want)
		}
	}
	// An integer above 2^53 is rounded once: by way of float64 it would meet the tie at 2^60 + 2^36.
	if got := (op.Scale{E: 29}).Result(1<<60 + 1<<36 + 1); got != 0x1p+60+0x1p+37 {
		t.Errorf("2^60 + 2^36 + 1 becomes %x, want %x", got, float32(0x1p+60+0x1p+37))
	}
	// Sums of int8 need more than 16 bits from the 65th pair of -128 on.
	x, w := op.New(op.T(op.I8, op.Shared, 1, 1000)), op.New(op.T(op.I8, op.Shared, 1000, 1))
	for i := range 1000 {
		x.SetInt8(i, -128)
		w.SetInt8(i, 1)
	}
	packed, _ := op.PackTernary(w)
	if got := int32(law(t, op.TernaryMM{}, x, packed)[0].W[0]); got != -128000 {
		t.Errorf("1000 * -128 = %d", got)
	}
}

// TestCanonical: a NaN with a payload becomes 7fc00000 when data are bound; nothing else changes.
func TestCanonical(t *testing.T) {
	w := []uint32{0x7f800001, 0xff800001, 0xffc00000, 0x7fffffff, 0x7f800000, 0xff800000, 0x80000000, 1, 0x7f7fffff}
	op.Canonical(w)
	for i, want := range []uint32{op.NaN, op.NaN, op.NaN, op.NaN, 0x7f800000, 0xff800000, 0x80000000, 1, 0x7f7fffff} {
		if w[i] != want {
			t.Errorf("word %d is %08x, want %08x", i, w[i], want)
		}
	}
}

// TestMeanLimit: N must be a float32.
func TestMeanLimit(t *testing.T) {
	if _, err := (op.Mean{Axes: "0"}).Shape([]op.Type{op.T(op.F32, op.Shared, 1<<24)}); err == nil {
		t.Error("a mean of 2^24 elements is accepted")
	}
	if _, err := (op.Mean{Axes: "0"}).Shape([]op.Type{op.T(op.F32, op.Shared, 1<<24-1)}); err != nil {
		t.Error(err)
	}
}
