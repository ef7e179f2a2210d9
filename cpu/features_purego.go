//go:build purego

package cpu

const (
	hasAVX2   = false
	hasAVX512 = false
	hasVNNI   = false
	hasVBMI   = false
	hasGo     = false
)
