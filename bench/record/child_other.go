//go:build unix && !linux

package record

import "syscall"

// child has a process group of its own.
func child() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
