//go:build !amd64 && !purego

package cpu

const (
	hasAVX2   = false
	hasAVX512 = false
	hasGo     = true
)
