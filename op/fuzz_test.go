package op_test

import (
	"strings"
	"testing"

	"lockstep/op"
)

// FuzzAttributes: no text of an attribute, no list of operand types panics: a shape rule takes them or says why not. What it takes, the law runs on.
func FuzzAttributes(f *testing.F) {
	for i, o := range op.All {
		attrs := op.Attrs(o)
		for k := range attrs {
			name, _, _ := strings.Cut(attrs[k], " ")
			f.Add(uint8(i), name, "1,0", name, "3", []byte{0, 2, 3, 4, 1, 1, 5})
		}
		f.Add(uint8(i), "", "", "", "", []byte{0, 2, 3, 4, 0, 2, 3, 4})
	}
	f.Fuzz(func(t *testing.T, kind uint8, key1, text1, key2, text2 string, types []byte) {
		o := op.All[int(kind)%len(op.All)]
		for _, a := range [][2]string{{key1, text1}, {key2, text2}} {
			if changed, err := op.WithAttr(o, a[0], a[1]); err == nil {
				o = changed
			}
		}
		var in []op.Type
		next := func() int {
			if len(types) == 0 {
				return 0
			}
			n := int(types[0])
			types = types[1:]
			return n
		}
		for len(types) > 0 && len(in) < 6 {
			x := op.Type{DType: op.DType(next() % 6)}
			x.Rank = int8(next() % (op.MaxRank + 1))
			for d := range int(x.Rank) {
				x.D[d] = int32(next() % 9)
			}
			in = append(in, x)
		}
		out, err := op.Outputs(o, in)
		if err != nil {
			return
		}
		words := 0
		for _, x := range append(out, in...) {
			words += x.Words()
		}
		if words > 1<<16 {
			return
		}
		tensors := make([]op.Tensor, len(in))
		for i, x := range in {
			tensors[i] = op.New(x)
		}
		if err := op.CheckData(o, tensors); err != nil { // of zeros: an index into nothing is the only error
			return
		}
		again, err := op.Run(o, tensors...)
		if err != nil || len(again) != len(out) {
			t.Fatalf("%s takes %v, and does not run: %v", op.Describe(o), in, err)
		}
	})
}
