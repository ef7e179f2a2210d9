//go:build unix

package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock is a lock file that this process holds; the end of the process, whatever ends it, releases it.
type Lock struct {
	path string
	file *os.File
}

// NewLock takes the lock file at path, which it makes if it is missing. Error: another process has it.
func NewLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is locked: another run is at work there", path)
		}
		return nil, fmt.Errorf("%s cannot be locked: %w", path, err)
	}
	return &Lock{path, f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.file.Close() }
