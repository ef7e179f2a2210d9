//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.Unary, _ []op.Type) kernel {
		switch o {
		case op.Neg:
			return func(_ *workspace, out, in []op.Tensor) {
				y := out[0].W
				for i, x := range in[0].W[:len(y)] {
					if y[i] = x ^ 1<<31; x == op.NaN {
						y[i] = op.NaN
					}
				}
			}
		case op.Relu:
			return func(_ *workspace, out, in []op.Tensor) {
				y := out[0].W
				for i, x := range in[0].W[:len(y)] {
					// A set sign bit is below zero or -0, since no stored NaN has one: the mask is its complement.
					y[i] = x &^ uint32(int32(x)>>31)
				}
			}
		case op.Sqrt:
			return func(_ *workspace, out, in []op.Tensor) {
				y := out[0].F()
				for i, x := range in[0].F()[:len(y)] {
					y[i] = op.Sqrt32(x)
				}
				op.Canonical(out[0].W)
			}
		}
		return nil
	})
}
