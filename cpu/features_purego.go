//go:build purego

package cpu

const (
	hasAVX2 = false
	hasGo   = false
)
