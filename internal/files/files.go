// Package files writes files that are either whole or not there, and locks folders.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// WriteWhole is Write of the given content.
func WriteWhole(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Write has fill write a new file beside path, which then takes path's name: whoever opens path finds the old content or
// the new, also after a loss of power, and a write that fails leaves the old. A link is followed; a file that is no regular
// one, such as a device or a pipe, is written into.
func Write(path string, fill func(w io.Writer) error) error {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o666) // less the process's mask
	switch info, err := os.Stat(target); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory; want a file to write", path)
	case !info.Mode().IsRegular():
		return writeInto(target, os.O_WRONLY, 0, fill)
	default:
		mode = info.Mode().Perm()
	}
	beside := filepath.Join(filepath.Dir(target), fmt.Sprintf(".%s.%08x", filepath.Base(target), rand.Uint32()))
	err = writeInto(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode, fill)
	if err == nil {
		err = os.Rename(beside, target)
	}
	if err != nil {
		os.Remove(beside)
		return fmt.Errorf("%s cannot be written: %w", path, cause(err))
	}
	return syncFolder(filepath.Dir(target))
}

// syncFolder puts a folder's names on the disk, on systems where a folder can be synced.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// leftover is the form of the names that Write gives to files that are not whole.
var leftover = regexp.MustCompile(`^\..*\.[0-9a-f]{8}$`)

// MakeDir makes a folder, and those that it stands in, if they are missing, and puts its name on the disk.
func MakeDir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(filepath.Clean(path)))
}

// Leftovers removes what a killed process has left of its Writes to files of the folder.
func Leftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if leftover.MatchString(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func writeInto(path string, flag int, mode fs.FileMode, fill func(w io.Writer) error) error {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil && flag&os.O_EXCL != 0 {
		err = f.Sync() // before the file takes its name
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// cause is an error without the path that it names: here that of the file beside, which means nothing to a user.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// Held tells whether the lock file is still the one that was locked: an error if somebody removed or replaced it, so that
// others may have taken the lock since.
func (l *Lock) Held() error {
	ours, err := l.file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(l.path); err != nil || !os.SameFile(ours, there) {
		return fmt.Errorf("%s was removed or replaced while this run was at work", l.path)
	}
	return nil
}
