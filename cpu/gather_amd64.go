//go:build !purego

package cpu

import "lockstep/op"

func init() {
	for _, s := range stripSets {
		plus := s.binary[op.Add]
		twin(s.family, func(o op.ScatterAdd, _ []op.Type) kernel {
			return scatterAdd(int(o.N), func(y, x []uint32) { plus(&y[0], &y[0], &x[0], len(y)) })
		})
	}
}
