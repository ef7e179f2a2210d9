//go:build !unix

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Lock makes the lock file at path, which must not be there; release removes it. Error: it is there, because another
// process has it or ended without giving it back.
func Lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there: another run is at work, or was killed; in that case remove the file", path)
	}
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(f.Close(), os.Remove(path)) }, nil
}
