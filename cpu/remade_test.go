package cpu

import (
	"bytes"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// TestRemade: what bands of cells make again of a model's values, and what they do not: then they read it. What nobody else reads is made for the model no
// more; and the bits stay.
func TestRemade(t *testing.T) {
	needJoint(t)
	const n = 24
	sum := func(b *graph.Builder, name string, x op.Value) { b.Output(name, b.Do(op.Sum{Axes: "0"}, x)) }
	for _, c := range []struct {
		what  string
		again []string // ops of the model that bands make again
		model []string // pointwise ops and transposes that are left for the model
		f     func(b *graph.Builder, x, h op.Value)
	}{
		{"a product of what is read anyway", []string{"mul"}, []string{"tanh"}, func(b *graph.Builder, x, h op.Value) {
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), b.Do(op.Mul, h, h))))
		}},
		{"two, one of the other", []string{"mul", "sub"}, []string{"tanh"}, func(b *graph.Builder, x, h op.Value) {
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), b.Do(op.Sub, b.Do(op.Mul, h, h), h))))
		}},
		{"what another output is, too", []string{"mul"}, []string{"mul", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			y := b.Do(op.Mul, h, h)
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), y)))
			b.OutputOver("y", y, op.Model)
		}},
		{"of what is not read", nil, []string{"mul", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, x, b.Do(op.Mul, h, h))))
		}},
		{"what takes long", nil, []string{"exp", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), b.Do(op.Exp, h))))
		}},
		{"a column", []string{"broadcast", "mul"}, []string{"tanh"}, func(b *graph.Builder, x, h op.Value) {
			column := b.Do(op.Broadcast{To: op.S(n, n)}, b.Do(op.Sum{Axes: "1"}, h))
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), b.Do(op.Mul, h, column))))
		}},
		{"a row", []string{"broadcast"}, []string{"tanh"}, func(b *graph.Builder, x, h op.Value) {
			row := b.Do(op.Broadcast{To: op.S(n, n)}, b.Do(op.Sum{Axes: "0"}, h))
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), row)))
		}},
		{"a transpose of what is not read", []string{"transpose"}, []string{"tanh"}, func(b *graph.Builder, x, h op.Value) {
			heads := func(x op.Value) op.Value {
				return b.Do(op.Transpose{Perm: "0,2,1,3"}, b.Do(op.Reshape{To: op.S(n, 2, 3, 4)}, x))
			}
			y := b.Do(op.MatMul{TB: true}, heads(b.Do(op.Tanh, x)), heads(h))
			sum(b, "a", b.Do(op.Softmax{}, y))
		}},
		{"of what is read whole", nil, []string{"broadcast", "mul", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			y := b.Do(op.Reshape{To: op.S(n, n)}, b.Do(op.MatMul{}, b.Do(op.Reshape{To: op.S(n, 1, n)}, b.Do(op.Mul, x, x)), h))
			sum(b, "a", b.Do(op.Softmax{}, b.Do(op.Mul, y, b.Do(op.Mul, h, b.Do(op.Broadcast{To: op.S(n, n)}, b.Do(op.Sum{Axes: "1"}, h))))))
		}},
		{"a column that is read whole", nil, []string{"broadcast", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			column := b.Do(op.Sum{Axes: "1"}, h)
			sum(b, "a", b.Do(op.MatMul{}, b.Do(op.Reshape{To: op.S(n, 1, n)}, x), column))
			sum(b, "b", b.Do(op.Softmax{}, b.Do(op.Mul, b.Do(op.Add, x, h), b.Do(op.Broadcast{To: op.S(n, n)}, column))))
		}},
		{"whole, of what is read by rows", nil, []string{"broadcast", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			column := func(x op.Value) op.Value { return b.Do(op.Reshape{To: op.S(n)}, b.Do(op.Sum{Axes: "1"}, x)) }
			b.Output("a", b.Do(op.Add, column(b.Do(op.Mul, x, h)), column(h)))
			sum(b, "b", b.Do(op.Softmax{}, b.Do(op.Add, x, b.Do(op.Broadcast{To: op.S(n, n)}, column(h)))))
		}},
		{"whole, of what is made again", nil, []string{"broadcast", "exp", "mul", "mul", "tanh"}, func(b *graph.Builder, x, h op.Value) {
			column := func(x op.Value) op.Value { return b.Do(op.Reshape{To: op.S(n)}, b.Do(op.Sum{Axes: "1"}, x)) }
			square := b.Do(op.Mul, column(h), column(h))
			more := b.Do(op.Mul, square, b.Do(op.Exp, column(h)))
			b.Output("a", b.Do(op.Add, b.Do(op.Add, column(b.Do(op.Mul, x, h)), column(h)), more))
			sum(b, "b", b.Do(op.Softmax{}, b.Do(op.Add, x, b.Do(op.Broadcast{To: op.S(n, n)}, square))))
		}},
	} {
		p := trace(t, func(b *graph.Builder) {
			x := b.State("x", b.Input("x0", op.T(op.F32, op.Cell, n, n)), op.Cell)
			h := b.State("h", b.Input("h0", op.T(op.F32, op.Model, n, n)), op.Model)
			c.f(b, x, b.Do(op.Tanh, h))
			b.Next(x, b.Do(op.Neg, x))
			b.Next(h, b.Do(op.Neg, h))
		})
		want := trained(t, p, Options{Threads: 1, NoFuse: true}, 3)
		for _, near := range []int{0, 2000, 5000} {
			func() {
				defer narrowBands(near)()
				l := must(New(Options{Threads: 1})).layOut(p, trainedSlots(t))
				var again, model []string
				for _, n := range l.t.Step {
					to, nodes := &model, []op.Node{n}
					if b, is := n.Op.(*bands); is {
						nodes = b.nodes
						if l.t.P.Types[b.out[0]].Domain == op.Cell {
							to = &again
						}
					}
					for _, n := range nodes {
						switch n.Op.(type) {
						case op.Unary, op.Binary, op.Broadcast, op.Transpose:
							if l.t.P.Types[n.Out[0]].Domain == op.Model && n.Op != op.Neg {
								*to = append(*to, n.Op.Name())
							}
						}
					}
				}
				if slices.Sort(again); !slices.Equal(again, c.again) {
					t.Errorf("%s: bands of %d bytes make %v again; want %v", c.what, near, again, c.again)
				}
				if slices.Sort(model); !slices.Equal(model, c.model) {
					t.Errorf("%s: beside bands of %d bytes the model makes %v; want %v", c.what, near, model, c.model)
				}
				if got := trained(t, p, Options{Threads: 1}, 3); !bytes.Equal(got, want) {
					t.Errorf("%s: in bands of %d bytes %d of %d bytes differ", c.what, near, different(got, want), len(want))
				}
			}()
		}
	}
}
