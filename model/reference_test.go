package model_test

import (
	"math"
	"testing"

	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
	"lockstep/optest/reference"
	"lockstep/optest/truth"
)

// TestTransformers holds outputs, gradients and Hessian-vector products against the float64 reference. An output is the end of some
// hundred roundings, of values of size one; a layer norm or softmax lets the relative error of what it gets grow a few times: 100 * 2^-24 * 4
// = 2.4e-5. Derivatives go the same way back, so twice and three times that, relative to the largest. Those of the reference are exact.
func TestTransformers(t *testing.T) {
	for name, layers := range model.Transformers {
		e := model.NewExample(3, 5, layers...)
		spec, data, labels := e.Spec(), e.In(), e.Labels()
		if err := spec.Check(3); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		near := func(what string, got []float32, want []float64, tolerance float64) {
			t.Helper()
			scale := 0.
			for _, w := range want {
				scale = max(scale, math.Abs(w))
			}
			for i, w := range want {
				if d := math.Abs(float64(got[i]) - w); !(d <= tolerance*max(scale, 1e-3)) {
					t.Errorf("%s: %s %d is %v; want %v (of at most %.3g; off by %.2g)", name, what, i, got[i], w, scale, d)
					return
				}
			}
		}
		// mean is the loss at theta, with its derivatives along u and v.
		D := spec.D()
		theta, flat := make([]truth.Hyperdual, D), make([]float64, D)
		for i, v := range data["theta"].F() {
			flat[i] = float64(v)
			theta[i] = truth.Hyperdual{A: flat[i], B: float64(data["u"].F()[i]), C: float64(data["v"].F()[i])}
		}
		network, mean := reference.New(spec, theta), truth.Hyperdual{}
		var outputs []float64
		var rows [][]float32
		var classes []int
		for i, label := range labels {
			row := data["x"].F()[i*spec.In : (i+1)*spec.In]
			y := network.Outputs(row)
			for _, v := range y {
				outputs = append(outputs, v.A)
			}
			mean = mean.Add(reference.Loss(model.CrossEntropy, y, int(label), nil).Mul(truth.Real(1 / float64(len(labels)))))
			rows, classes = append(rows, row), append(classes, int(label))
		}
		near("output", model.Emit(t, data, func(b *graph.Builder, in func(string) op.Value) op.Value {
			return spec.Outputs(b, in("theta"), in("x"))
		}), outputs, 2.4e-5)

		near("gradient", model.Emit(t, data, func(b *graph.Builder, in func(string) op.Value) op.Value {
			theta := in("theta")
			return b.Gradient(e.Loss(b, in, theta), theta)[0]
		}), reference.Gradient(spec, model.CrossEntropy, flat, rows, classes, nil), 4.8e-5)

		hv := model.Emit(t, data, func(b *graph.Builder, in func(string) op.Value) op.Value {
			theta := in("theta")
			return b.HVP(e.Loss(b, in, theta), []op.Value{theta}, []op.Value{in("v")})[0]
		})
		dot, size := 0., 0.
		for i, v := range hv {
			dot += float64(v) * float64(data["u"].F()[i])
			size += math.Abs(float64(v) * float64(data["u"].F()[i]))
		}
		if !(math.Abs(dot-mean.D) <= 7.2e-5*size) {
			t.Errorf("%s: u'Hv is %v; want %v (terms of %.3g in all)", name, dot, mean.D, size)
		}
	}
}
