//go:build !unix

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Lock is a lock file that this process made.
type Lock struct {
	path string
	file *os.File
}

// NewLock makes the lock file at path, which must not be there. Error: it is, because another process has it or ended
// without giving it back.
func NewLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there: another run is at work, or was killed; in that case remove the file", path)
	}
	if err != nil {
		return nil, err
	}
	return &Lock{path, f}, nil
}

// Locked tells whether the lock file at path is there.
func Locked(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Release gives the lock back.
func (l *Lock) Release() error { return errors.Join(l.file.Close(), os.Remove(l.path)) }
