package gpu

import "lockstep/op"

type aMaxArgs struct {
	out, x                    view
	results, n, inner, unused uint32
}

// alongAxis plans amax and argmax. Nil: more than 2^31 words.
func alongAxis(name string, axis int8, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	outer, n, inner := around(in[0].Shape, axis)
	results := outer * inner
	grid := blocks(int(results), 256)
	if inner == 1 {
		name, grid = name+"_rows", blocks(int(results), 8)
	} else {
		name += "_columns"
	}
	return one(name, grid, 256, func(out, in []view) argument { return bytesOf(aMaxArgs{out[0], in[0], results, n, inner, 0}) })
}

var (
	_ = kernel(func(o op.AMax, in, out []op.Type) *plan { return alongAxis("amax", o.Axis, in, out) })
	_ = kernel(func(o op.ArgMax, in, out []op.Type) *plan { return alongAxis("argmax", o.Axis, in, out) })
)
