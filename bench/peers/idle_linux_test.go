package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// What Linux writes of this process's processor time is what it tells the process itself, and part of what all processes took.
func TestProcessorTime(t *testing.T) {
	told := func() (user, all time.Duration) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano()), time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	taken, _ := busy()
	from, _ := told()
	for x, end := 0, time.Now().Add(time.Minute); ; x++ {
		if now, _ := told(); now > from+30*tick {
			break
		}
		for range 1 << 22 {
			x ^= x << 1
		}
		if time.Now().After(end) {
			t.Fatal("a minute was not enough for 0.3 s of work")
		}
	}
	_, want := told()
	if got := processorTime(os.Getpid()); got < want-10*tick || got > want+10*tick {
		t.Errorf("it took %v; the process is told %v", got, want)
	}
	if now, all := busy(); now < taken+20*tick || all < now {
		t.Errorf("all processes took %v, then %v of %v", taken, now, all)
	}
}
