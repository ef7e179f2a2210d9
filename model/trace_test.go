package model

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// emit runs a one-step program on the CPU engine and returns its output "y" as float32.
func emit(t *testing.T, in map[string]op.Tensor, f func(b *graph.Builder, in func(string) op.Value) op.Value) []float32 {
	t.Helper()
	return emitOn(t, cpu.Options{}, in, f)
}

func emitOn(t *testing.T, o cpu.Options, in map[string]op.Tensor, f func(b *graph.Builder, in func(string) op.Value) op.Value) []float32 {
	t.Helper()
	engine, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := engine.NewPack(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range in {
		var b []byte
		for _, w := range x.W {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		if err := pack.Put(name, x.Type, 0, b); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	p, err := graph.Trace(func(b *graph.Builder) {
		y := f(b, func(name string) op.Value { return b.Input(name, in[name].Type) })
		b.OutputOver("y", y, op.Cell)
		n = b.Type(y).Len()
	})
	if err != nil {
		t.Fatal(err)
	}
	x, err := pack.Compile(p)
	if err == nil {
		err = x.Run(context.Background(), 1)
	}
	b := make([]byte, 4*n)
	if err == nil {
		err = pack.Read("y", 0, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float32, n)
	for i := range y {
		y[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return y
}

// Element i of theta0 is draw i, of the normal or the uniform ones, times its parameter's scale, or the parameter's constant.
func TestTheta0(t *testing.T) {
	k := op.Key(11, "theta")
	key := op.Words32(op.U32, op.S(2), k[:]...)
	layers := []Layer{Embedding{9, 8, true}, Attention{2, true, true, true}, MLP{5, Tanh, true, true}, LayerNorm{}, Last, Linear{2, true}}
	for _, init := range Inits() {
		s := Spec{In: 7, Vocab: 9, Init: Init(init), Layers: layers}
		draws := map[Draw][]float32{}
		for d, o := range map[Draw]op.Op{Normal: op.Normal{To: op.S(s.D())}, Uniform: op.Uniform{To: op.S(s.D()), Lo: op.B(-1), Hi: op.B(1)}} {
			x, err := op.Run(o, key, op.Words32(op.U32, op.S(), uint32(d-Normal)))
			if err != nil {
				t.Fatal(err)
			}
			draws[d] = x[0].F()
		}
		theta := emit(t, map[string]op.Tensor{"key": key}, func(b *graph.Builder, in func(string) op.Value) op.Value {
			return s.Theta0(b, in("key"))
		})
		for _, p := range s.Params() {
			for i := p.Offset; i < p.Offset+p.Len(); i++ {
				start := s.Init.Start(p)
				want := start.Scale
				if start.Draw != Fixed {
					want = float32(draws[start.Draw][i] * start.Scale)
				}
				if math.Float32bits(theta[i]) != math.Float32bits(want) {
					t.Fatalf("%s: %s: theta0[%d] is %v; want %v", init, p.Name, i, theta[i], want)
				}
			}
		}
	}
}

// What each initialisation makes of a parameter of attention with c = 8 columns, by hand from the sources that it names.
func TestStarts(t *testing.T) {
	rt := func(x float64) float32 { return float32(math.Sqrt(x)) }
	want := map[Init]map[string]Start{
		He:           {"tokens": {Normal, rt(2)}, "positions": {Normal, rt(2)}, "norm.gain": {Fixed, 1}, "norm.shift": {}, "wq": {Normal, 0.5}, "bq": {}, "wo": {Normal, 0.5}, "bo": {}, "w": {Normal, 0.5}, "b": {}},
		Zeros:        {"tokens": {}, "positions": {}, "norm.gain": {Fixed, 1}, "norm.shift": {}, "wq": {}, "bq": {}, "wo": {}, "bo": {}, "w": {}, "b": {}},
		Torch:        {"tokens": {Normal, 1}, "positions": {Normal, 1}, "norm.gain": {Fixed, 1}, "norm.shift": {}, "wq": {Uniform, rt(0.125)}, "bq": {Uniform, rt(0.125)}, "wo": {Uniform, rt(0.125)}, "bo": {Uniform, rt(0.125)}, "w": {Uniform, rt(0.125)}, "b": {Uniform, rt(0.125)}},
		TorchEncoder: {"tokens": {Normal, 1}, "positions": {Normal, rt(0.125)}, "norm.gain": {Fixed, 1}, "norm.shift": {}, "wq": {Uniform, rt(0.1875)}, "bq": {}, "wo": {Uniform, rt(0.125)}, "bo": {}, "w": {Uniform, rt(0.125)}, "b": {Uniform, rt(0.125)}},
	}
	s := Spec{In: 4, Vocab: 9, Layers: []Layer{Embedding{9, 8, true}, Attention{2, true, true, true}, Last, Linear{2, true}}}
	for init, starts := range want {
		for _, p := range s.Params() {
			_, name, _ := strings.Cut(p.Name, ".")
			if w, ok := starts[name]; ok && init.Start(p) != w {
				t.Errorf("%s: %s starts as %v; want %v", init, p.Name, init.Start(p), w)
			}
		}
	}
}

// The network against plain float64 loops.
func TestOutputs(t *testing.T) {
	const rows = 4
	activations64 := map[Activation]func(float64) float64{
		ReLU:    func(x float64) float64 { return max(x, 0) },
		Tanh:    math.Tanh,
		Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
		GELU: func(x float64) float64 {
			return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		},
	}
	for a, f := range activations64 {
		s := Spec{In: 6, Init: He, Layers: []Layer{Linear{5, true}, a, Linear{3, false}}}
		theta, x := op.New(op.T(op.F32, op.Cell, s.D())), op.New(op.T(op.F32, op.Shared, rows, 6))
		for i := range theta.W {
			theta.SetF(i, float32(math.Sin(1.3*float64(i))))
		}
		for i := range x.W {
			x.SetF(i, float32(math.Cos(0.7*float64(i))))
		}
		y := emit(t, map[string]op.Tensor{"theta": theta, "x": x}, func(b *graph.Builder, in func(string) op.Value) op.Value {
			return s.Outputs(b, in("theta"), in("x"))
		})
		w := func(i int) float64 { return float64(theta.F()[i]) }
		for r := range rows {
			for o := range 3 {
				want := 0.
				for h := range 5 {
					sum := w(6*5 + h)
					for i := range 6 {
						sum += float64(x.F()[r*6+i]) * w(i*5+h)
					}
					want += f(sum) * w(6*5+5+h*3+o)
				}
				if got := float64(y[r*3+o]); !(math.Abs(got-want) < 3e-6) {
					t.Errorf("%s: output %d of row %d is %v; want %v", a, o, r, got, want)
				}
			}
		}
	}
}

// The toy's rows are summed group by group, and squared error sums over a row.
func TestGroupSumAndSquaredError(t *testing.T) {
	s := Spec{Init: Zeros, Layers: []Layer{GroupSum{Groups: 2, Size: 3}}}
	theta, target := op.Float32s(op.S(6), 1, 2, 3, 10, 20, 30), op.Float32s(op.S(1, 2), 5, 58)
	theta.Domain, target.Domain = op.Cell, op.Shared
	in := map[string]op.Tensor{"theta": theta, "target": target}
	loss := emit(t, in, func(b *graph.Builder, in func(string) op.Value) op.Value {
		return MeanRows(b, SquaredError.PerRow(b, s.Outputs(b, in("theta"), 0), in("target")))
	})
	if loss[0] != 1+4 {
		t.Errorf("loss %v; want (6-5)^2 + (60-58)^2 = 5", loss[0])
	}
}

func TestCorrect(t *testing.T) {
	in := map[string]op.Tensor{
		"x":     op.Float32s(op.S(3, 3), 1, 3, 2, 5, 5, 0, 0, 1, 2),
		"label": op.Words32(op.U32, op.S(3, 1), 1, 1, 2), // the second row's first largest output is 0
	}
	got := emit(t, in, func(b *graph.Builder, in func(string) op.Value) op.Value {
		return CrossEntropy.Correct(b, in("x"), in("label"))
	})
	if got[0] != 1 || got[1] != 0 || got[2] != 1 {
		t.Errorf("correct is %v; want [1 0 1]", got)
	}
}
