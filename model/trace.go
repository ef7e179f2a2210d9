package model

import (
	"math"

	"lockstep/graph"
	"lockstep/op"
)

// tracer is a layer's half that this file and its like hold: its ops.
type tracer interface {
	// trace emits the layer on examples x f32[rows * in.Positions, in.Columns], one below the other (0 for data without inputs: then
	// one row), with its parameters in the order and shapes of Layer.Params; the result is f32[rows * Positions, Columns] of Form(in).
	trace(t tracing, params []op.Value, in Form, x op.Value) op.Value
}

// tracing is a program at work, and who looks on.
type tracing struct {
	*graph.Builder
	see func(name string, v op.Value)
}

func (l Linear) trace(t tracing, p []op.Value, _ Form, x op.Value) op.Value {
	return t.linear(x, p)
}

// linear emits x W + b, or x W where there is no b.
func (t tracing) linear(x op.Value, p []op.Value) op.Value {
	y := t.Do(op.MatMul{}, x, p[0])
	if len(p) > 1 {
		y = t.Do(op.Add, y, t.wide(p[1], y))
	}
	return y
}

// wide spreads x over the shape of y.
func (t tracing) wide(x, y op.Value) op.Value { return t.Do(op.Broadcast{To: t.Type(y).Shape}, x) }

// activationOps: the op of each activation; one line per entry.
var activationOps = map[Activation]op.Op{ReLU: op.Relu, Tanh: op.Tanh, GELU: op.Gelu{}, Sigmoid: op.Sigmoid{}}

func (a Activation) trace(t tracing, _ []op.Value, _ Form, x op.Value) op.Value {
	return t.Do(activationOps[a], x)
}

func (l GroupSum) trace(t tracing, p []op.Value, _ Form, _ op.Value) op.Value {
	return t.Do(op.Reshape{To: op.S(1, l.Groups)}, t.Do(op.Sum{Axes: op.List(1)}, p[0]))
}

// Outputs emits the network: theta f32[D] and rows x f32[rows, In] (0 for data without inputs) give f32[rows, out].
func (s Spec) Outputs(b *graph.Builder, theta, x op.Value) op.Value {
	return s.Observe(b, theta, x, func(int, string, op.Value) {})
}

// Observe is Outputs, and hands what lies between to see, as it is emitted: of each layer "out", its result f32[rows * positions, columns], and
// before that what else the layer shows: of attention "probabilities" f32[rows, heads, positions, positions], which query looks at which key.
// What see does with a value changes no other: it may emit ops and outputs.
func (s Spec) Observe(b *graph.Builder, theta, x op.Value, see func(layer int, name string, v op.Value)) op.Value {
	return s.ObserveParts(b, s.Split(b, theta), x, see)
}

// ObserveParts is Observe with the parameters of Params one by one, each flat, so that one may differentiate with respect to some of them.
func (s Spec) ObserveParts(b *graph.Builder, parts []op.Value, x op.Value, see func(layer int, name string, v op.Value)) op.Value {
	all := s.Params()
	form := s.form()
	for k, l := range s.Layers {
		n := len(l.Params(form))
		params := make([]op.Value, n)
		for i := range params {
			params[i] = b.Do(op.Reshape{To: op.S(all[i].Shape...)}, parts[i])
		}
		t := tracing{b, func(name string, v op.Value) { see(k, name, v) }}
		x = l.trace(t, params, form, x)
		t.see("out", x)
		all, parts, form = all[n:], parts[n:], l.Form(form)
	}
	return x
}

// Split cuts a vector f32[D] into the parameters of Params, each flat.
func (s Spec) Split(b *graph.Builder, theta op.Value) []op.Value {
	var sizes []int
	for _, p := range s.Params() {
		sizes = append(sizes, p.Len())
	}
	return b.Emit(op.Split{Sizes: op.List(sizes...)}, theta)
}

// Theta0 emits the initial parameters f32[D] from the stream of key. Element i, where its parameter is normal, is element i of the normal
// draws at t = 0, times the standard deviation; where it is uniform, element i of the uniform draws between -1 and 1 at t = 1, which are
// exact multiples of 2^-23, times the bound.
func (s Spec) Theta0(b *graph.Builder, key op.Value) op.Value {
	normal := s.Split(b, b.Do(op.Normal{To: op.S(s.D())}, key, b.FillU(0)))
	var uniform, all []op.Value
	for i, p := range s.Params() {
		start, x := s.Init.Start(p), normal[i]
		if start.Draw == Uniform {
			if uniform == nil {
				uniform = s.Split(b, b.Do(op.Uniform{To: op.S(s.D()), Lo: op.B(-1), Hi: op.B(1)}, key, b.FillU(1)))
			}
			x = uniform[i]
		}
		scale := b.Fill(start.Scale, p.Len())
		if start.Draw != Fixed {
			scale = b.Do(op.Mul, x, scale)
		}
		all = append(all, scale)
	}
	return b.Do(op.Concat{}, all...)
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

// Drawn emits, f32[rows, 1], what has the gradients of the rows' losses at targets drawn from the distribution of which the loss is the negative
// logarithm: for CrossEntropy a label from softmax(outputs), the first largest of outputs + Gumbel noise (Maddison, Tarlow and Minka 2014, arXiv
// 1411.0030, section 2); for SquaredError a normal target of variance 1/2 round each output. noise f32[rows, out] is that of Noise, of these rows.
func (l Loss) Drawn(b *graph.Builder, outputs, noise op.Value) op.Value {
	s := b.Type(outputs).Shape
	if l == CrossEntropy {
		gumbel := b.Do(op.Neg, b.Do(op.Log, b.Do(op.Neg, b.Do(op.Log, noise)))) // -inf where it is 0
		return l.PerRow(b, outputs, b.Do(op.ArgMax{Axis: 1}, b.Do(op.Add, outputs, gumbel)))
	}
	// (output - target)^2 with output - target = e held fixed where it is differentiated again: 2 e * output.
	e := b.Do(op.Mul, noise, b.Do(op.Fill{DType: op.F32, Bits: op.B(math.Sqrt2), To: s})) // 2 * sqrt(1/2)
	return b.Do(op.Sum{Axes: op.List(1)}, b.Do(op.Mul, e, outputs))
}

// Noise emits what targets are drawn with, f32[rows, out] of block 0 of the stream of key: uniform for CrossEntropy, normal for SquaredError. A row's
// does not hang on how many there are.
func (l Loss) Noise(b *graph.Builder, rows, out int, key op.Value) op.Value {
	if l == CrossEntropy {
		return b.Do(op.Uniform{To: op.S(rows, out), Lo: op.B(0), Hi: op.B(1)}, key, b.FillU(0))
	}
	return b.Do(op.Normal{To: op.S(rows, out)}, key, b.FillU(0))
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
