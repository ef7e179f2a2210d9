package op_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/op"
	"lockstep/optest"
)

// TestShapeNeverPanics: Shape is the only argument check, so it must answer whatever operands and attributes it is given,
// and what it accepts the law must take.
func TestShapeNeverPanics(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	wild := []op.Op{op.Sum{Axes: "x"}, op.Sum{Axes: "-1"}, op.Sum{Axes: "1,0"}, op.Sum{Axes: "0,0"}, op.Sum{Axes: "9"}, op.Mean{Axes: "0,,1"}, op.Mean{Axes: "7"},
		op.AMax{Axis: -1}, op.AMax{Axis: 127}, op.ArgMax{Axis: -3}, op.Pick{Axis: -1}, op.OneHot{Axis: -1, N: 3}, op.OneHot{N: -1}, op.Tail{Axis: 6},
		op.Slice{Start: -1, Len: 1}, op.Slice{Start: 1<<31 - 1, Len: 1<<31 - 1}, op.Slice{Axis: -2}, op.Pad{Before: 1<<31 - 1, After: 1<<31 - 1}, op.Pad{Before: -1},
		op.Concat{Axis: 2}, op.Concat{Axis: -1}, op.Split{Sizes: "-1,3"}, op.Split{}, op.Split{Sizes: "1, 1"}, op.Transpose{Perm: "0,0"}, op.Transpose{Perm: "1"},
		op.Transpose{Perm: "0,7"}, op.Iota{N: -1}, op.ScatterAdd{N: -1}, op.RandInt{}, op.Ternary{Rows: -1}, op.Batch{}, op.Batch{N: 3, B: -1},
		op.Uniform{Lo: op.Bits(op.NaN)}, op.Uniform{Lo: op.B(-3e38), Hi: op.B(3e38)}, op.Fill{DType: op.Bool, Bits: 2}, op.Fill{DType: op.F32, Bits: 0xffc00000}, op.Cast{To: op.T2}}
	typeOf := func() op.Type {
		dims := make([]int, r.IntN(4))
		for i := range dims {
			dims[i] = r.IntN(4)
		}
		return op.T(op.DType(r.IntN(6)), op.Shared, dims...)
	}
	accepted := map[string]bool{}
	for _, proto := range slices.Concat(op.All, wild) {
		ops := []op.Op{proto}
		for _, c := range optest.Cases(proto, 0) {
			if len(c.In) == 0 || c.In[0].Len() < 2000 {
				ops = append(ops, c.Op)
			}
		}
		for range 3000 {
			o := proto
			if r.IntN(2) == 0 {
				o = ops[r.IntN(len(ops))]
			}
			in := make([]op.Type, r.IntN(6))
			for i := range in {
				if in[i] = typeOf(); i > 0 && r.IntN(2) == 0 {
					in[i] = in[i-1]
				}
			}
			out, err := shapeOf(t, o, in)
			if err != nil {
				if len(err.Error()) < 20 {
					t.Errorf("%s: the error %q says too little", op.Describe(o), err)
				}
				continue
			}
			accepted[o.Name()] = true
			total := 0
			for _, y := range out {
				total += y.Len()
			}
			if total < 1<<16 {
				runLaw(t, o, in, out)
			}
		}
	}
	if len(accepted) < len(op.All)/2 {
		t.Errorf("random operands fit only %d ops: the test shows little", len(accepted))
	}
}

func shapeOf(t *testing.T, o op.Op, in []op.Type) (out []op.Type, err error) {
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s.Shape(%v) panics: %v", op.Describe(o), in, r)
		}
	}()
	return o.Shape(in)
}

func runLaw(t *testing.T, o op.Op, in, out []op.Type) {
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s.Shape accepts %v and gives %v, but the law panics: %v", op.Describe(o), in, out, r)
		}
	}()
	tensors := func(types []op.Type) (ts []op.Tensor) {
		for _, x := range types {
			ts = append(ts, op.New(x))
		}
		return ts
	}
	o.Law(tensors(out), tensors(in))
}
