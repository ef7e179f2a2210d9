package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// What Linux writes of this process's processor time is what it tells the process itself, and part of what all processes took.
func TestProcessorTime(t *testing.T) {
	begin := processorTime(os.Getpid())
	taken, _ := busy()
	for end := time.Now().Add(time.Minute); processorTime(os.Getpid()) < begin+10*tick; {
		if time.Now().After(end) {
			t.Fatalf("after a minute of work still %v", processorTime(os.Getpid()))
		}
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	want := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if got := processorTime(os.Getpid()); got < want-10*tick || got > want+10*tick {
		t.Errorf("it took %v; the process is told %v", got, want)
	}
	if now, all := busy(); now < taken+9*tick || all < now {
		t.Errorf("all processes took %v, then %v of %v", taken, now, all)
	}
}
