//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.Binary, _ []op.Type) kernel {
		loop := binaryLoops[o]
		if loop == nil {
			return nil
		}
		return func(_ *workspace, out, in []op.Tensor) {
			y := out[0].F()
			a, b := in[0].F()[:len(y)], in[1].F()[:len(y)]
			loop(y, a, b)
			op.Canonical(out[0].W)
		}
	})
}

// binaryLoops are plain loops, one for each operation that is worth one; NaNs are made canonical afterwards.
var binaryLoops = map[op.Binary]func(y, a, b []float32){
	op.Add: func(y, a, b []float32) {
		for i := range y {
			y[i] = a[i] + b[i]
		}
	},
	op.Sub: func(y, a, b []float32) {
		for i := range y {
			y[i] = a[i] - b[i]
		}
	},
	op.Mul: func(y, a, b []float32) {
		for i := range y {
			y[i] = a[i] * b[i]
		}
	},
	op.Div: func(y, a, b []float32) {
		for i := range y {
			y[i] = a[i] / b[i]
		}
	},
}
