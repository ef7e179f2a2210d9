//go:build !amd64 && !purego

package cpu

const (
	hasAVX2   = false
	hasAVX512 = false
	hasVNNI   = false
	hasVBMI   = false
	hasGo     = true
)
