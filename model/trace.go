package model

import (
	"lockstep/graph"
	"lockstep/op"
)

// tracer is a layer's half that this file and its like hold: its ops.
type tracer interface {
	// trace emits the layer on rows x f32[rows, in] (0 for data without inputs: then one row) with its parameters in the
	// order and shapes of Layer.Params; the result is f32[rows, Width(in)].
	trace(b *graph.Builder, params []op.Value, x op.Value) op.Value
}

func (l Linear) trace(b *graph.Builder, p []op.Value, x op.Value) op.Value {
	y := b.Do(op.MatMul{}, x, p[0])
	if l.Bias {
		y = b.Do(op.Add, y, b.Do(op.Broadcast{To: b.Type(y).Shape}, p[1]))
	}
	return y
}

// activationOps: the op of each activation; one line per entry.
var activationOps = map[Activation]op.Op{ReLU: op.Relu, Tanh: op.Tanh, GELU: op.Gelu{}, Sigmoid: op.Sigmoid{}}

func (a Activation) trace(b *graph.Builder, _ []op.Value, x op.Value) op.Value {
	return b.Do(activationOps[a], x)
}

func (l GroupSum) trace(b *graph.Builder, p []op.Value, _ op.Value) op.Value {
	return b.Do(op.Reshape{To: op.S(1, l.Groups)}, b.Do(op.Sum{Axes: op.List(1)}, p[0]))
}

// Outputs emits the network: theta f32[D] and rows x f32[rows, In] (0 for data without inputs) give f32[rows, out].
func (s Spec) Outputs(b *graph.Builder, theta, x op.Value) op.Value {
	all := s.Params()
	parts := s.split(b, theta)
	width := s.In
	for _, l := range s.Layers {
		n := len(l.Params(width))
		params := make([]op.Value, n)
		for i := range params {
			params[i] = b.Do(op.Reshape{To: op.S(all[i].Shape...)}, parts[i])
		}
		x = l.(tracer).trace(b, params, x)
		all, parts, width = all[n:], parts[n:], l.Width(width)
	}
	return x
}

// split cuts a vector f32[D] into the parameters, each flat.
func (s Spec) split(b *graph.Builder, theta op.Value) []op.Value {
	var sizes []int
	for _, p := range s.Params() {
		sizes = append(sizes, p.Len())
	}
	return b.Emit(op.Split{Sizes: op.List(sizes...)}, theta)
}

// Theta0 emits the initial parameters f32[D]: element i of the normal stream of key (t = 0) times the standard deviation
// of its parameter; +0 where that is zero.
func (s Spec) Theta0(b *graph.Builder, key op.Value) op.Value {
	draws := s.split(b, b.Do(op.Normal{To: op.S(s.D())}, key, b.FillU(0)))
	for i, p := range s.Params() {
		if std := s.Init.Std(p.FanIn); std == 0 {
			draws[i] = b.Fill(0, p.Len())
		} else {
			draws[i] = b.Do(op.Mul, draws[i], b.Fill(std, p.Len()))
		}
	}
	return b.Do(op.Concat{}, draws...)
}

// Loss names how outputs are held against targets.
type Loss string

const (
	CrossEntropy Loss = "cross-entropy" // labels u32[rows, 1]; nats
	SquaredError Loss = "squared-error" // targets f32[rows, out]; the sum over a row's outputs of (output - target)^2
)

// Target is the type of the targets of rows rows with out output columns.
func (l Loss) Target(rows, out int) op.Type {
	if l == CrossEntropy {
		return op.T(op.U32, op.Shared, rows, 1)
	}
	return op.T(op.F32, op.Shared, rows, out)
}

// PerRow emits the loss of each row, f32[rows, 1].
func (l Loss) PerRow(b *graph.Builder, outputs, targets op.Value) op.Value {
	if l == CrossEntropy {
		return b.Do(op.Xent{}, outputs, targets)
	}
	d := b.Do(op.Sub, outputs, targets)
	return b.Do(op.Sum{Axes: op.List(1)}, b.Do(op.Mul, d, d))
}

// Correct emits 1 for each row whose first largest output is its label, else 0, f32[rows, 1]; it is 0 for SquaredError.
func (l Loss) Correct(b *graph.Builder, outputs, targets op.Value) op.Value {
	rows := b.Type(outputs).At(0)
	if l != CrossEntropy {
		return b.Fill(0, rows, 1)
	}
	return b.Do(op.Cast{To: op.F32}, b.Do(op.Eq, b.Do(op.ArgMax{Axis: 1}, outputs), targets))
}

// MeanRows emits the mean over rows, f32[], of f32[rows, 1].
func MeanRows(b *graph.Builder, perRow op.Value) op.Value {
	return b.Do(op.Reshape{To: op.S()}, b.Do(op.Mean{Axes: op.List(0)}, perRow))
}
