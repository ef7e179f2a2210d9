package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// confine starts this program again on the first n of its processors, unless it has no more: so that all sides, children too, have
// the same ones, and no more of them than threads.
func confine(n int) error {
	var set, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("which processors there are: %w", err)
	}
	if set.Count() <= n {
		return nil
	}
	for cpu := 0; some.Count() < n; cpu++ {
		if set.IsSet(cpu) {
			some.Set(cpu)
		}
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // affinity is the thread's, and what it executes has it
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return fmt.Errorf("staying on %d processors: %w", n, err)
	}
	return unix.Exec(path, os.Args, os.Environ())
}
