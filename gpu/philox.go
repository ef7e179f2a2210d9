package gpu

import "lockstep/op"

// source is Source of cuda/philox.cuh: the operands of a draw.
type source struct {
	key, t view
	tWords uint64
}

// draw is a plan of a kernel that makes one block of the stream, four words, a thread; or covers 1024 words a block anyhow.
func draw(name string, in []op.Type, out op.Type, args func(out view, s source) argument) *plan {
	return elementwise(name, out, func(o, v []view) argument { return args(o[0], source{v[0], v[1], uint64(in[1].Words())}) })
}

type drawArgs struct { // NormalArgs, RademacherArgs, TernaryArgs
	out    view
	source source
	words  uint64
}

func plainDraw(name string, in, out []op.Type) *plan {
	return draw(name, in, out[0], func(o view, s source) argument { return bytesOf(drawArgs{o, s, uint64(out[0].Words())}) })
}
