// Package files writes files that are either whole or not there.
package files

import (
	"os"
	"path/filepath"
)

// WriteWhole writes content to a new file beside path, which then takes path's name: whoever opens path finds the old
// content or the new, and a write that fails leaves the old.
func WriteWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
