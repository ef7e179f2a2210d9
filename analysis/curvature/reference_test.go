package curvature_test

import (
	"math"
	"math/rand/v2"
	"strconv"

	"lockstep/model"
	"lockstep/optest/truth"
)

type number = truth.Hyperdual

// network64 is a model in hyperdual numbers, position by position and head by head; of the layers that these tests have.
type network64 struct {
	spec   model.Spec
	params map[string][][]number // as rows; a vector is one row
}

func newNetwork64(s model.Spec, theta []number) network64 {
	n := network64{s, map[string][][]number{}}
	for _, p := range s.Params() {
		width := p.Shape[len(p.Shape)-1]
		for i := p.Offset; i < p.Offset+p.Len(); i += width {
			n.params[p.Name] = append(n.params[p.Name], theta[i:i+width])
		}
	}
	return n
}

func (n network64) of(layer int, name string) [][]number {
	return n.params[strconv.Itoa(layer)+"."+name]
}

func (n network64) linear(layer int, w, b string, x []number) []number {
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

func (n network64) norm(layer int, prefix string, x []number) []number {
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

func (n network64) attend(layer int, l model.Attention, x [][]number) (y [][]number) {
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

// outputs of one row.
func (n network64) outputs(row []float32) []number {
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
		case model.Pool: // the last position
			x = x[len(x)-1:]
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

// loss64 is a row's loss.
func loss64(l model.Loss, outputs []number, label int, target []float32) (y number) {
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

// matrices64 are the explicit matrices of the mean loss.
type matrices64 struct{ hessian, ggn, empirical [][]float64 }

// explicit evaluates the network once for each pair of parameters.
func (o problem) explicit() matrices64 {
	D, rows := o.Model.D(), o.Y.At(0)
	m := matrices64{square(D), square(D), square(D)}
	theta := func(i, j int) []number {
		t := make([]number, D)
		for k, v := range o.Theta[0] {
			t[k].A = float64(v)
		}
		t[i].B, t[j].C = 1, 1
		return t
	}
	each := func(n network64, f func(row int, outputs []number, loss number)) {
		for r := range rows {
			y := n.outputs(o.X.F()[r*o.X.At(1) : (r+1)*o.X.At(1)])
			var target []float32
			label := 0
			if o.Loss == model.CrossEntropy {
				label = int(o.Y.W[r])
			} else {
				target = o.Y.F()[r*o.Y.At(1) : (r+1)*o.Y.At(1)]
			}
			f(r, y, loss64(o.Loss, y, label, target))
		}
	}
	slopes, jacobian := make([][]float64, rows), make([][][]float64, rows) // [row][D], [row][output][D]
	var outputs [][]float64
	for r := range rows {
		slopes[r] = make([]float64, D)
	}
	for i := range D {
		each(newNetwork64(o.Model, theta(i, i)), func(r int, y []number, loss number) {
			slopes[r][i] = loss.B
			if jacobian[r] == nil {
				jacobian[r] = make([][]float64, len(y))
				outputs = append(outputs, make([]float64, len(y)))
				for c := range y {
					jacobian[r][c] = make([]float64, D)
				}
			}
			for c, v := range y {
				jacobian[r][c][i], outputs[r][c] = v.B, v.A
			}
		})
		for j := range i + 1 {
			each(newNetwork64(o.Model, theta(i, j)), func(_ int, _ []number, loss number) { m.hessian[i][j] += loss.D / float64(rows) })
			m.hessian[j][i] = m.hessian[i][j]
		}
	}
	for r := range rows {
		h := square(len(outputs[r]))
		total := 0.
		for _, z := range outputs[r] {
			total += math.Exp(z)
		}
		for c, z := range outputs[r] {
			if o.Loss == model.SquaredError {
				h[c][c] = 2
				continue
			}
			p := math.Exp(z) / total
			for d, w := range outputs[r] {
				h[c][d] -= p * math.Exp(w) / total
			}
			h[c][c] += p
		}
		for i := range D {
			for j := range D {
				m.empirical[i][j] += slopes[r][i] * slopes[r][j] / float64(rows)
				for c := range h {
					for d := range h {
						m.ggn[i][j] += jacobian[r][c][i] * h[c][d] * jacobian[r][d][j] / float64(rows)
					}
				}
			}
		}
	}
	return m
}

func square(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}

func normals(seed uint64, n int, scale float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}
