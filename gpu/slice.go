package gpu

import "lockstep/op"

type windowArgs struct {
	out, x    view
	words     uint64
	start     int64
	row, from uint32
}

// window is the launch that shows x, cut into rows along an axis, from a start on, in result number i. Nil: more than 2^31 words.
func window(x op.Type, axis int8, start int, out []op.Type, i int) *plan {
	if !small([]op.Type{x}, out) {
		return nil
	}
	y := out[i]
	_, n, inner := around(x.Shape, axis)
	_, row, _ := around(y.Shape, axis)
	return elementwise("window", y, func(out, in []view) argument {
		return bytesOf(windowArgs{out[i], in[0], uint64(y.Words()), int64(start) * int64(inner), row * inner, n * inner})
	})
}

var (
	_ = kernel(func(o op.Slice, in, out []op.Type) *plan { return window(in[0], o.Axis, int(o.Start), out, 0) })
	_ = kernel(func(o op.Pad, in, out []op.Type) *plan { return window(in[0], o.Axis, -int(o.Before), out, 0) })
	_ = kernel(func(o op.Split, in, out []op.Type) *plan {
		all, at := &plan{}, 0
		for i, y := range out {
			p := window(in[0], o.Axis, at, out, i)
			if p == nil {
				return nil
			}
			all.launches = append(all.launches, p.launches...)
			at += y.At(int(o.Axis))
		}
		return all
	})
)
