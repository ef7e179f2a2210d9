//go:build unix

package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock takes the lock file at path, which it makes if it is missing, for this process; release gives it back, and so does
// the end of the process, whatever ends it. Error: another process has it.
func Lock(path string) (release func() error, err error) {
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
	return f.Close, nil
}
