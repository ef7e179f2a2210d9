package data

import "os"

// regular is the error for what is no file of known size: a device has no end, and to open a pipe is to wait. what is expected
// instead, such as "an NPY file".
func regular(path string, info os.FileInfo, what string) error {
	switch {
	case info.IsDir():
		return &FileError{path, 0, "it is a directory", what}
	case !info.Mode().IsRegular():
		return &FileError{path, 0, "it is a device or a pipe", what}
	}
	return nil
}

// openFile opens a regular file, and says how many bytes it has.
func openFile(path, what string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = regular(path, info, what)
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil { // of what was opened: the name may be another file's by now
		err = regular(path, info, what)
	}
	if err != nil {
		f.Close() // nothing was written
		return nil, 0, err
	}
	return f, info.Size(), nil
}
