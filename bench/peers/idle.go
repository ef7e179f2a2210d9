package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// idle adds up what a process takes of the processors while another side is measured: it is to be nothing.
type idle struct {
	taken, wall time.Duration
	before      time.Duration
	since       time.Time
}

// tick is the unit of /proc/PID/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// processorTime is what Linux says that a process has taken; 0 where there is no /proc.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the command's name may hold blanks
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}

func (i *idle) begin(pid int) { i.before, i.since = processorTime(pid), time.Now() }
func (i *idle) end(pid int) {
	i.taken += processorTime(pid) - i.before
	i.wall += time.Since(i.since)
}

// share is how much of one processor it took.
func (i *idle) share() float64 {
	if i.wall == 0 {
		return 0
	}
	return i.taken.Seconds() / i.wall.Seconds()
}

// busy is what all processes together have taken of the processors, and what there was to take; zeros where there is no /proc.
func busy() (taken, all time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(first) { // cpu user nice system idle iowait irq softirq steal ..
		n, _ := strconv.Atoi(f)
		if i >= 1 && i <= 8 {
			all += time.Duration(n) * tick
			if i != 4 && i != 5 {
				taken += time.Duration(n) * tick
			}
		}
	}
	return taken, all
}
