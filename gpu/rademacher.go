package gpu

import "lockstep/op"

var _ = kernel(func(o op.Rademacher, in, out []op.Type) *plan { return plainDraw("rademacher", in, out) })
