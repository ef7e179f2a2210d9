//go:build !purego

package cpu

import "lockstep/op"

// The duals that go row by row. Of products see dualmatmul_amd64.go, of activations dualmap_amd64.go.
func init() {
	rowTwin[op.Dual[op.Softmax]]()
	rowTwin[op.Dual[op.SoftmaxGrad]]()
	rowTwin[op.Dual[op.XentGrad]]()
	rowTwin[op.Dual[op.LayerNorm]]()
	rowTwin[op.Dual[op.LayerNormGrad]]()
}
