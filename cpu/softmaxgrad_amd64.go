//go:build !purego

package cpu

import "lockstep/op"

func init() {
	rowTwin[op.SoftmaxGrad]()
}
