// Package reference holds the networks of package model in hyperdual float64, position by position and head by head, with another algorithm for all that has one: an independent truth
// for outputs, gradients, and second derivatives.
package reference

import (
	"math"
	"strconv"

	"lockstep/model"
	"lockstep/optest/truth"
)

type number = truth.Hyperdual

// Network is a model of embeddings, attention, MLP blocks, layer norms, linear layers, activations and pools.
type Network struct {
	spec   model.Spec
	params map[string][][]number // as rows; a vector is one row
}

// New is the network with the parameters theta [D].
func New(s model.Spec, theta []number) Network {
	n := Network{s, map[string][][]number{}}
	for _, p := range s.Params() {
		width := p.Shape[len(p.Shape)-1]
		for i := p.Offset; i < p.Offset+p.Len(); i += width {
			n.params[p.Name] = append(n.params[p.Name], theta[i:i+width])
		}
	}
	return n
}

func (n Network) of(layer int, name string) [][]number {
	return n.params[strconv.Itoa(layer)+"."+name]
}

func (n Network) linear(layer int, w, b string, x []number) []number {
	m := n.of(layer, w)
	y := make([]number, len(m[0]))
	if bias := n.of(layer, b); bias != nil {
		copy(y, bias[0])
	}
	for i, row := range m {
		for j, v := range row {
			y[j] = y[j].Add(x[i].Mul(v))
		}
	}
	return y
}

func (n Network) norm(layer int, prefix string, x []number) []number {
	gain, shift := n.of(layer, prefix+"gain"), n.of(layer, prefix+"shift")
	if gain == nil {
		return x
	}
	var sum, squares number
	for _, v := range x {
		sum, squares = sum.Add(v), squares.Add(v.Mul(v))
	}
	share := truth.Real(1 / float64(len(x)))
	mean := sum.Mul(share)
	sd := squares.Mul(share).Add(mean.Mul(mean).Mul(truth.Real(-1))).Add(truth.Real(1e-5)).Sqrt()
	y := make([]number, len(x))
	for i, v := range x {
		y[i] = v.Add(mean.Mul(truth.Real(-1))).Div(sd).Mul(gain[0][i]).Add(shift[0][i])
	}
	return y
}

func (n Network) attend(layer int, l model.Attention, x [][]number) (y [][]number) {
	var q, k, v [][]number
	for _, row := range x {
		row = n.norm(layer, "norm.", row)
		q, k, v = append(q, n.linear(layer, "wq", "bq", row)), append(k, n.linear(layer, "wk", "bk", row)), append(v, n.linear(layer, "wv", "bv", row))
	}
	width := len(x[0]) / l.Heads
	for t := range x {
		a := make([]number, len(x[0]))
		for h := range l.Heads {
			last := len(x) - 1
			if l.Causal {
				last = t
			}
			var total number
			weights := make([]number, last+1)
			for s := range weights {
				var dot number
				for c := h * width; c < (h+1)*width; c++ {
					dot = dot.Add(q[t][c].Mul(k[s][c]))
				}
				weights[s] = dot.Mul(truth.Real(1 / math.Sqrt(float64(width)))).Exp()
				total = total.Add(weights[s])
			}
			for s, w := range weights {
				for c := h * width; c < (h+1)*width; c++ {
					a[c] = a[c].Add(w.Div(total).Mul(v[s][c]))
				}
			}
		}
		o := n.linear(layer, "wo", "bo", a)
		for c := range o {
			o[c] = o[c].Add(x[t][c])
		}
		y = append(y, o)
	}
	return y
}

var activations64 = map[model.Activation]func(number) number{
	model.ReLU: number.Relu, model.Tanh: number.Tanh, model.Sigmoid: number.Sigmoid, model.GELU: number.Gelu,
}

// pooled is one row of an example's positions.
func pooled(l model.Pool, x [][]number) []number {
	switch l {
	case model.First:
		return x[0]
	case model.Last:
		return x[len(x)-1]
	}
	mean := make([]number, len(x[0]))
	for _, row := range x {
		for c, v := range row {
			mean[c] = mean[c].Add(v.Mul(truth.Real(1 / float64(len(x)))))
		}
	}
	return mean
}

// Outputs are those of one row of data. It panics at a layer that it does not have.
func (n Network) Outputs(row []float32) []number {
	var x [][]number
	if n.spec.Vocab == 0 {
		x = [][]number{nil}
		for _, v := range row {
			x[0] = append(x[0], truth.Real(float64(v)))
		}
	}
	for k, l := range n.spec.Layers {
		switch l := l.(type) {
		case model.Embedding:
			for t, v := range row {
				e := append([]number(nil), n.of(k, "tokens")[int(v)]...)
				if places := n.of(k, "positions"); places != nil {
					for c := range e {
						e[c] = e[c].Add(places[t][c])
					}
				}
				x = append(x, e)
			}
		case model.Attention:
			x = n.attend(k, l, x)
		case model.MLP:
			for t, row := range x {
				h := n.linear(k, "w1", "b1", n.norm(k, "norm.", row))
				for i := range h {
					h[i] = activations64[l.Activation](h[i])
				}
				for c, v := range n.linear(k, "w2", "b2", h) {
					x[t][c] = x[t][c].Add(v)
				}
			}
		case model.LayerNorm:
			for t, row := range x {
				x[t] = n.norm(k, "", row)
			}
		case model.Pool:
			x = [][]number{pooled(l, x)}
		case model.Linear:
			for t, row := range x {
				x[t] = n.linear(k, "w", "b", row)
			}
		case model.Activation:
			for t, row := range x {
				for c, v := range row {
					x[t][c] = activations64[l](v)
				}
			}
		default:
			panic("the reference has no layer " + l.Type())
		}
	}
	return x[0]
}

// Loss is a row's loss: of its label, or of its targets.
func Loss(l model.Loss, outputs []number, label int, target []float32) (y number) {
	if l == model.SquaredError {
		for i, o := range outputs {
			d := o.Add(truth.Real(-float64(target[i])))
			y = y.Add(d.Mul(d))
		}
		return y
	}
	for _, o := range outputs {
		y = y.Add(o.Exp())
	}
	return y.Log().Add(outputs[label].Mul(truth.Real(-1)))
}

// Gradient is that of the mean loss over rows with respect to theta, in float64: of label[i] or target[i] for row i.
func Gradient(s model.Spec, l model.Loss, theta []float64, rows [][]float32, labels []int, targets [][]float32) []float64 {
	g := make([]float64, len(theta))
	at := make([]number, len(theta))
	for i, v := range theta {
		at[i].A = v
	}
	for i := range theta {
		at[i].B = 1
		n := New(s, at)
		for r, x := range rows {
			label, target := 0, []float32(nil)
			if l == model.CrossEntropy {
				label = labels[r]
			} else {
				target = targets[r]
			}
			g[i] += Loss(l, n.Outputs(x), label, target).B / float64(len(rows))
		}
		at[i].B = 0
	}
	return g
}
