package curvature

import (
	"errors"

	"lockstep/graph"
	"lockstep/op"
)

// Gradient traces the program that leaves the gradient of the mean loss in the output Product, f32[1, Size], in one step. Its inputs are those
// that the operator of the same objective binds for one vector a model. Error: the rows are not taken at once, or what Check says.
func (o *Objective) Gradient() (*graph.Program, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.batch() != o.rows() {
		return nil, errors.New("curvature: the gradient is taken of all rows at once; want Batch 0")
	}
	return graph.Trace(func(b *graph.Builder) {
		theta := b.Input(thetaIn, op.T(op.F32, Over(1), o.Model.D()))
		x, y, _ := o.data(b, 0)
		c := o.coordinates(b, theta)
		outputs := o.Model.ObserveParts(b, c.parts, x, func(int, string, op.Value) {})
		loss := b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: op.List(0)}, o.Loss.PerRow(b, outputs, y)))
		o.leave(b, c.together(b.Gradient(loss, c.wrt...)))
	})
}
