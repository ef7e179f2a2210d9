package curvature

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"lockstep/data"
	"lockstep/internal/files"
)

// File keeps checkpoints in one file, which is whole whenever a process is killed. It is a Keeper.
type File struct {
	Path  string
	Every time.Duration // between two checkpoints; 0: one after each step
	last  time.Time
}

// Due tells whether Every has passed.
func (f *File) Due() bool {
	if f.last.IsZero() {
		f.last = time.Now()
	}
	return time.Since(f.last) >= f.Every
}

// Save replaces the file when the new one is whole and on the disk.
func (f *File) Save(fill func(w io.Writer) error) error {
	err := files.Write(f.Path, fill)
	f.last = time.Now()
	return err
}

// Load opens the file; nil if there is none. What is no checkpoint is an error.
func (f *File) Load() (*data.TensorsFile, error) {
	t, err := data.OpenTensors(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}

// Remove removes the file, if there is one.
func (f *File) Remove() error {
	if err := os.Remove(f.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
