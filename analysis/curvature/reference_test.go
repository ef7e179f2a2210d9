package curvature_test

import (
	"math"
	"math/rand/v2"

	"lockstep/model"
	"lockstep/optest/reference"
	"lockstep/optest/truth"
)

type number = truth.Hyperdual

// matrices64 are the explicit matrices of the mean loss.
type matrices64 struct {
	hessian, ggn, empirical [][]float64
	slopes                  [][]float64 // [rows][D]: the gradient of each row's loss
}

// explicit evaluates the network once for each pair of parameters.
func (o problem) explicit() matrices64 {
	D, rows := o.Model.D(), o.Y.At(0)
	m := matrices64{square(D), square(D), square(D), nil}
	theta := func(i, j int) []number {
		t := make([]number, D)
		for k, v := range o.Theta[0] {
			t[k].A = float64(v)
		}
		t[i].B, t[j].C = 1, 1
		return t
	}
	each := func(n reference.Network, f func(row int, outputs []number, loss number)) {
		for r := range rows {
			y, loss := o.row(n, r)
			f(r, y, loss)
		}
	}
	slopes, jacobian := make([][]float64, rows), make([][][]float64, rows) // [row][D], [row][output][D]
	var outputs [][]float64
	for r := range rows {
		slopes[r] = make([]float64, D)
	}
	for i := range D {
		each(reference.New(o.Model, theta(i, i)), func(r int, y []number, loss number) {
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
			each(reference.New(o.Model, theta(i, j)), func(_ int, _ []number, loss number) { m.hessian[i][j] += loss.D / float64(rows) })
			m.hessian[j][i] = m.hessian[i][j]
		}
	}
	m.slopes = slopes
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

// row is a row's outputs, and its loss.
func (o problem) row(n reference.Network, r int) (outputs []number, loss number) {
	y := n.Outputs(o.X.F()[r*o.X.At(1) : (r+1)*o.X.At(1)])
	if o.Loss == model.CrossEntropy {
		return y, reference.Loss(o.Loss, y, int(o.Y.W[r]), nil)
	}
	return y, reference.Loss(o.Loss, y, 0, o.Y.F()[r*o.Y.At(1):(r+1)*o.Y.At(1)])
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
