package gpu

import "lockstep/op"

type uniformArgs struct {
	out       view
	source    source
	words     uint64
	lo, width float32
}

var _ = kernel(func(o op.Uniform, in, out []op.Type) *plan {
	return draw("uniform", in, out[0], func(v view, s source) argument {
		return bytesOf(uniformArgs{v, s, uint64(out[0].Words()), o.Lo.F(), o.Hi.F() - o.Lo.F()})
	})
})

type randIntArgs struct {
	out      view
	source   source
	words, n uint64
}

var _ = kernel(func(o op.RandInt, in, out []op.Type) *plan {
	return draw("randint", in, out[0], func(v view, s source) argument {
		return bytesOf(randIntArgs{v, s, uint64(out[0].Words()), uint64(o.N)})
	})
})
