//go:build unix

package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Lock is a lock file that this process holds; the end of the process, whatever ends it, releases it.
type Lock struct {
	path string
	file *os.File
}

// NewLock takes the lock file at path, which it makes if it is missing. Error: another process has it.
func NewLock(path string) (*Lock, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file; it cannot be locked", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for tries := 0; tries < 5 && errors.Is(err, syscall.EWOULDBLOCK); tries++ { // it may only be looked at: see Locked
		time.Sleep(20 * time.Millisecond)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is locked: another run is at work there", path)
		}
		return nil, fmt.Errorf("%s cannot be locked: %w", path, err)
	}
	return &Lock{path, f}, nil
}

// Locked tells whether a process holds the lock file at path.
func Locked(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.file.Close() }
