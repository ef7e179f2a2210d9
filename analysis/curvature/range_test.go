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

// known gives a problem's last layer a factor, and rows the labels that the model then has for them: it knows its rows, and the loss falls. It gives the loss.
func (o problem) known(begin []float32, grown float32) (loss float64) {
	head := o.Theta[0][o.Model.D()-len(begin):]
	for i := range head {
		head[i] = grown * begin[i]
	}
	theta := make([]number, o.Model.D())
	for i, x := range o.Theta[0] {
		theta[i].A = float64(x)
	}
	n := reference.New(o.Model, theta)
	for r := range o.Y.W {
		y := n.Outputs(o.X.F()[r*3 : (r+1)*3])
		for c := range y {
			if y[c].A > y[o.Y.W[r]].A {
				o.Y.W[r] = uint32(c)
			}
		}
		loss += reference.Loss(o.Loss, y, int(o.Y.W[r]), nil).A / float64(len(o.Y.W))
	}
	return loss
}

// headOf are the parameters of the last layer of mlp.
func headOf(o problem) []float32 { return slices.Clone(o.Theta[0][o.Model.D()-(4*3+3):]) }

// TestErrorsOfFittedSpectra: the errors of the largest eigenvalues hold how exact products are along their vectors, of models that know their rows the better and the
// better.
func TestErrorsOfFittedSpectra(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	worst := 0.
	for seed := 22 - seeds; seed < 22; seed++ {
		o := mlp(model.Tanh, model.CrossEntropy)
		copy(o.Theta[0], normals(seed, o.Model.D(), 0.7))
		begin := headOf(o)
		for _, grown := range []float32{4, 8, 16} {
			loss := o.known(begin, grown)
			all, err := o.session(t, curvature.Options{}).Lanczos(t.Context(), 40, curvature.Normal)
			if err != nil {
				t.Fatal(err)
			}
			ritz, err := all[0].Ritz()
			if err != nil {
				t.Fatal(err)
			}
			var e mat.EigenSym
			h := o.explicit().hessian
			e.Factorize(symmetric(h), false)
			exact := e.Values(nil)
			near := math.Inf(1)
			for _, v := range exact {
				near = min(near, math.Abs(v-ritz[0].Value))
			}
			told := ritz[0].Error + curvature.Inexact(o.Loss, o.Kind, loss)*float64(all[0].Scale)
			worst = max(worst, near/told)
			if near > told {
				t.Errorf("seed %d, last layer times %v, loss %.2g: the largest eigenvalue %v is off by %.2g; told %.2g", seed, grown, loss, ritz[0].Value, near, told)
			}
		}
	}
	t.Logf("eigenvalues are off by up to %.2g of what is told", worst)
	if worst < 0.1 {
		t.Errorf("eigenvalues are off by %.2g of what is told at most: that is told too much", worst)
	}
}

// symmetric is a matrix of rows.
func symmetric(m [][]float64) *mat.SymDense {
	s := mat.NewSymDense(len(m), nil)
	for i := range m {
		for j := range i + 1 {
			s.SetSym(i, j, (m[i][j]+m[j][i])/2)
		}
	}
	return s
}

// TestFitted: what the package says of models that know their rows.
func TestFitted(t *testing.T) {
	o := mlp(model.Tanh, model.CrossEntropy)
	begin := headOf(o)
	v := normals(9, o.Model.D(), 1)
	for _, grown := range []float32{1, 4, 8, 16, 24} {
		loss := o.known(begin, grown)
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
