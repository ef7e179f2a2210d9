//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.OneHot, in []op.Type) kernel {
		yes := uint32(1)
		if o.To == op.F32 {
			yes = 0x3f800000 // the bits of 1
		}
		inner := 1
		for d := int(o.Axis) + 1; d < int(in[0].Rank); d++ {
			inner *= in[0].At(d)
		}
		// One place is set for each index, where the law looks at each place of the result.
		return func(_ *workspace, out, in []op.Tensor) {
			y, n := out[0].W, int(o.N)
			clear(y)
			for i, k := range in[0].W {
				if uint64(k) < uint64(n) {
					y[(i/inner*n+int(k))*inner+i%inner] = yes
				}
			}
		}
	})
}
