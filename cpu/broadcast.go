//go:build !purego

package cpu

import "lockstep/op"

func init() {
	twin("go", func(o op.Broadcast, in []op.Type) kernel {
		// The operand is repeated over outer, each of its elements over inner: a scalar, a row, a column, or what lies between.
		outer, n, inner, ok := repeats(in[0].Shape, o.To)
		if !ok {
			return nil
		}
		return func(_ *workspace, out, in []op.Tensor) {
			x, y := in[0].W[:n], out[0].W
			if inner == 1 {
				for i := range outer {
					copy(y[i*n:(i+1)*n], x)
				}
				return
			}
			for i := range outer {
				for j, v := range x {
					row := y[(i*n+j)*inner : (i*n+j+1)*inner]
					for k := range row {
						row[k] = v
					}
				}
			}
		}
	})
}

// repeats views the broadcast of from to to as [outer, n, inner], in which the n elements of from vary only along the middle;
// ok is false when its axes alternate more often.
func repeats(from, to op.Shape) (outer, n, inner int, ok bool) {
	outer, n, inner = 1, 1, 1
	lead, d := int(to.Rank-from.Rank), int(to.Rank)-1
	grows := func(d int) bool { return d < lead || from.At(d-lead) != to.At(d) }
	for ; d >= 0 && grows(d); d-- {
		inner *= to.At(d)
	}
	for ; d >= 0 && !grows(d); d-- {
		n *= to.At(d)
	}
	for ; d >= 0 && (grows(d) || to.At(d) == 1); d-- {
		outer *= to.At(d)
	}
	return outer, n, inner, d < 0
}
