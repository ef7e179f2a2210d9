package gpu

import "lockstep/op"

var _ = kernel(func(o op.Ternary, in, out []op.Type) *plan { return plainDraw("ternary", in, out) })
