package gpu

import (
	"slices"

	"lockstep/op"
)

type sumArgs struct {
	out, x                  view
	results, n, segments, _ uint32
	kept, summed            axes
}

// Sum runs a launch for each level of segments; a level's partial results lie in scratch, [results, segments], behind those of
// the level before. Nil: more than 2^31 words.
var _ = kernel(func(o op.Sum, in, out []op.Type) *plan {
	if !small(in, out) {
		return nil
	}
	s, st, over := in[0].Shape, strides(in[0].Shape), o.Axes.Slice()
	a := sumArgs{results: uint32(out[0].Len()), n: 1}
	rows := true // the last axis is summed
	for d, last := int(s.Rank)-1, true; d >= 0; d-- {
		kind := &a.kept
		if slices.Contains(over, d) {
			kind = &a.summed
			a.n *= uint32(s.At(d))
		}
		kind.add(s.At(d), st[d])
		if last && s.At(d) != 1 {
			rows, last = kind == &a.summed, false
		}
	}
	p := &plan{}
	for from := -1; ; { // where x lies in scratch; -1: the operand
		a.segments = uint32(max(1, blocks(int(a.n), op.Chunk)))
		l := launch{kernel: "sum_rows", x: blocks(int(a.results)*int(a.segments), 8), z: 1, block: 256}
		if !rows {
			l.kernel, l.x = "sum_columns", blocks(int(a.results), 32)*int(a.segments)
		}
		level, x, y, last := a, from, p.scratch, a.segments == 1
		l.args = func(out, in []view, scratch view) argument {
			level := level
			if level.x = in[0]; x >= 0 {
				level.x = scratch
				level.x.base += 4 * uint64(x)
			}
			if level.out = out[0]; !last {
				level.out = scratch
				level.out.base += 4 * uint64(y)
			}
			return bytesOf(level)
		}
		p.launches = append(p.launches, l)
		if last {
			return p
		}
		from = p.scratch
		p.scratch += (int(a.results)*int(a.segments) + 15) / 16 * 16
		a.n, a.kept, a.summed, rows = a.segments, axes{}, axes{}, true
		a.summed.add(int(a.n), 1)
		a.kept.add(int(a.results), int(a.n))
	}
})
