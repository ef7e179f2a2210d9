package op_test

import (
	"math"
	"testing"

	"lockstep/op"
)

func TestWithAttr(t *testing.T) {
	for _, c := range []struct {
		op        op.Op
		key, text string
		want      op.Op
	}{
		{op.MatMul{}, "ta", "true", op.MatMul{TA: true}},
		{op.Slice{}, "Axis", "-128", op.Slice{Axis: -128}},
		{op.Slice{}, "len", "2147483647", op.Slice{Len: math.MaxInt32}},
		{op.RandInt{}, "N", "4294967295", op.RandInt{N: math.MaxUint32}},
		{op.Fill{}, "bits", "0.5", op.Fill{Bits: op.B(0.5)}},
		{op.Fill{}, "bits", "0x3f000000", op.Fill{Bits: op.B(0.5)}},
		{op.Fill{}, "DType", "u32", op.Fill{DType: op.U32}},
		{op.Fill{}, "To", "2,3", op.Fill{To: op.S(2, 3)}},
		{op.Sum{}, "axes", "0, 2", op.Sum{Axes: "0,2"}},
	} {
		if got, err := op.WithAttr(c.op, c.key, c.text); err != nil || got != c.want {
			t.Errorf("%s with %s=%s is %v, error %v; want %s", op.Describe(c.op), c.key, c.text, got, err, op.Describe(c.want))
		}
	}
}

// TestWithAttrErrors: an error says what was wrong, where, and what would be right, in words of the user's.
func TestWithAttrErrors(t *testing.T) {
	for _, c := range []struct {
		op        op.Op
		key, text string
		want      string
	}{
		{op.MatMul{}, "TA", "maybe", `matmul, attribute TA: "maybe" is no bool (true or false)`},
		{op.AMax{}, "axis", "x", `amax, attribute Axis: "x" is no integer of 8 bits (-128 to 127)`},
		{op.AMax{}, "axis", "128", `amax, attribute Axis: "128" is no integer of 8 bits (-128 to 127)`},
		{op.Iota{}, "n", "2147483648", `iota, attribute N: "2147483648" is no integer of 32 bits (-2147483648 to 2147483647)`},
		{op.RandInt{}, "n", "-1", `randint, attribute N: "-1" is no unsigned integer of 32 bits (0 to 4294967295)`},
		{op.Fill{}, "bits", "half", `fill, attribute Bits: "half" is no float32 (a number such as 0.5, or its bits such as 0x3f000000)`},
		{op.Fill{}, "bits", "1e39", `fill, attribute Bits: "1e39" is no float32 (a number such as 0.5, or its bits such as 0x3f000000)`},
		{op.Fill{}, "bits", "0x123456789", `fill, attribute Bits: "0x123456789" is no float32 (a number such as 0.5, or its bits such as 0x3f000000)`},
		{op.Fill{}, "dtype", "f64", `fill, attribute DType: unknown element type "f64"; one of f32, u32, i32, bool, i8, t2`},
		{op.Fill{}, "to", "2,x", `fill, attribute To: "2,x" is not a list of integers such as 1,0,2`},
		{op.Fill{}, "to", "1,1,1,1,1,1,1", `fill, attribute To: "1,1,1,1,1,1,1" has 7 axes; at most 6`},
		{op.Fill{}, "to", "-1", `fill, attribute To: "-1": sizes are 0 to 2^31-1`},
		{op.Sum{}, "axes", "first", `sum, attribute Axes: "first" is not a list of integers such as 1,0,2`},
		{op.MatMul{}, "TC", "true", `matmul has no attribute "TC"; it has TA bool, TB bool`},
		{op.Add, "F", "1", `add has no attribute "F"; it has none`},
	} {
		if o, err := op.WithAttr(c.op, c.key, c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s with %s=%s is %v\nerror %v\nwant  %s", op.Describe(c.op), c.key, c.text, o, err, c.want)
		}
	}
}
