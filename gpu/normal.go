package gpu

import "lockstep/op"

var _ = kernel(func(o op.Normal, in, out []op.Type) *plan { return plainDraw("normal", in, out) })
