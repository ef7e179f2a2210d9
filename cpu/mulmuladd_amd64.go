//go:build !purego

package cpu

import "lockstep/op"

type strip4 = func(y, a, b, c, d *uint32, n int)

func init() {
	for family, strip := range map[string]strip4{"avx2": stripMulMulAddAVX2, "avx512": stripMulMulAddAVX512} {
		twin(family, func(mulMulAdd, []op.Type) kernel {
			return func(_ *workspace, out, in []op.Tensor) {
				if n := len(out[0].W); n > 0 {
					strip(&out[0].W[0], &in[0].W[0], &in[1].W[0], &in[2].W[0], &in[3].W[0], n)
				}
			}
		})
	}
}
