package cpu

import (
	"bytes"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// TestOneValueTwice: an op whose operands are one value has, of each, the tangent that it is given for that one: as if they were two values of equal bits.
func TestOneValueTwice(t *testing.T) {
	duals := map[string]func(x, y, dx, dy, small op.Value) (op.Op, []op.Value){
		"softmaxgrad": func(x, y, dx, dy, _ op.Value) (op.Op, []op.Value) {
			return op.SoftmaxGrad{}.Dual(3), []op.Value{x, y, dx, dy}
		},
		"layernormgrad": func(x, y, dx, dy, s op.Value) (op.Op, []op.Value) {
			return op.LayerNormGrad{}.Dual(5), []op.Value{x, s, y, dx, dy}
		},
		"matmul": func(x, y, dx, dy, _ op.Value) (op.Op, []op.Value) {
			return op.MatMul{}.Dual(3), []op.Value{x, y, dx, dy}
		},
	}
	for name, dual := range duals {
		program := func(twice bool) *graph.Program {
			return trace(t, func(b *graph.Builder) {
				x := b.Input("x", op.T(op.F32, op.Cell, 7, 7))
				dx, dy, small := b.Input("dx", op.T(op.F32, op.Cell, 7, 7)), b.Input("dy", op.T(op.F32, op.Cell, 7, 7)), b.Input("small", op.T(op.F32, op.Cell, 7, 1))
				y := x
				if !twice {
					y = b.Do(op.Neg, b.Do(op.Neg, x))
				}
				o, in := dual(x, y, dx, dy, small)
				for i, v := range b.Emit(o, in...) {
					b.Output([]string{"result", "tangent"}[i], v)
				}
			})
		}
		for _, o := range []Options{{Threads: 1}, {Threads: 1, Variants: []string{Law}}} {
			if got, want := trained(t, program(true), o, 1), trained(t, program(false), o, 1); !bytes.Equal(got, want) {
				t.Errorf("%s, %+v: %d of %d bytes differ", name, o, different(got, want), len(want))
			}
		}
	}
}
