package graph

import (
	"slices"
	"strings"
	"testing"

	"lockstep/op"
)

// groups writes the groups of a tape: names of ops, those of a chain in brackets with its length, grain and number of inner results.
func groups(t *Tape) string {
	var all []string
	for _, g := range t.Groups {
		var names []string
		for _, n := range g.Work(t) {
			names = append(names, n.Op.Name())
		}
		s := strings.Join(names, " ")
		if g.Len > 0 {
			s = "[" + s + "]"
		}
		if s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}

// fused traces a step on a state x [8, 16], fuses it, and gives its tape.
func fused(t *testing.T, how Fusion, f func(b *Builder, x op.Value) op.Value) *Tape {
	t.Helper()
	p, err := Trace(func(b *Builder) {
		x := b.State("x", b.Fill(1, 8, 16), op.Cell)
		b.Next(x, f(b, x))
	})
	if err != nil {
		t.Fatal(err)
	}
	tape := Lower(p, func(op.Op, []op.Type) bool { return true })
	tape.Fuse(how)
	return tape
}

func wide(b *Builder, v, like op.Value) op.Value {
	return b.Do(op.Broadcast{To: b.Type(like).Shape}, v)
}

func TestFuse(t *testing.T) {
	for _, c := range []struct {
		name string
		part int
		body func(b *Builder, x op.Value) op.Value
		want string
		once string // what Once is left with
	}{
		{"pointwise ops follow one another", 64, func(b *Builder, x op.Value) op.Value {
			return b.Do(op.Tanh, b.Do(op.Mul, x, b.Do(op.Neg, x)))
		}, "[neg mul tanh]", "fill"},
		{"one is by itself", 64, func(b *Builder, x op.Value) op.Value {
			return b.Do(op.Softmax{}, b.Do(op.Neg, x))
		}, "neg softmax", "fill"},
		{"what is no chain ends one", 64, func(b *Builder, x op.Value) op.Value {
			y := b.Do(op.Softmax{}, b.Do(op.Neg, b.Do(op.Exp, x)))
			return b.Do(op.Neg, b.Do(op.Exp, y))
		}, "[exp neg] softmax [exp neg]", "fill"},
		{"a view is no work", 64, func(b *Builder, x op.Value) op.Value {
			y := b.Do(op.Reshape{To: op.S(128)}, b.Do(op.Exp, x))
			return b.Do(op.Reshape{To: op.S(8, 16)}, b.Do(op.Neg, y))
		}, "[exp neg]", "fill"},
		{"constants are made again, and nowhere else", 64, func(b *Builder, x op.Value) op.Value {
			return b.Do(op.Select{}, b.Do(op.Gt, x, b.Fill(0, 8, 16)), x, b.Fill(0, 8, 16))
		}, "[fill gt select]", "fill"}, // the state's first value is left
		{"what others read, too, stays", 64, func(b *Builder, x op.Value) op.Value {
			one := b.Fill(1, 8, 16)
			y := b.Do(op.Sub, b.Do(op.Mul, x, one), one)
			return b.Do(op.MatMul{}, b.Do(op.MatMul{TB: true}, y, one), x)
		}, "[fill mul sub] matmul matmul", "fill"},
		{"a constant comes before what it is spread to", 128, func(b *Builder, x op.Value) op.Value {
			two := b.Fill(2, 8, 16)
			y := b.Do(op.Add, b.Do(op.Reshape{To: op.S(1, 8, 16)}, x), b.Do(op.Broadcast{To: op.S(1, 8, 16)}, two))
			return b.Do(op.Mul, b.Do(op.Reshape{To: op.S(8, 16)}, y), two)
		}, "[fill broadcast add mul]", "fill"},
		{"rows are spread in parts of whole rows", 64, func(b *Builder, x op.Value) op.Value {
			row := b.Do(op.Sum{Axes: op.List(0)}, x)
			return b.Do(op.Relu, b.Do(op.Add, x, wide(b, row, x)))
		}, "sum [broadcast add relu]", "fill"},
		{"rows longer than a part are not", 8, func(b *Builder, x op.Value) op.Value {
			row := b.Do(op.Sum{Axes: op.List(0)}, x)
			return b.Do(op.Relu, b.Do(op.Add, x, wide(b, row, x)))
		}, "sum broadcast [add relu]", "fill"},
		{"a column that is repeated as well is by itself", 64, func(b *Builder, x op.Value) op.Value {
			column := b.Do(op.Slice{Axis: 0, Len: 4}, b.Do(op.Sum{Axes: op.List(1)}, x)) // [4, 1]
			y := b.Do(op.Reshape{To: op.S(2, 4, 16)}, x)
			y = b.Do(op.Relu, b.Do(op.Add, y, b.Do(op.Broadcast{To: op.S(2, 4, 16)}, column)))
			return b.Do(op.Reshape{To: op.S(8, 16)}, y)
		}, "sum broadcast [add relu]", "fill"},
		{"columns are spread in parts of whole places", 64, func(b *Builder, x op.Value) op.Value {
			column := b.Do(op.Sum{Axes: op.List(1)}, x)
			return b.Do(op.Relu, b.Do(op.Add, x, wide(b, column, x)))
		}, "sum [broadcast add relu]", "fill"},
		{"small nodes that do not hang on a chain go before it", 64, func(b *Builder, x op.Value) op.Value {
			n := b.State("n", b.Fill(2), op.Cell)
			y := b.Do(op.Exp, x)
			b.Next(n, b.Do(op.Neg, n))
			return b.Do(op.Neg, y)
		}, "neg [exp neg]", "fill fill"},
		{"those that do end it", 64, func(b *Builder, x op.Value) op.Value {
			y := b.Do(op.Neg, b.Do(op.Exp, x))
			n := b.State("n", b.Fill(2), op.Cell)
			b.Next(n, b.Do(op.Reshape{To: op.S()}, b.Do(op.Sum{Axes: op.List(0, 1)}, y)))
			return b.Do(op.Neg, y)
		}, "[exp neg] sum neg", "fill fill"},
		{"a spread result of the chain waits for its end", 64, func(b *Builder, x op.Value) op.Value {
			n := b.State("n", b.Fill(2, 8, 1), op.Cell)
			b.Next(n, n)
			y := b.Do(op.Neg, wide(b, n, x))
			return b.Do(op.Add, y, b.Do(op.Exp, x))
		}, "[broadcast neg exp add]", "fill fill"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tape := fused(t, Fusion{Part: c.part, Smallest: 32}, c.body)
			if got := groups(tape); got != c.want {
				t.Errorf("the step is\n%s; want\n%s", got, c.want)
			}
			var once []string
			for _, n := range tape.Once {
				once = append(once, n.Op.Name())
			}
			if got := strings.Join(once, " "); got != c.once {
				t.Errorf("once runs %q; want %q", got, c.once)
			}
			for _, g := range tape.Groups {
				if g.Len > 0 && (g.Grain < 1 || g.Grain > c.part) {
					t.Errorf("parts are of multiples of %d elements; at most %d run", g.Grain, c.part)
				}
				for _, v := range g.Inner {
					if tape.Scratch.Off[v] >= 0 {
						t.Errorf("value %d is inner, and has memory", v)
					}
				}
			}
		})
	}
}

// Inner results are those that nothing else reads: not what a state becomes, an output, a view that leaves, or an operand of another node.
func TestInner(t *testing.T) {
	tape := fused(t, Fusion{Part: 64, Smallest: 32}, func(b *Builder, x op.Value) op.Value {
		inner := b.Do(op.Exp, x)
		read := b.Do(op.Neg, inner)
		viewed := b.Do(op.Mul, read, inner)
		shown := b.Do(op.Relu, viewed)
		b.OutputOver("shown", shown, op.Cell)
		b.OutputOver("view", b.Do(op.Reshape{To: op.S(128)}, viewed), op.Cell)
		next := b.Do(op.Add, shown, inner)
		b.OutputOver("sum", b.Do(op.Sum{Axes: op.List(0)}, read), op.Cell)
		return next
	})
	g := tape.Groups[slices.IndexFunc(tape.Groups, func(g Group) bool { return g.Len > 0 })]
	var inner []string
	for _, n := range g.Work(tape) {
		if slices.Contains(g.Inner, n.Out[0]) {
			inner = append(inner, n.Op.Name())
		}
	}
	if got := strings.Join(inner, " "); got != "exp" {
		t.Errorf("inner results are those of %q in %s; want exp alone", got, groups(tape))
	}
}

// Chains apart: a node joins any chain that does not come before what it reads, short ones too, and chains have a bound.
func TestFuseApart(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
		body func(b *Builder, x op.Value) op.Value
		want string
	}{
		{"past what is no chain, unless it hangs on that", 0, func(b *Builder, x op.Value) op.Value {
			n := b.State("n", b.Fill(2), op.Cell)
			y := b.Do(op.Exp, x)
			s := b.Do(op.Softmax{}, y)
			b.Next(n, b.Do(op.Neg, b.Do(op.Exp, n)))
			return b.Do(op.Add, s, b.Do(op.Neg, b.Do(op.Neg, y)))
		}, "[exp neg neg] softmax [exp neg] add"},
		{"a view of a chain's result goes with the chain", 0, func(b *Builder, x op.Value) op.Value {
			y := b.Do(op.Reshape{To: op.S(128)}, b.Do(op.Exp, x))
			s := b.Do(op.Softmax{}, x)
			return b.Do(op.Add, s, b.Do(op.Reshape{To: op.S(8, 16)}, b.Do(op.Neg, y)))
		}, "[exp neg] softmax add"},
		{"a spread result waits for the chain's end", 0, func(b *Builder, x op.Value) op.Value {
			n := b.State("n", b.Fill(2, 8, 16), op.Cell)
			b.Next(n, n)
			one := b.Do(op.Slice{Axis: 1, Len: 1}, b.Do(op.Neg, n))
			return b.Do(op.Add, b.Do(op.Exp, n), wide(b, one, x))
		}, "[neg exp] slice [broadcast add]"},
		{"so many operands and results", 6, func(b *Builder, x op.Value) op.Value {
			return b.Do(op.Neg, b.Do(op.Add, b.Do(op.Exp, x), b.Do(op.Tanh, x)))
		}, "[exp tanh] [add neg]"},
	} {
		tape := fused(t, Fusion{Part: 1 << 31, Smallest: 1, Most: c.most, Apart: true}, c.body)
		if got := groups(tape); got != c.want {
			t.Errorf("%s: the step is\n%s; want\n%s", c.name, got, c.want)
		}
	}
}
