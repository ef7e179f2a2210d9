//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(op.Select, []op.Type) kernel {
		return func(_ *workspace, out, in []op.Tensor) {
			y := out[0].W
			c, a, b := in[0].W[:len(y)], in[1].W[:len(y)], in[2].W[:len(y)]
			for i := range y {
				m := -c[i] // all ones where the condition holds
				y[i] = a[i]&m | b[i]&^m
			}
		}
	})
}
