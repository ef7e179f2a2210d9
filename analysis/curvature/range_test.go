package curvature_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/analysis/curvature"
	"lockstep/model"
	"lockstep/optest/reference"
)

// TestSizes: matrices whose products are so small or large that float32 sums of their squares are spoilt are told of, and say nothing of the others of
// their pack.
func TestSizes(t *testing.T) {
	base := rotated(21, decaying(24))
	sized := func(size float64) *mat.SymDense {
		var a mat.SymDense
		a.ScaleSym(size, base)
		return &a
	}
	models := []*mat.SymDense{sized(1e-22), sized(1), sized(1e-14), sized(1e14), sized(1e20)}
	told := []string{"scale the loss", "", "", "", "not finite"}
	s := session(t, dense(t, models...), curvature.Options{Vectors: 1, Seed: 5})
	all, err := s.Lanczos(context.Background(), 20, curvature.Normal)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := session(t, dense(t, base), curvature.Options{Vectors: 1, Seed: 5}).Lanczos(context.Background(), 20, curvature.Normal)
	if err != nil || !slices.Equal(all[1].Alpha, alone[0].Alpha) || !slices.Equal(all[1].Beta, alone[0].Beta) {
		t.Errorf("beside matrices that cannot be measured T is %v, alone %v (%v)", all[1], alone[0], err)
	}
	want, err := alone[0].Ritz()
	if err != nil {
		t.Fatal(err)
	}
	for m, tridiagonal := range all {
		r, err := tridiagonal.Ritz()
		if told[m] != "" {
			if err == nil || !strings.Contains(err.Error(), told[m]) {
				t.Errorf("model %d: error %v; want %q", m, err, told[m])
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if size := []float64{0, 1, 1e-14, 1e14}[m]; math.Abs(r[0].Value/size-want[0].Value) > 1e-5*want[0].Value {
			t.Errorf("model %d: the largest eigenvalue is %v; want %v times %v", m, r[0].Value, size, want[0].Value)
		}
	}
	_, parts, err := s.HutchPlusPlus(context.Background(), 4, 8)
	if err != nil {
		t.Fatal(err)
	}
	for m := range models {
		if err := curvature.Estimates(parts[m]).Check(); (err != nil) != (told[m] != "") {
			t.Errorf("Hutch++ of model %d: error %v", m, err)
		}
	}
}

// TestSolveSizes: right-hand sides of any size are solved alike.
func TestSolveSizes(t *testing.T) {
	want := make([]float64, 12)
	for i := range want {
		want[i] = 1 + float64(i)
	}
	a := rotated(31, want)
	negative := rotated(12, []float64{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12})
	s := session(t, dense(t, a, negative), curvature.Options{})
	solve := func(size float32) []curvature.Solution {
		b := make([]float32, 24)
		for i := range b {
			b[i] = size * float32(math.Cos(float64(i*i)))
		}
		x, err := s.Solve(context.Background(), b, 0, 1e-5, 30)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	one := solve(1)
	for _, size := range []float32{0x1p-90, 0x1p90} {
		x := solve(size)
		for i := range x[0].X {
			x[0].X[i] /= size
		}
		if !slices.Equal(x[0].X, one[0].X) || x[0].Residual != one[0].Residual || x[0].Residual > 2e-5 {
			t.Errorf("of right-hand sides of size %g: %+v; want %+v", size, x[0], one[0])
		}
	}
	if !one[1].Negative {
		t.Errorf("%+v; want negative curvature", one[1])
	}
}

// TestFitted: what the package says of models that know their rows. The last layer grows, so that the outputs part, and the loss falls.
func TestFitted(t *testing.T) {
	o := mlp(model.Tanh, model.CrossEntropy)
	last := 4*3 + 3
	head := o.Theta[0][o.Model.D()-last:]
	begin := slices.Clone(head)
	v := normals(9, o.Model.D(), 1)
	for _, grown := range []float32{1, 4, 8, 16, 24} {
		for i := range head {
			head[i] = grown * begin[i]
		}
		theta := make([]number, o.Model.D())
		for i, x := range o.Theta[0] {
			theta[i].A = float64(x)
		}
		n, loss := reference.New(o.Model, theta), 0.
		for r := range o.Y.W {
			y := n.Outputs(o.X.F()[r*3 : (r+1)*3])
			for c := range y {
				if y[c].A > y[o.Y.W[r]].A {
					o.Y.W[r] = uint32(c)
				}
			}
			loss += reference.Loss(o.Loss, y, int(o.Y.W[r]), nil).A / float64(len(o.Y.W))
		}
		m := o.explicit()
		for kind, want := range map[curvature.Kind][][]float64{curvature.Hessian: m.hessian, curvature.GaussNewton: m.ggn} {
			o.Kind = kind
			d := off(o.product(t, v), times(want, v), want, v)
			t.Logf("loss %.2g, %s: off by %.2g of |M| |v|, %.2g / loss", loss, kind, d, d*loss)
			if !(d < 1e-6+curvature.Fitted/loss) {
				t.Errorf("loss %.2g, %s: off by %.2g of |M| |v|; want %g / loss", loss, kind, d, curvature.Fitted)
			}
		}
	}
}
