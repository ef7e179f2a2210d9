//go:build !amd64 && !purego

package cpu

const (
	hasAVX2 = false
	hasGo   = true
)
