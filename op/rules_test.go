package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest/truth"
)

// sample is an op at operands at which it is smooth, with values of moderate size.
type sample struct {
	op op.Op
	in []op.Tensor
}

// samples lists every differentiable op with all of its attributes.
func samples() (list []sample) {
	r := rand.New(rand.NewPCG(7, 7))
	filled := func(dims []int, f func(i int) float32) op.Tensor {
		t := op.New(op.T(op.F32, op.Shared, dims...))
		for i := range t.W {
			t.SetF(i, f(i))
		}
		return t
	}
	// Away from 0, where relu bends, and no two alike, so that maxima are not near a tie.
	x := func(dims ...int) op.Tensor {
		return filled(dims, func(int) float32 { return float32(1-2*r.IntN(2)) * (0.3 + 1.5*r.Float32()) })
	}
	positive := func(dims ...int) op.Tensor { return filled(dims, func(int) float32 { return 0.5 + 2*r.Float32() }) }
	ranked := func(dims ...int) op.Tensor {
		n := op.S(dims...).Len()
		order := r.Perm(n)
		return filled(dims, func(i int) float32 { return float32(order[i])/float32(n)*3 - 1.4 })
	}
	index := func(n uint32, dims ...int) op.Tensor {
		t := op.New(op.T(op.U32, op.Shared, dims...))
		for i := range t.W {
			t.W[i] = r.Uint32N(n)
		}
		return t
	}
	codes := func(rows, cols int) op.Tensor {
		t := op.New(op.T(op.T2, op.Shared, rows, cols))
		for i := range t.W {
			t.W[i] = r.Uint32()
		}
		return t
	}
	flags := func(dims ...int) op.Tensor { t := index(2, dims...); t.DType = op.Bool; return t }
	add := func(o op.Op, in ...op.Tensor) { list = append(list, sample{o, in}) }

	for _, o := range []op.Op{op.Neg, op.Exp, op.Tanh, op.Relu, op.Sigmoid{}, op.Gelu{}, op.SinPi, op.CosPi} {
		add(o, x(4, 5))
	}
	for _, o := range []op.Op{op.Log, op.Sqrt, op.Rsqrt{}} {
		add(o, positive(4, 5))
	}
	for _, o := range []op.Op{op.Add, op.Sub, op.Mul} {
		add(o, x(4, 5), x(4, 5))
	}
	add(op.Div, x(4, 5), positive(4, 5))
	both := ranked(40)
	add(op.Max, op.Tensor{Type: op.T(op.F32, op.Shared, 20), W: both.W[:20]}, op.Tensor{Type: op.T(op.F32, op.Shared, 20), W: both.W[20:]})
	add(op.Min, op.Tensor{Type: op.T(op.F32, op.Shared, 20), W: both.W[20:]}, op.Tensor{Type: op.T(op.F32, op.Shared, 20), W: both.W[:20]})
	add(op.Select{}, flags(4, 5), x(4, 5), x(4, 5))

	const m, k, n = 3, 5, 4
	for _, ta := range []bool{false, true} {
		for _, tb := range []bool{false, true} {
			matrix := func(transposed bool, batch []int, rows, cols int) op.Tensor {
				if transposed {
					rows, cols = cols, rows
				}
				return x(append(slices.Clone(batch), rows, cols)...)
			}
			for _, batch := range [][2][]int{{nil, nil}, {{2}, {2}}, {{2}, nil}, {nil, {2}}, {{2, 3}, nil}, {nil, {2, 3}}, {{2, 3}, {2, 3}}} {
				for _, klen := range [][]op.Tensor{nil, {scalar(3)}, {scalar(0)}, {scalar(k)}} {
					a, b := matrix(ta, batch[0], m, k), matrix(tb, batch[1], k, n)
					add(op.MatMul{TA: ta, TB: tb}, append([]op.Tensor{a, b}, klen...)...)
					if klen != nil {
						add(op.MatMulTail{TA: ta, TB: tb}, a, b, scalar(min(klen[0].W[0], n)))
					}
					da, db := matrix(ta, batch[0], m, k), matrix(tb, batch[1], k, n)
					add(op.MatMulJVP{TA: ta, TB: tb}, append([]op.Tensor{a, b, da, db}, klen...)...)
				}
			}
		}
	}
	add(op.MatMul{}, x(2, 1500), x(1500, 2))
	for _, tb := range []bool{false, true} {
		w, wt := codes(k, n), codes(n, k)
		if tb {
			w, wt = wt, w
		}
		add(op.TernaryMM{TB: tb}, x(m, k), w)
		for _, klen := range []uint32{0, 3, k} {
			add(op.TernaryMM{TB: tb}, x(m, k), w, scalar(klen))
			add(op.TernaryMMTail{TB: tb}, x(m, k), w, scalar(min(klen, n)))
		}
	}
	for _, to := range [][2][]int{{{}, {3}}, {{1}, {3}}, {{3}, {3}}, {{3}, {2, 3}}, {{2, 1, 4}, {2, 3, 4}}, {{1, 3, 1}, {2, 2, 3, 4}}, {{1, 1}, {1, 1}}} {
		add(op.Broadcast{To: op.S(to[1]...)}, x(to[0]...))
	}
	for _, axes := range []op.Ints{"", "0", "1", "2", "0,1", "0,2", "1,2", "0,1,2"} {
		add(op.Sum{Axes: axes}, x(2, 3, 4))
		add(op.Mean{Axes: axes}, x(2, 3, 4))
	}
	add(op.Sum{Axes: "0"}, x(1100, 2))
	for axis := range int8(3) {
		dims := []int{3, 4, 5}
		dims[axis] = 1
		add(op.AMax{Axis: axis}, ranked(3, 4, 5))
		add(op.Pick{Axis: axis}, x(3, 4, 5), index(3, dims...))
		add(op.Slice{Axis: axis, Start: 1, Len: 2}, x(3, 4, 5))
		add(op.Pad{Axis: axis, Before: 1, After: 2}, x(3, 4, 5))
		add(op.Tail{Axis: axis}, x(3, 4, 5), scalar(2))
		add(op.Concat{Axis: axis}, x(3, 4, 5), x(3, 4, 5), x(3, 4, 5))
		add(op.Split{Axis: axis, Sizes: []op.Ints{"1,2", "1,0,3", "4,1"}[axis]}, x(3, 4, 5))
	}
	add(op.Reshape{To: op.S(5, 4)}, x(4, 5))
	for _, p := range []op.Ints{"0,1,2", "1,2,0", "2,0,1", "2,1,0"} {
		add(op.Transpose{Perm: p}, x(2, 3, 4))
	}
	for _, at := range []uint32{0, 2, 4, 5, 1<<32 - 1} {
		add(op.PutRow{}, x(5, 3), x(2, 3), scalar(at))
	}
	add(op.Gather{}, x(4, 3), index(5, 9)) // index 4 lies outside
	add(op.ScatterAdd{N: 4}, index(5, 9), x(9, 3))
	add(op.ScatterAdd{N: 4}, index(4, 1100), x(1100, 2))
	add(op.Softmax{}, x(4, 5))
	add(op.Softmax{}, x(2, 3, 5))
	add(op.SoftmaxGrad{}, x(4, 5), x(4, 5))
	add(op.SoftmaxGrad{}, x(2, 3, 5), x(2, 3, 5))
	add(op.SoftmaxGrad{}, x(4, 1), x(4, 1))
	add(op.LayerNorm{Eps: op.B(0.1)}, x(4, 5))
	add(op.LayerNorm{Eps: op.B(0.1)}, x(2, 3, 1))
	add(op.LayerNorm{Eps: op.B(1e-5)}, x(2, 3, 5))
	add(op.LayerNormGrad{}, x(4, 5), positive(4, 1), x(4, 5))
	add(op.LayerNormGrad{}, x(2, 1, 3), x(2, 1, 1), x(2, 1, 3))
	add(op.Xent{}, x(4, 5), index(5, 4, 1))
	add(op.XentGrad{}, x(4, 5), index(5, 4, 1), x(4, 1))
	for _, s := range list {
		if o := dualOf(s); o != nil {
			var tangents []op.Tensor
			for _, i := range s.differentiable() {
				tangents = append(tangents, x(s.in[i].Dims()...))
			}
			add(o, append(slices.Clone(s.in), tangents...)...)
		}
	}
	return list
}

// dualOf is the dual of a sample's op with all of its tangents; nil if it has none.
func dualOf(s sample) op.Op {
	with := uint32(0)
	for _, i := range s.differentiable() {
		with |= 1 << i
	}
	if d, ok := s.op.(op.Dualer); ok {
		if o := d.Dual(with); o != nil {
			return o
		}
	}
	return nil
}

// differentiable tells which operands have tangents.
func (s sample) differentiable() (wrt []int) {
	for i, x := range s.in {
		if x.DType == op.F32 {
			wrt = append(wrt, i)
		}
	}
	return wrt
}

// direction is a deterministic vector like x.
func direction(x op.Tensor, salt int) op.Tensor {
	d := op.New(op.Type{DType: op.F32, Domain: op.Shared, Shape: x.Shape})
	for i := range d.W {
		d.SetF(i, float32(math.Sin(float64(3*i+7*salt+1)*1.3)))
	}
	return d
}

// along is the truth at the operands moved by s along u and t along v.
func (s sample) along(u, v []op.Tensor, su, sv float64) []truth.Array {
	in := make([]truth.Array, len(s.in))
	for i, x := range s.in {
		in[i] = truth.From(x)
		if u[i].W != nil {
			du, dv := u[i].F(), v[i].F()
			for j := range in[i].X {
				in[i].X[j] += su*float64(du[j]) + sv*float64(dv[j])
			}
		}
	}
	return truth.Of(s.op, in)
}

// tape evaluates rules: it is op.Eager, whose misuse fails the test.
type tape struct {
	op.Eager
	t *testing.T
}

// node runs the sample's law and returns it as a node, with the tangents u or cotangents g as values.
func (s sample) node(e *tape) op.Node {
	n := op.Node{Op: s.op}
	for _, x := range s.in {
		n.In = append(n.In, e.Add(x))
	}
	n.Out = e.Emit(s.op, n.In...)
	return n
}

func (e *tape) values(ts []op.Tensor) []op.Value {
	v := make([]op.Value, len(ts))
	for i, x := range ts {
		if x.W != nil {
			v[i] = e.Add(x)
		}
	}
	return v
}

// dot is <a, b> and the sum of |a b|; the symbolic zero contributes nothing.
func dot(e *tape, a []op.Value, b []op.Tensor) (sum, size float64) {
	for i, v := range a {
		if v == 0 || b[i].W == nil {
			continue
		}
		x, y := e.Tensor(v).F(), b[i].F()
		for j := range y {
			p := float64(x[j]) * float64(y[j])
			sum, size = sum+p, size+math.Abs(p)
		}
	}
	return sum, size
}

// directions of the operands that have tangents, and of the results.
func (s sample) directions(salt int) []op.Tensor {
	d := make([]op.Tensor, len(s.in))
	for _, i := range s.differentiable() {
		d[i] = direction(s.in[i], salt+i)
	}
	return d
}

// TestDerivatives: tangents agree with central differences of the float64 truth, and cotangents with tangents: <g, JVP(u)> =
// <VJP(g), u>, for each operand alone and for all together.
func TestDerivatives(t *testing.T) {
	for _, s := range samples() {
		wrt := s.differentiable()
		subsets := [][]int{wrt}
		if len(wrt) > 1 {
			for _, i := range wrt {
				subsets = append(subsets, []int{i})
			}
		}
		for _, set := range subsets {
			u := s.directions(1)
			for i := range u {
				if !slices.Contains(set, i) {
					u[i] = op.Tensor{}
				}
			}
			e := &tape{t: t}
			n := s.node(e)
			what := fmt.Sprintf("%s at %v, operands %v", op.Describe(s.op), typesOf(s.in), set)
			_, ofProduct := s.op.(op.Dual[op.MatMul])
			if _, is := s.op.(op.MatMulJVP); !is && !ofProduct {
				const h = 1e-5 // central differences: h^2 and 1e-16 / h are 1e-10 and 1e-11
				plus, minus := s.along(u, u, h, 0), s.along(u, u, -h, 0)
				for i, dy := range s.op.JVP(e, n, e.values(u)) {
					for j, y := range plus[i].X {
						want := (y - minus[i].X[j]) / (2 * h)
						got := 0.
						if dy != 0 {
							got = float64(e.Tensor(dy).F()[j])
						}
						if !(math.Abs(got-want) <= 2e-5*(1+math.Abs(want))) {
							t.Fatalf("%s: tangent %d, element %d is %v, want %v", what, i, j, got, want)
						}
					}
				}
			}
			g := make([]op.Tensor, len(n.Out))
			for i, y := range n.Out {
				g[i] = direction(e.Tensor(y), 50+i)
			}
			ct := s.op.VJP(e, n, e.values(g))
			if len(ct) != len(s.in) {
				t.Fatalf("%s: %d cotangents for %d operands", what, len(ct), len(s.in))
			}
			for i, v := range ct {
				if v != 0 && e.Type(v).Shape != s.in[i].Shape {
					t.Fatalf("%s: cotangent %d has shape %v, the operand %v", what, i, e.Type(v).Shape, s.in[i].Shape)
				}
			}
			left, size := dot(e, ct, u)
			right := 0.
			const h = 1e-5
			plus, minus := s.along(u, u, h, 0), s.along(u, u, -h, 0)
			for i := range plus {
				for j, x := range g[i].F() {
					d := float64(x) * (plus[i].X[j] - minus[i].X[j]) / (2 * h)
					right, size = right+d, size+math.Abs(d)
				}
			}
			if !(math.Abs(left-right) <= 1e-5*(1+size)) {
				t.Fatalf("%s: <VJP(g), u> = %v, but <g, JVP(u)> = %v", what, left, right)
			}
		}
	}
}

func typesOf(in []op.Tensor) (types []string) {
	for _, x := range in {
		types = append(types, x.DType.String()+x.Shape.String())
	}
	return types
}

// TestSecondDerivatives: the JVP of the VJP, which Hessian-vector products are made of, exists for every op and agrees with
// mixed central differences of <g, truth>.
func TestSecondDerivatives(t *testing.T) {
	for _, s := range samples() {
		u, v := s.directions(1), s.directions(2)
		var of, along []op.Value
		var g []op.Tensor
		e := &tape{t: t}
		for _, y := range s.node(e).Out {
			g = append(g, direction(e.Tensor(y), 50+len(g)))
		}
		p, err := graph.Trace(func(b *graph.Builder) {
			in := make([]op.Value, len(s.in))
			of, along = nil, nil
			for i, x := range s.in {
				in[i] = b.Input(fmt.Sprint("x", i), x.Type)
				if v[i].W != nil {
					of = append(of, in[i])
					along = append(along, b.Input(fmt.Sprint("v", i), v[i].Type))
				}
			}
			// <g, y> as a scalar, so that one VJP goes back through all results.
			var loss op.Value
			for i, y := range b.Emit(s.op, in...) {
				flat := op.Reshape{To: op.S(b.Type(y).Len())}
				product := b.Do(flat, b.Do(op.Mul, y, b.Input(fmt.Sprint("g", i), g[i].Type)))
				loss = op.AddTo(b, loss, b.Do(op.Sum{Axes: "0"}, product))
			}
			for i, h := range b.HVP(b.Do(op.Reshape{To: op.S()}, loss), of, along) {
				b.Output(fmt.Sprint("h", i), h)
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", op.Describe(s.op), err)
		}
		out := evaluate(t, p, func(name string) op.Tensor {
			var i int
			fmt.Sscan(name[1:], &i)
			return map[byte][]op.Tensor{'x': s.in, 'v': v, 'g': g}[name[0]][i]
		})
		got, size := 0., 0.
		for k, i := range s.differentiable() {
			for j, x := range out[k].F() {
				d := float64(x) * float64(u[i].F()[j])
				got, size = got+d, size+math.Abs(d)
			}
		}
		const h = 1e-3 // h^2 and 1e-16 / h^2 are 1e-6 and 1e-10
		want := 0.
		for _, c := range []struct{ su, sv, w float64 }{{h, h, 1}, {h, -h, -1}, {-h, h, -1}, {-h, -h, 1}} {
			for i, y := range s.along(u, v, c.su, c.sv) {
				for j, x := range g[i].F() {
					want += c.w * float64(x) * y.X[j] / (4 * h * h)
				}
			}
		}
		if !(math.Abs(got-want) <= 3e-5*(1+size)) {
			t.Errorf("%s at %v: <u, H v> = %v, want %v", op.Describe(s.op), typesOf(s.in), got, want)
		}
	}
}

// evaluate runs a program by the laws.
func evaluate(t *testing.T, p *graph.Program, input func(name string) op.Tensor) (out []op.Tensor) {
	t.Helper()
	value := map[op.Value]op.Tensor{}
	for _, in := range p.In {
		value[in.V] = input(in.Name)
	}
	for _, n := range p.Nodes {
		in := make([]op.Tensor, len(n.In))
		for i, v := range n.In {
			in[i] = value[v]
		}
		for i, y := range law(t, n.Op, in...) {
			value[n.Out[i]] = y
		}
	}
	for _, o := range p.Out {
		out = append(out, value[o.V])
	}
	return out
}

// TestEveryOpIsSampledOrHasNoDerivative: integers, comparisons and draws answer with symbolic zeros, every other op is tested above.
func TestEveryOpIsSampledOrHasNoDerivative(t *testing.T) {
	sampled := map[string]bool{}
	for _, s := range samples() {
		sampled[s.op.Name()] = true
	}
	for _, o := range op.All {
		if sampled[o.Name()] {
			continue
		}
		e := &op.Eager{}
		n := op.Node{Op: o, In: []op.Value{1, 2, 3}, Out: []op.Value{4}}
		var tangents, cotangents []op.Value
		func() {
			defer func() {
				if recover() != nil {
					t.Errorf("%s has derivative rules, but no sample: add one to samples above", o.Name())
				}
			}()
			tangents, cotangents = o.JVP(e, n, []op.Value{5, 6, 7}), o.VJP(e, n, []op.Value{8})
		}()
		if tangents == nil {
			continue
		}
		if len(tangents) != 1 || len(cotangents) != 3 || slices.Max(tangents) != 0 || slices.Max(cotangents) != 0 {
			t.Errorf("%s: tangents %v and cotangents %v, want symbolic zeros, or a sample", o.Name(), tangents, cotangents)
		}
	}
}

// TestThirdDerivative: the tangent of a tangent of a product has no rule, and the error says what has one.
func TestThirdDerivative(t *testing.T) {
	_, err := graph.Trace(func(b *graph.Builder) {
		var in []op.Value
		for i := range 8 {
			in = append(in, b.Input(fmt.Sprint("x", i), op.T(op.F32, op.Shared, 2, 2)))
		}
		y := b.Do(op.MatMulJVP{}, in[:4]...)
		b.Output("d", b.JVP([]op.Value{y}, in[:4], in[4:])[0])
	})
	if err == nil || !strings.Contains(err.Error(), "matmuljvp") || !strings.Contains(err.Error(), "third derivative") || !strings.Contains(err.Error(), "VJP of the JVP") {
		t.Errorf("error %v; want one that names matmuljvp, the third derivative and the way round", err)
	}
}
