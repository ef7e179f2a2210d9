package record

import "syscall"

// child has a process group of its own, and ends when its parent does.
func child() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
