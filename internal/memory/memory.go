// Package memory tells how much memory a process may still take.
package memory

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// Available is a careful guess of the bytes that this process can still take: what the system says is available, or what a
// limit on the process leaves, whichever is less. Where neither is known it is very large.
func Available() int64 {
	return min(system(), limit())
}

// system reads MemAvailable of Linux's /proc/meminfo.
func system() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemAvailable:" {
			if kb, err := strconv.ParseInt(f[1], 10, 40); err == nil {
				return kb << 10
			}
		}
	}
	return math.MaxInt64
}
