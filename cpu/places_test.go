package cpu

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lockstep/op"
)

// TestProductsInOtherPlaces: products of heads, and products with what is added to them, are no ops of programs, and so no cases of optest: at random sizes
// round those of the tiles, of packed operands and of chunks, each has the bits of its law, in the scratch that is planned for it, and writes nothing else.
func TestProductsInOtherPlaces(t *testing.T) {
	needJoint(t)
	r := rand.New(rand.NewPCG(11, 9))
	sizes := []int{1, 2, 3, 5, 7, 8, 9, 12, 13, 15, 16, 17, 24, 25, 31, 32, 33, 47, 48, 63, 64, 65, 70}
	pick := func() int { return sizes[r.IntN(len(sizes))] }
	cases := 200
	if testing.Short() {
		cases = 60
	}
	ran := map[string]int{}
	for i := range cases {
		batch, heads, m, k, n := 1+r.IntN(3), 1+r.IntN(4), pick(), pick(), pick()
		switch r.IntN(12) {
		case 0: // several chunks
			k, m, n, batch = []int{1023, 1024, 1025, 2049}[r.IntN(4)], 1+r.IntN(20), 1+r.IntN(40), 1
		case 1: // several panels
			n, batch = []int{100, 128, 129, 200}[r.IntN(4)], 1
		case 2: // packed rows of A
			m, k, n, batch, heads = 256+r.IntN(40), 260+r.IntN(20), 128+r.IntN(10), 1, 1+r.IntN(2)
		}
		o, in, kind := op.MatMul{TA: r.IntN(2) == 0, TB: r.IntN(2) == 0}, []op.Type(nil), r.IntN(3)
		var fused op.Op
		if r.IntN(2) == 0 {
			fused, in = ofHeads(r, o, kind, batch, heads, m, k, n)
		} else {
			fused, in = withRandomSum(r, o, kind, m, k, n)
		}
		for _, family := range vectorFamilies() {
			maker := twins[reflect.TypeOf(fused)][family]
			if maker == nil {
				continue
			}
			kernel := maker(fused, in)
			if kernel == nil {
				continue
			}
			ran[family]++
			checkGuarded(t, r, i, fused, in, kernel)
		}
	}
	for _, family := range []string{"avx2", "avx512"} {
		if slices.Contains(Variants(), family) && ran[family] < cases/2 {
			t.Errorf("%s ran %d of %d cases", family, ran[family], cases)
		}
	}
}

// ofHeads is a product of which some operands, or the results, lie as rows of projections do: of MatMul, its tangent, or both by kind.
func ofHeads(r *rand.Rand, o op.MatMul, kind, batch, heads, m, k, n int) (op.Op, []op.Type) {
	sides := func(x, y int, turned bool) []int {
		if turned {
			x, y = y, x
		}
		return []int{batch, heads, x, y}
	}
	mask, out := uint32(r.IntN(4)), r.IntN(2) == 0
	lies := func(dims []int, apart bool) op.Type {
		s := op.T(op.F32, op.Cell, dims...)
		if apart {
			s.Shape = exchanged(s.Shape)
		}
		return s
	}
	a, b := lies(sides(m, k, o.TA), mask&1 != 0), lies(sides(k, n, o.TB), mask&2 != 0)
	switch kind {
	case 0:
		return headed(o, mask, out), []op.Type{a, b}
	case 1:
		return headed(op.MatMulJVP(o), mask|mask<<2, out), []op.Type{a, b, a, b}
	}
	return headed(op.Dual[op.MatMul]{Of: o, With: 3}, mask|mask<<2, out), []op.Type{a, b, a, b}
}

// withRandomSum is a product to which a row, or as many rows as it has, are added.
func withRandomSum(r *rand.Rand, o op.MatMul, kind, m, k, n int) (op.Op, []op.Type) {
	a, b := op.T(op.F32, op.Cell, sided(o.TA, m, k)...), op.T(op.F32, op.Cell, sided(o.TB, k, n)...)
	x := op.T(op.F32, op.Cell, m, n)
	if r.IntN(2) == 0 {
		x = op.T(op.F32, op.Cell, n)
	}
	switch kind {
	case 0:
		return withAdded[op.MatMul]{o}, []op.Type{a, b, x}
	case 1:
		return withAdded[op.MatMulJVP]{op.MatMulJVP(o)}, []op.Type{a, b, a, b, x}
	}
	return withAdded[op.Dual[op.MatMul]]{op.Dual[op.MatMul]{Of: o, With: 3}}, []op.Type{a, b, a, b, x, x}
}

// checkGuarded runs a kernel on random operands, into results between words that must stay what they are.
func checkGuarded(t *testing.T, r *rand.Rand, number int, o op.Op, in []op.Type, k kernel) {
	t.Helper()
	const guard, poison = 64, 0xdeadbeef
	types, err := o.Shape(in)
	if err != nil {
		t.Fatal(err)
	}
	var ins, outs, want []op.Tensor
	for _, ty := range in {
		x := op.New(ty)
		for i := range x.W {
			switch x.SetF(i, float32(r.NormFloat64())); r.IntN(max(200, len(x.W)/4)) { // of more, long chains would all be NaN
			case 0:
				x.W[i] = 1 << 31 // -0
			case 1:
				x.W[i] = op.NaN
			}
		}
		ins = append(ins, x)
	}
	var whole [][]uint32
	for _, ty := range types {
		words := slices.Repeat([]uint32{poison}, ty.Words()+2*guard)
		whole, want = append(whole, words), append(want, op.New(ty))
		outs = append(outs, op.Tensor{Type: ty, W: words[guard : guard+ty.Words() : guard+ty.Words()]})
	}
	o.Law(want, ins)
	k(newWorkspace(scratches[reflect.TypeOf(o)](o, in, 1)), outs, ins)
	for i := range outs {
		if !slices.Equal(outs[i].W, want[i].W) {
			t.Fatalf("case %d, %s of %v: result %d is not that of the law", number, op.Describe(o), in, i)
		}
		for j, w := range whole[i] {
			if (j < guard || j >= len(whole[i])-guard) && w != poison {
				t.Fatalf("case %d, %s of %v: word %d beside result %d was written", number, op.Describe(o), in, j-guard, i)
			}
		}
	}
}
