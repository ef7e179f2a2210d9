package curvature_test

import (
	"math"
	"testing"

	"lockstep/model"
	"lockstep/op"
)

// Hessians that are known in closed form, each held to 1e-6 of |H| |v|.

func closed(t *testing.T, name string, o problem, h [][]float64) {
	t.Helper()
	v := normals(21, o.Model.D(), 1)
	for _, batch := range []int{0, 4} {
		o.Batch = batch
		if d := off(o.product(t, v), times(h, v), h, v); !(d < 1e-6) {
			t.Errorf("%s, batches of %d: off by %.2g of |H| |v|; want 1e-6", name, batch, d)
		}
	}
}

// TestQuadratic: linear regression by squared error, H = 2/N sum x x^T for each output, x with a 1 for the bias.
func TestQuadratic(t *testing.T) {
	o := newProblem(model.Spec{In: 6, Init: model.He, Layers: []model.Layer{model.Linear{Out: 2, Bias: true}}}, model.SquaredError, 10)
	h := square(o.Model.D())
	each(o, func(x []float64) {
		for i, a := range x {
			for j, b := range x {
				for c := range 2 {
					h[2*i+c][2*j+c] += 2 * a * b / 10 // W [in, out] row-major, then b
				}
			}
		}
	})
	closed(t, "quadratic", o, h)
}

// TestLogistic: softmax regression, H = 1/N sum (diag(p) - p p^T) kron x x^T (Boehning 1992, Multinomial Logistic Regression Algorithm, equation 2).
func TestLogistic(t *testing.T) {
	const classes = 4
	o := newProblem(model.Spec{In: 6, Init: model.He, Layers: []model.Layer{model.Linear{Out: classes, Bias: true}}}, model.CrossEntropy, 10)
	h, w := square(o.Model.D()), wide(o.Theta[0])
	each(o, func(x []float64) {
		var p [classes]float64
		total := 0.
		for c := range p {
			for i, a := range x {
				p[c] += a * w[classes*i+c]
			}
			p[c] = math.Exp(p[c])
			total += p[c]
		}
		for c := range p {
			for d := range p {
				k := -p[c] / total * p[d] / total
				if c == d {
					k += p[c] / total
				}
				for i, a := range x {
					for j, b := range x {
						h[classes*i+c][classes*j+d] += k * a * b / 10
					}
				}
			}
		}
	})
	closed(t, "logistic regression", o, h)
}

// TestTwoLayerLinear: x U V by squared error, whose Hessian is 2/N times, with r the residual, for U: x_i x_k (V V^T)_jl; for V: h_j h_l at one output; and between them
// x_i h_l V_jc + x_i r_c where j = l (Saxe, McClelland and Ganguli 2014, arXiv 1312.6120, section 1: the loss is of fourth degree).
func TestTwoLayerLinear(t *testing.T) {
	const in, width, out, rows = 4, 3, 2, 10
	o := newProblem(model.Spec{In: in, Init: model.He, Layers: []model.Layer{model.Linear{Out: width}, model.Linear{Out: out}}}, model.SquaredError, rows)
	theta, h, row := wide(o.Theta[0]), square(in*width+width*out), 0
	u := func(i, j int) int { return i*width + j }
	v := func(j, c int) int { return in*width + j*out + c }
	each(o, func(x []float64) {
		x = x[:in]
		var hidden [width]float64
		var r [out]float64
		for j := range width {
			for i := range in {
				hidden[j] += x[i] * theta[u(i, j)]
			}
		}
		for c := range out {
			r[c] = -float64(o.Y.F()[row*out+c])
			for j := range width {
				r[c] += hidden[j] * theta[v(j, c)]
			}
		}
		row++
		for i := range in {
			for j := range width {
				for l := range width {
					for k := range in {
						for c := range out {
							h[u(i, j)][u(k, l)] += 2. / rows * x[i] * x[k] * theta[v(j, c)] * theta[v(l, c)]
						}
					}
					for c := range out {
						m := x[i] * hidden[l] * theta[v(j, c)]
						if j == l {
							m += x[i] * r[c]
						}
						h[u(i, j)][v(l, c)] += 2. / rows * m
						h[v(l, c)][u(i, j)] += 2. / rows * m
					}
				}
			}
		}
		for j := range width {
			for l := range width {
				for c := range out {
					h[v(j, c)][v(l, c)] += 2. / rows * hidden[j] * hidden[l]
				}
			}
		}
	})
	closed(t, "two-layer linear network", o, h)
}

// each calls f for every row's inputs, with a 1 behind them.
func each(o problem, f func(x []float64)) {
	n := o.X.At(1)
	for r := range o.X.At(0) {
		x := op.Float32s(op.S(n), o.X.F()[r*n:(r+1)*n]...)
		f(append(wide(x.F()), 1))
	}
}
