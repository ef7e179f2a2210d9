package graph_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest/truth"
)

// The model of these tests: an MLP with two hidden layers, mean cross-entropy over a few examples.
const (
	examples, inputs, width1, width2, classes = 7, 3, 5, 4, 3
	params                                    = inputs*width1 + width1 + width1*width2 + width2 + width2*classes + classes
)

// activations, by name: the op and its float64 form.
var activations = map[string]struct {
	op  op.Op
	f64 func(truth.Hyperdual) truth.Hyperdual
}{
	"tanh":    {op.Tanh, truth.Hyperdual.Tanh},
	"relu":    {op.Relu, truth.Hyperdual.Relu},
	"sigmoid": {op.Sigmoid{}, truth.Hyperdual.Sigmoid},
	"gelu":    {op.Gelu{}, truth.Hyperdual.Gelu},
}

// wave is a deterministic list of numbers in [-1, 1].
func wave(n int, seed float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)*1.7 + seed*3.1 + 0.3*float64(i*i%11)))
	}
	return x
}

func label(i int) uint32 { return uint32(i * 2 % classes) }

// logits64 is the model in hyper-dual float64.
func logits64(theta []truth.Hyperdual, x []float32, act func(truth.Hyperdual) truth.Hyperdual) []truth.Hyperdual {
	h := make([]truth.Hyperdual, inputs)
	for i := range h {
		h[i] = truth.Real(float64(x[i]))
	}
	for l, n := range []int{width1, width2, classes} {
		w, b := theta[:len(h)*n], theta[len(h)*n:len(h)*n+n]
		theta = theta[len(h)*n+n:]
		y := make([]truth.Hyperdual, n)
		for j := range y {
			y[j] = b[j]
			for i := range h {
				y[j] = y[j].Add(h[i].Mul(w[i*n+j]))
			}
			if l < 2 {
				y[j] = act(y[j])
			}
		}
		h = y
	}
	return h
}

func loss64(theta []truth.Hyperdual, x []float32, act func(truth.Hyperdual) truth.Hyperdual) truth.Hyperdual {
	var sum truth.Hyperdual
	for e := range examples {
		z := logits64(theta, x[e*inputs:], act)
		var s truth.Hyperdual
		for _, v := range z {
			s = s.Add(v.Exp())
		}
		sum = sum.Add(s.Log()).Add(z[label(e)].Mul(truth.Real(-1)))
	}
	return sum.Mul(truth.Real(1. / examples))
}

// reference holds the explicit float64 gradient, Hessian, Jacobian of the logits and Gauss-Newton matrix at theta.
type reference struct {
	grad []float64
	hess [][]float64
	ggn  [][]float64
}

func explicit(theta []float32, x []float32, act func(truth.Hyperdual) truth.Hyperdual) reference {
	at := func(i, j int) []truth.Hyperdual {
		t := make([]truth.Hyperdual, params)
		for k := range t {
			t[k].A = float64(theta[k])
		}
		t[i].B, t[j].C = 1, 1
		return t
	}
	r := reference{make([]float64, params), square(params), square(params)}
	jac := make([][]float64, examples*classes)
	for i := range jac {
		jac[i] = make([]float64, params)
	}
	prob := make([]float64, examples*classes)
	for i := range params {
		for j := range params {
			l := loss64(at(i, j), x, act)
			r.grad[i], r.hess[i][j] = l.B, l.D
		}
		for e := range examples {
			sum := 0.
			z := logits64(at(i, i), x[e*inputs:], act)
			for _, v := range z {
				sum += math.Exp(v.A)
			}
			for c, v := range z {
				jac[e*classes+c][i] = v.B
				prob[e*classes+c] = math.Exp(v.A) / sum
			}
		}
	}
	for i := range params {
		for j := range params {
			for e := range examples {
				for c := range classes {
					for d := range classes {
						h := -prob[e*classes+c] * prob[e*classes+d]
						if c == d {
							h += prob[e*classes+c]
						}
						r.ggn[i][j] += jac[e*classes+c][i] * h * jac[e*classes+d][j] / examples
					}
				}
			}
		}
	}
	return r
}

func square(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}

func times(m [][]float64, v []float32) []float64 {
	y := make([]float64, len(m))
	for i := range m {
		for j := range m[i] {
			y[i] += m[i][j] * float64(v[j])
		}
	}
	return y
}

// deviation is |got - want| / |want|.
func deviation(got []float32, want []float64) float64 {
	var num, den float64
	for i := range want {
		d := float64(got[i]) - want[i]
		num, den = num+d*d, den+want[i]*want[i]
	}
	return math.Sqrt(num / den)
}

// network emits the model on a flat parameter vector.
func network(b *graph.Builder, theta, x op.Value, act op.Op) op.Value {
	parts := b.Emit(op.Split{Sizes: op.List(inputs*width1, width1, width1*width2, width2, width2*classes, classes)}, theta)
	h, from := x, inputs
	for l, n := range []int{width1, width2, classes} {
		w := b.Do(op.Reshape{To: op.S(from, n)}, parts[2*l])
		bias := b.Do(op.Broadcast{To: op.S(examples, n)}, parts[2*l+1])
		if h = b.Do(op.Add, b.Do(op.MatMul{}, h, w), bias); l < 2 {
			h = b.Do(act, h)
		}
		from = n
	}
	return h
}

func meanLoss(b *graph.Builder, logits, y op.Value) op.Value {
	return b.Do(op.Reshape{To: op.S()}, b.Do(op.Mean{Axes: op.List(0)}, b.Do(op.Xent{}, logits, y)))
}

func bytesOf(x []float32) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, p graph.Pack, name string, cell, n int) []float32 {
	t.Helper()
	b := make([]byte, 4*n)
	check(t, p.Read(name, cell, b))
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// Each of two models is measured along several vectors at once: models are a group of cells, vectors are the cells. So the
// primal and its adjoint run once for each model, and only tangents for each vector.
func TestProductsAgreeWithExplicitMatrices(t *testing.T) {
	group := []int{0, 0, 0, 1, 1}
	for name, act := range activations {
		t.Run(name, func(t *testing.T) {
			p, err := graph.Trace(func(b *graph.Builder) {
				theta := b.Input("theta", op.T(op.F32, op.Model, params))
				x := b.Input("x", op.T(op.F32, op.Shared, examples, inputs))
				y := b.Input("y", op.T(op.U32, op.Shared, examples, 1))
				v := b.Input("v", op.T(op.F32, op.Cell, params))
				logits := network(b, theta, x, act.op)
				lossOf := func(z op.Value) op.Value { return meanLoss(b, z, y) }
				loss := lossOf(logits)
				wrt, vs := []op.Value{theta}, []op.Value{v}
				b.Output("loss", loss)
				b.Output("grad", b.Gradient(loss, theta)[0])
				b.Output("slope", b.JVP([]op.Value{loss}, wrt, vs)[0])
				b.Output("hvp", b.HVP(loss, wrt, vs)[0])
				b.Output("ggn", b.GGN(logits, lossOf, wrt, vs)[0])
			})
			check(t, err)
			engine, err := cpu.New(cpu.Options{})
			check(t, err)
			pack, err := engine.NewPack(len(group), graph.Groups{op.Model: group})
			check(t, err)
			x := wave(examples*inputs, 5)
			check(t, pack.Put("x", op.T(op.F32, op.Shared, examples, inputs), 0, bytesOf(x)))
			var y []byte
			for e := range examples {
				y = binary.LittleEndian.AppendUint32(y, label(e))
			}
			check(t, pack.Put("y", op.T(op.U32, op.Shared, examples, 1), 0, y))
			thetas := [][]float32{wave(params, 1), wave(params, 2)}
			for m, theta := range thetas {
				check(t, pack.Put("theta", op.T(op.F32, op.Model, params), m, bytesOf(theta)))
			}
			for c := range group {
				check(t, pack.Put("v", op.T(op.F32, op.Cell, params), c, bytesOf(wave(params, float64(10+c)))))
			}
			x1, err := pack.Compile(p)
			check(t, err)
			check(t, x1.Run(context.Background(), 1))
			refs := []reference{explicit(thetas[0], x, act.f64), explicit(thetas[1], x, act.f64)}
			for c, m := range group {
				ref, v := refs[m], wave(params, float64(10+c))
				slope := 0.
				for i := range v {
					slope += ref.grad[i] * float64(v[i])
				}
				for _, q := range []struct {
					name string
					want []float64
				}{
					{"grad", ref.grad}, {"slope", []float64{slope}}, {"hvp", times(ref.hess, v)}, {"ggn", times(ref.ggn, v)},
				} {
					if d := deviation(read(t, pack, q.name, c, len(q.want)), q.want); !(d < 1e-5) {
						t.Errorf("vector %d of model %d: %s deviates by %.2g of its norm from the explicit float64 matrix", c, m, q.name, d)
					} else {
						t.Logf("vector %d of model %d: %s deviates by %.2g", c, m, q.name, d)
					}
				}
			}
			perModel, perVector := 0, 0
			tape := graph.Lower(p, func(op.Op, []op.Type) bool { return false })
			for _, n := range tape.P.Nodes {
				switch tape.P.Types[n.Out[0]].Domain {
				case op.Model:
					perModel++
				case op.Cell:
					perVector++
				}
			}
			if perModel < 20 || perVector < 20 {
				t.Errorf("%d nodes a model and %d a vector: the primal should be the model's, the tangents the vector's", perModel, perVector)
			}
		})
	}
}

// The order in which adjoints are added is law: for y = x/x + exp(x), uses are met highest op first, and within the
// division operand 0 first.
func TestAdjointOrder(t *testing.T) {
	p, err := graph.Trace(func(b *graph.Builder) {
		x := b.Input("x", op.T(op.F32, op.Cell))
		ratio := b.Do(op.Div, x, x)
		y := b.Do(op.Add, ratio, b.Do(op.Exp, x))
		b.Output("g", b.Gradient(y, x)[0])
	})
	check(t, err)
	engine, err := cpu.New(cpu.Options{})
	check(t, err)
	told := false // whether the order matters for some x
	for _, x := range []float32{0.1, 0.7, 1.3, -2.9, 3.3, -7.7, 0.013} {
		pack, err := engine.NewPack(1, nil)
		check(t, err)
		check(t, pack.Put("x", op.T(op.F32, op.Cell), 0, bytesOf([]float32{x})))
		exe, err := pack.Compile(p)
		check(t, err)
		check(t, exe.Run(context.Background(), 1))
		// exp is the later op: its adjoint comes first.
		e, first, second := op.Exp32(x), 1/x, -(1 / x)
		want := float32(e+first) + second
		told = told || want != float32(e+second)+first
		if got := read(t, pack, "g", 0, 1)[0]; got != want {
			t.Errorf("x = %v: gradient %x; want (exp(x) + 1/x) - (1 * 1) / x = %x", x, math.Float32bits(got), math.Float32bits(want))
		}
	}
	if !told {
		t.Error("no x tells the orders apart")
	}
}

// Derivative programs are law too: which ops they have, in which order, on which operands.
func TestDerivativeProgramsAreGolden(t *testing.T) {
	for name, want := range map[string]string{
		"tanh":    "f1e6414da336d447dd623238ca5485d55c65c590f17668577dcde39f396a2ff2",
		"relu":    "e091de51b3b6762ec988fb6fdc6f77e2d7385fc7f37d5c13c54baa33c1f89f00",
		"sigmoid": "4434cd019c649ebba730a0e4f6ab0779a1c07f4f0d2b12f318601fc9cfbfc02e",
		"gelu":    "e54ff5d0e6ec96e612ce3ee1d776d41c0ef4332dea5120ebf4eeffcf9f4b1702",
	} {
		p, err := graph.Trace(func(b *graph.Builder) {
			theta, v := b.Input("theta", op.T(op.F32, op.Cell, params)), b.Input("v", op.T(op.F32, op.Cell, params))
			x := b.Input("x", op.T(op.F32, op.Shared, examples, inputs))
			y := b.Input("y", op.T(op.U32, op.Shared, examples, 1))
			loss := meanLoss(b, network(b, theta, x, activations[name].op), y)
			b.Output("hvp", b.HVP(loss, []op.Value{theta}, []op.Value{v})[0])
		})
		check(t, err)
		if got := fmt.Sprintf("%x", p.Hash()); got != want {
			t.Errorf("the Hessian-vector product of the %s network is program %s; it was %s", name, got, want)
		}
	}
}

func TestThirdDerivativeIsAClearError(t *testing.T) {
	_, err := graph.Trace(func(b *graph.Builder) {
		a, v := b.Input("a", op.T(op.F32, op.Cell, 2, 2)), b.Input("v", op.T(op.F32, op.Cell, 2, 2))
		y := b.Do(op.MatMul{}, a, a)
		for range 2 {
			y = b.JVP([]op.Value{y}, []op.Value{a}, []op.Value{v})[0]
		}
		b.Output("y", y)
	})
	if want := "third derivative"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v; want one that speaks of a %s", err, want)
	}
}

func TestTraceRefusesMisuse(t *testing.T) {
	cell := func(b *graph.Builder, dims ...int) op.Value {
		return b.Input(fmt.Sprint("x", dims), op.T(op.F32, op.Cell, dims...))
	}
	for name, f := range map[string]func(b *graph.Builder){
		"shapes":           func(b *graph.Builder) { b.Do(op.Add, cell(b, 2), cell(b, 3)) },
		"zero operand":     func(b *graph.Builder) { b.Do(op.Neg, 0) },
		"no next":          func(b *graph.Builder) { b.State("s", b.Fill(0), op.Cell) },
		"next of no state": func(b *graph.Builder) { x := cell(b, 2); b.Next(x, x) },
		"next of finer":    func(b *graph.Builder) { s := b.State("s", b.Fill(0, 2), op.Shared); b.Next(s, cell(b, 2)) },
		"next of a shape":  func(b *graph.Builder) { s := b.State("s", b.Fill(0, 2), op.Cell); b.Next(s, cell(b, 3)) },
		"two next":         func(b *graph.Builder) { s := b.State("s", b.Fill(0), op.Cell); b.Next(s, s); b.Next(s, s) },
		"init from state": func(b *graph.Builder) {
			s := b.State("s", b.Fill(0), op.Cell)
			b.Next(s, s)
			u := b.State("u", b.Do(op.Neg, s), op.Cell)
			b.Next(u, u)
		},
		"one name twice": func(b *graph.Builder) { x := cell(b, 2); b.Output("x[2]", x) },
		"active no flag": func(b *graph.Builder) { b.Active(cell(b)) },
		"active too fine": func(b *graph.Builder) {
			s := b.State("s", b.Fill(0), op.Shared)
			b.Next(s, s)
			x := cell(b)
			b.Active(b.Do(op.Eq, x, x))
		},
		"cotangent's shape": func(b *graph.Builder) { x := cell(b, 2); b.VJP(b.Do(op.Neg, x), cell(b, 3), x) },
		"tangents' number":  func(b *graph.Builder) { x := cell(b, 2); b.JVP([]op.Value{x}, []op.Value{x}, nil) },
	} {
		if _, err := graph.Trace(f); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// What Emit returns is the caller's: changing it must not change the program.
func TestEmitReturnsACopy(t *testing.T) {
	p, err := graph.Trace(func(b *graph.Builder) {
		parts := b.Emit(op.Split{Sizes: "1,1"}, b.Input("x", op.T(op.F32, op.Cell, 2)))
		parts[0] = b.Do(op.Neg, parts[0])
		b.Output("y", b.Do(op.Concat{}, parts...))
	})
	check(t, err)
	if split := p.Nodes[0].Out; split[0] == p.Nodes[1].Out[0] {
		t.Errorf("the split's results became %v", split)
	}
}

// What a result does not hang on has no cotangent: no op takes that, and nothing that a program declares.
func TestSymbolicZero(t *testing.T) {
	for what, use := range map[string]func(b *graph.Builder, x, zero op.Value){
		`output "g"`: func(b *graph.Builder, x, zero op.Value) { b.Output("g", zero) },
		`output "h"`: func(b *graph.Builder, x, zero op.Value) { b.OutputOver("h", zero, op.Cell) },
		"Active":     func(b *graph.Builder, x, zero op.Value) { b.Active(zero) },
		`Next of state "s"`: func(b *graph.Builder, x, zero op.Value) {
			b.Next(b.State("s", x, op.Cell), zero)
		},
		"neg: operand 0": func(b *graph.Builder, x, zero op.Value) { b.Do(op.Neg, zero) },
	} {
		_, err := graph.Trace(func(b *graph.Builder) {
			x, w := b.Input("x", op.T(op.F32, op.Cell)), b.Input("w", op.T(op.F32, op.Cell))
			use(b, x, b.VJP(b.Do(op.Mul, x, x), b.Fill(1), w)[0])
		})
		if err == nil || !strings.Contains(err.Error(), what+" is no value of this program (a symbolic zero?)") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
