//go:build purego

package cpu

const (
	hasAVX2   = false
	hasAVX512 = false
	hasGo     = false
)
