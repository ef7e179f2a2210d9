//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.Broadcast, in []op.Type) kernel {
		// The operand is repeated over outer, each of its elements over inner: a scalar, a row, a column, or what lies between.
		outer, n, inner, ok := o.Repeats(in[0].Shape)
		if !ok {
			return nil
		}
		return func(_ *workspace, out, in []op.Tensor) {
			x, y := in[0].W[:n], out[0].W
			if inner == 1 {
				for i := range outer {
					copy(y[i*n:(i+1)*n], x)
				}
				return
			}
			for i := range outer {
				for j, v := range x {
					row := y[(i*n+j)*inner : (i*n+j+1)*inner]
					for k := range row {
						row[k] = v
					}
				}
			}
		}
	})
}
