package gpu

import (
	"math"
	"slices"

	"lockstep/op"
)

type sumArgs struct {
	out, x                        view
	results, n, segments, divisor uint32
	kept, summed                  axes
}

var (
	_ = kernel(func(o op.Sum, in, out []op.Type) *plan { return sumPlan(o.Axes.Slice(), in, out, false) })
	_ = kernel(func(o op.Mean, in, out []op.Type) *plan { return sumPlan(o.Axes.Slice(), in, out, true) })
)

const undivided = math.MaxUint32

// sumPlan runs a launch for each level of segments; a level's partial results lie in scratch, [results, segments], behind those of
// the level before. The last one divides by the number of elements for a mean. Nil: more than 2^31 words.
func sumPlan(over []int, in, out []op.Type, mean bool) *plan {
	if !small(in, out) {
		return nil
	}
	s, st := in[0].Shape, strides(in[0].Shape)
	a := sumArgs{results: uint32(out[0].Len()), n: 1, divisor: undivided}
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
	count := a.n
	p := &plan{}
	for from := -1; ; { // where x lies in scratch; -1: the operand
		a.segments = uint32(max(1, blocks(int(a.n), op.Chunk)))
		l := launch{kernel: "sum_rows", x: blocks(int(a.results)*int(a.segments), 8), z: 1, block: 256}
		if !rows {
			l.kernel, l.x = "sum_columns", blocks(int(a.results), 32)*int(a.segments)
		}
		level, x, y, last := a, from, p.scratch, a.segments == 1
		l.args = func(at places) argument {
			level := level
			if level.x = at.in[0]; x >= 0 {
				level.x = at.scratch
				level.x.base += 4 * uint64(x)
			}
			if level.out = at.out[0]; !last {
				level.out = at.scratch
				level.out.base += 4 * uint64(y)
			} else if mean {
				level.divisor = count
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
}
