//go:build !purego

package cpu

import "lockstep/op"

func init() {
	scratch(func(o op.Sum, in []op.Type, _ int) int { return sumWords(o, in[0].Shape) })
	scratch(func(o op.Mean, in []op.Type, _ int) int { return sumWords(op.Sum(o), in[0].Shape) })
	twin("go", func(o op.Sum, in []op.Type) kernel {
		lead, n, inner, ok := summed(o, in[0].Shape)
		if !ok || n > op.Chunk {
			return nil
		}
		return func(w *workspace, out, in []op.Tensor) {
			lanes := floats(w.Words(op.Lanes * inner))
			for i := range lead {
				sumRows(out[0].F()[i*inner:(i+1)*inner], in[0].F()[i*n*inner:(i+1)*n*inner], lanes)
			}
			op.Canonical(out[0].W)
		}
	})
}

// sumWords are the lanes of all columns, the sums of segments, and the sums of theirs.
func sumWords(o op.Sum, s op.Shape) int {
	_, n, inner, _ := summed(o, s)
	return (op.Lanes + 2*(n/op.Chunk+2)) * inner
}

// summed views a Sum as [lead, n, inner] summed over n; ok is false when its axes do not lie side by side.
func summed(o op.Sum, s op.Shape) (lead, n, inner int, ok bool) {
	lead, n, inner = 1, 1, 1
	axes := o.Axes.Slice()
	for d := range int(s.Rank) {
		switch {
		case len(axes) == 0 || d > axes[len(axes)-1]:
			inner *= s.At(d)
		case d < axes[0]:
			lead *= s.At(d)
		default:
			n *= s.At(d)
		}
	}
	return lead, n, inner, len(axes) > 0 && axes[len(axes)-1]-axes[0] == len(axes)-1
}

// sumRows adds the rows of x [n, len(y)] in the law's order, all columns side by side: lanes [Lanes, len(y)] hold the
// partial sums of a segment.
func sumRows(y, x, lanes []float32) {
	c := len(y)
	clear(lanes)
	for i, l := 0, 0; i < len(x); i += c {
		row := x[i : i+c]
		lane := lanes[l*c : l*c+c]
		for j, v := range row {
			lane[j] += v
		}
		if l++; l == op.Lanes {
			l = 0
		}
	}
	for h := op.Lanes / 2; h > 0; h /= 2 {
		a, b := lanes[:h*c], lanes[h*c:2*h*c]
		for j := range a {
			a[j] += b[j]
		}
	}
	copy(y, lanes[:c])
}
