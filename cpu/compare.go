//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.Compare, in []op.Type) kernel {
		if o != op.Gt || in[0].DType != op.F32 {
			return nil
		}
		return func(_ *workspace, out, in []op.Tensor) {
			y := out[0].W
			a, b := in[0].F()[:len(y)], in[1].F()[:len(y)]
			for i := range y {
				var c uint32
				if a[i] > b[i] {
					c = 1
				}
				y[i] = c
			}
		}
	})
}
