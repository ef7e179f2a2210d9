package data

import "fmt"

// FileError says what is wrong with a file, where, and what would be right.
type FileError struct {
	File   string
	Offset int // of the first wrong byte; in a .gz file, of what it unpacks to
	Got    string
	Want   string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: byte %d: %s; expected %s", e.File, e.Offset, e.Got, e.Want)
}
