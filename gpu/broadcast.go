package gpu

import "lockstep/op"

var _ = kernel(func(o op.Broadcast, in, out []op.Type) *plan {
	lead, from := int(o.To.Rank-in[0].Rank), strides(in[0].Shape)
	return strided("broadcast", in, out, func(d int) int {
		if d < lead || in[0].At(d-lead) == 1 {
			return 0
		}
		return from[d-lead]
	})
})
