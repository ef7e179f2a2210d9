// Package memory tells how much memory a process may still take.
package memory

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// Available is a careful guess of the bytes that this process can still take: what the system says is available, or what a
// limit on the process or its control group leaves, whichever is least. Where neither is known it is very large.
func Available() int64 {
	return min(system(), limit(), group())
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

// group is what the memory limit of the control group at the root of this process's view (cgroup v2) leaves: that of its
// container.
func group() int64 {
	read := func(name string) (int64, bool) {
		text, err := os.ReadFile("/sys/fs/cgroup/" + name)
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return n, err == nil // "max" is no limit
	}
	most, limited := read("memory.max")
	used, known := read("memory.current")
	if !limited || !known {
		return math.MaxInt64
	}
	// The pages of files that were not used lately count as used, but are given back when memory is wanted.
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.stat"); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "inactive_file" {
				if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					used -= n
				}
			}
		}
	}
	return max(most-used, 0)
}
