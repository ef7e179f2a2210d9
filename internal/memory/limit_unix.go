//go:build linux || darwin

package memory

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// limit is what the limit on the address space (ulimit -v) leaves.
func limit() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &r) != nil || r.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return max(int64(r.Cur)-addressSpace(), 0)
}

// addressSpace is what the process has reserved, which is what the limit counts: the first number of Linux's
// /proc/self/statm, in pages, else what Go knows of.
func addressSpace() int64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 0 {
			if pages, err := strconv.ParseInt(f[0], 10, 40); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
