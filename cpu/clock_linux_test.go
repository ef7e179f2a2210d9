package cpu

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the time for which this thread has had a processor. On a busy machine it says more of a kernel than the time that
// passed; what the neighbours push out of the caches it does not see.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return time.Since(started)
	}
	return time.Duration(t.Nano())
}

var started = time.Now()
