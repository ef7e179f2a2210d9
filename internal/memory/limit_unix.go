//go:build linux || darwin

package memory

import (
	"math"
	"runtime"
	"syscall"
)

// limit is what the limit on the address space (ulimit -v) leaves.
func limit() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &r) != nil || r.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return max(int64(r.Cur)-int64(m.Sys), 0)
}
