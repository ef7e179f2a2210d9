package cpu

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lockstep/graph"
	"lockstep/op"
)

// TestProductsOfTangents: the sum of two products that nothing else reads is one node; the bits are those of the ops one by one.
func TestProductsOfTangents(t *testing.T) {
	needJoint(t)
	const n = 67
	for name, c := range map[string]struct {
		body  func(b *graph.Builder, s func(name string, d op.Domain) op.Value)
		fused int
	}{
		"two products": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell)), b.Do(op.Mul, s("c", op.Cell), s("d", op.Cell))))
		}, 1},
		"by what a model has": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, s("a", op.Model), s("b", op.Cell)), b.Do(op.Mul, s("c", op.Cell), s("d", op.Model))))
		}, 1},
		"of other products": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			y := b.Do(op.Add, b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell)), b.Do(op.Mul, s("c", op.Cell), s("d", op.Cell)))
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, y, s("e", op.Cell)), b.Do(op.Mul, s("f", op.Cell), y)))
		}, 2},
		"one product": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell)), s("c", op.Cell)))
		}, 0},
		"twice the same": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			y := b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell))
			b.Output("y", b.Do(op.Add, y, y))
		}, 0},
		"one that is read elsewhere": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			y := b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell))
			b.Output("y", b.Do(op.Add, y, b.Do(op.Mul, s("c", op.Cell), s("d", op.Cell))))
			b.Output("z", b.Do(op.Exp, y))
		}, 0},
		"one that is an output": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			y := b.Do(op.Mul, s("a", op.Cell), s("b", op.Cell))
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, s("c", op.Cell), s("d", op.Cell)), y))
			b.Output("z", y)
		}, 0},
		"one that is a model's": {func(b *graph.Builder, s func(name string, d op.Domain) op.Value) {
			b.Output("y", b.Do(op.Add, b.Do(op.Mul, s("a", op.Model), s("b", op.Model)), b.Do(op.Mul, s("c", op.Cell), s("d", op.Cell))))
		}, 0},
	} {
		prog := trace(t, func(b *graph.Builder) {
			c.body(b, func(name string, d op.Domain) op.Value {
				x := b.State(name, b.Input(name+"0", op.T(op.F32, d, n)), d)
				b.Next(x, b.Do(op.Neg, x))
				return x
			})
		})
		fused := 0
		for _, n := range engine(t, 1).layOut(prog, trainedSlots(t)).t.Step {
			if n.Op == (mulMulAdd{}) {
				fused++
			}
		}
		if fused != c.fused {
			t.Errorf("%s: %d nodes are sums of products; want %d", name, fused, c.fused)
		}
		want := trained(t, prog, Options{NoFuse: true, Variants: []string{Law}}, 2)
		for _, variants := range [][]string{nil, {"avx2", "go", Law}} {
			if got := trained(t, prog, Options{Threads: 1, Variants: variants}, 2); !bytes.Equal(got, want) {
				t.Errorf("%s, variants %v: %d of %d bytes differ from the laws'", name, variants, different(got, want), len(want))
			}
		}
	}
}

// TestMulMulAdd: every length, infinities, NaNs, zeros of both signs and numbers whose products are subnormal, by each family; each product is rounded.
func TestMulMulAdd(t *testing.T) {
	needJoint(t)
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-30, -1e-30, 3e38, 1 + 0x1p-23}
	r := rand.New(rand.NewPCG(3, 1))
	for n := range 70 {
		ty := op.T(op.F32, op.Cell, n)
		var in []op.Tensor
		for range 4 {
			x := op.New(ty)
			for i := range n {
				if x.SetF(i, float32(r.NormFloat64())); r.IntN(2) == 0 {
					x.SetF(i, special[r.IntN(len(special))])
				}
			}
			in = append(in, x)
		}
		want := op.New(ty)
		mulMulAdd{}.Law([]op.Tensor{want}, in)
		for i := range n { // the law is what it says
			a, b, c, d := in[0].F()[i], in[1].F()[i], in[2].F()[i], in[3].F()[i]
			p, q := float32(a*b), float32(c*d) // conversions round, where Go would fuse
			if y := p + q; y == y && math.Float32bits(y) != want.W[i] || y != y && want.W[i] != op.NaN {
				t.Fatalf("%v * %v + %v * %v is %#x; want %v", a, b, c, d, want.W[i], y)
			}
		}
		for _, family := range vectorFamilies() {
			k, variant := pick(mulMulAdd{}, []op.Type{ty, ty, ty, ty}, []string{family})
			if variant == Law { // vnni has none
				continue
			}
			got := op.New(ty)
			if k(nil, []op.Tensor{got}, in); !slices.Equal(got.W, want.W) {
				t.Errorf("%s: %d words are not the law's", family, n)
			}
		}
	}
}
