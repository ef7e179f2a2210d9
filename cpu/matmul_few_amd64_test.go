//go:build !purego

package cpu

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lockstep/op"
)

// TestFewTerms: products of a tall A, transposed, whose terms go a few at a time, of one chunk and of several, alone, as tangents, with them and with what is
// added, have the bits of their laws.
func TestFewTerms(t *testing.T) {
	needJoint(t)
	r := rand.New(rand.NewPCG(2, 12))
	for i, s := range [][3]int{{16, 300, 16}, {64, 1024, 64}, {64, 1025, 64}, {64, 2100, 64}, {17, 1100, 70}, {70, 1049, 33}, {64, 1100, 8}, {40, 3000, 24}} {
		m, k, n := s[0], s[1], s[2]
		o, a, b := op.MatMul{TA: true}, op.T(op.F32, op.Cell, k, m), op.T(op.F32, op.Cell, k, n)
		if few := newProduct(o, a.Shape, b.Shape, matmulTiles[0]).few(k, operandsAB{nil, {}}); few > k/2 {
			t.Errorf("%d rows, %d columns: %d of %d terms at a time; want few", m, n, few, k)
		}
		all := []operation{{o, []op.Type{a, b}}, {op.MatMulJVP(o), []op.Type{a, b, a, b}}, {op.Dual[op.MatMul]{Of: o, With: 3}, []op.Type{a, b, a, b}}}
		if k <= op.Chunk {
			for kind := range 3 {
				sum, in := withRandomSum(r, o, kind, m, k, n)
				all = append(all, operation{sum, in})
			}
		}
		for _, x := range all {
			for _, family := range vectorFamilies() {
				maker := twins[reflect.TypeOf(x.op)][family]
				if maker == nil || !slices.Contains(Variants(), family) {
					continue
				}
				t.Run(fmt.Sprintf("%T/%s/%dx%dx%d", x.op, family, m, k, n), func(t *testing.T) {
					checkGuarded(t, r, i, x.op, x.in, maker(x.op, x.in))
				})
			}
		}
	}
}

// operation is an op with operands.
type operation struct {
	op op.Op
	in []op.Type
}
