package model

import (
	"math"
	"slices"
	"strconv"
)

// reference is a transformer in float64, example by example, position by position and head by head.
type reference struct {
	spec   Spec
	theta  []float64
	params map[string][][]float64 // views of theta, by layer and name, as rows: a vector is one row
}

func newReference(s Spec, theta []float64) reference {
	r := reference{s, theta, map[string][][]float64{}}
	for _, p := range s.Params() {
		width := p.Shape[len(p.Shape)-1]
		for i := p.Offset; i < p.Offset+p.Len(); i += width {
			r.params[p.Name] = append(r.params[p.Name], theta[i:i+width])
		}
	}
	return r
}

// param is nil where the layer has none of that name.
func (r reference) param(layer int, name string) (rows [][]float64) {
	return r.params[strconv.Itoa(layer)+"."+name]
}

func (r reference) linear(layer int, w, b string, x []float64) []float64 {
	m := r.param(layer, w)
	y := make([]float64, len(m[0]))
	if bias := r.param(layer, b); bias != nil {
		copy(y, bias[0])
	}
	for i, row := range m {
		for j, v := range row {
			y[j] += x[i] * v
		}
	}
	return y
}

func (r reference) norm(layer int, prefix string, x []float64) []float64 {
	gain, shift := r.param(layer, prefix+"gain"), r.param(layer, prefix+"shift")
	if gain == nil {
		return x
	}
	sum, squares := 0., 0.
	for _, v := range x {
		sum += v
		squares += v * v
	}
	n := float64(len(x))
	mean := sum / n
	sd := math.Sqrt(squares/n - mean*mean + 1e-5)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v-mean)/sd*gain[0][i] + shift[0][i]
	}
	return y
}

func (r reference) attend(layer int, l Attention, x [][]float64) (y [][]float64) {
	var q, k, v [][]float64
	for _, row := range x {
		row = r.norm(layer, "norm.", row)
		q, k, v = append(q, r.linear(layer, "wq", "bq", row)), append(k, r.linear(layer, "wk", "bk", row)), append(v, r.linear(layer, "wv", "bv", row))
	}
	width := len(x[0]) / l.Heads
	for t := range x {
		a := make([]float64, len(x[0]))
		for h := range l.Heads {
			total, last := 0., len(x)-1
			if l.Causal {
				last = t
			}
			weights := make([]float64, last+1)
			for s := range weights {
				dot := 0.
				for c := h * width; c < (h+1)*width; c++ {
					dot += q[t][c] * k[s][c]
				}
				weights[s] = math.Exp(dot / math.Sqrt(float64(width)))
				total += weights[s]
			}
			for s, w := range weights {
				for c := h * width; c < (h+1)*width; c++ {
					a[c] += w / total * v[s][c]
				}
			}
		}
		o := r.linear(layer, "wo", "bo", a)
		for c := range o {
			o[c] += x[t][c]
		}
		y = append(y, o)
	}
	return y
}

var activations64 = map[Activation]func(float64) float64{
	ReLU:    func(x float64) float64 { return max(x, 0) },
	Tanh:    math.Tanh,
	Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	GELU: func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	},
}

// outputs of one example.
func (r reference) outputs(tokens []int) []float64 {
	var x [][]float64
	for k, l := range r.spec.Layers {
		switch l := l.(type) {
		case Embedding:
			for t, v := range tokens {
				row := slices.Clone(r.param(k, "tokens")[v])
				if places := r.param(k, "positions"); places != nil {
					for c := range row {
						row[c] += places[t][c]
					}
				}
				x = append(x, row)
			}
		case Attention:
			x = r.attend(k, l, x)
		case MLP:
			for t, row := range x {
				h := r.linear(k, "w1", "b1", r.norm(k, "norm.", row))
				for i := range h {
					h[i] = activations64[l.Activation](h[i])
				}
				for c, v := range r.linear(k, "w2", "b2", h) {
					x[t][c] += v
				}
			}
		case LayerNorm:
			for t := range x {
				x[t] = r.norm(k, "", x[t])
			}
		case Linear:
			for t := range x {
				x[t] = r.linear(k, "w", "b", x[t])
			}
		case Activation:
			for _, row := range x {
				for c := range row {
					row[c] = activations64[l](row[c])
				}
			}
		case Pool:
			switch l {
			case First:
				x = x[:1]
			case Last:
				x = x[len(x)-1:]
			default:
				mean := make([]float64, len(x[0]))
				for _, row := range x {
					for c, v := range row {
						mean[c] += v / float64(len(x))
					}
				}
				x = [][]float64{mean}
			}
		}
	}
	return x[0]
}

// loss is the mean cross-entropy.
func (r reference) loss(tokens [][]int, labels []uint32) (mean float64) {
	for i, row := range tokens {
		y, total := r.outputs(row), 0.
		for _, v := range y {
			total += math.Exp(v)
		}
		mean += (math.Log(total) - y[labels[i]]) / float64(len(tokens))
	}
	return mean
}
