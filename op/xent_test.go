package op_test

import (
	"testing"

	"lockstep/op"
)

// TestXentGradOfOneClass: with one class g is not repeated, so its cotangent is that of a view. The residual p - onehot is
// +0, the cotangent -1 makes it -0, and a Sum over the axis of size 1 would turn that into +0.
func TestXentGradOfOneClass(t *testing.T) {
	s := sample{op.XentGrad{}, []op.Tensor{mat(2, 1, 3, -5), op.Words32(op.U32, op.S(2, 1), 0, 0), mat(2, 1, 1, 1)}}
	e := &tape{t: t}
	n := s.node(e)
	dg := e.Tensor(s.op.VJP(e, n, []op.Value{e.Add(mat(2, 1, -1, 1))})[2])
	if dg.Shape != op.S(2, 1) || dg.W[0] != 1<<31 || dg.W[1] != 0 {
		t.Errorf("the cotangent of g is %s %08x; want [2,1] [80000000 00000000]", dg.Shape, dg.W)
	}
}
