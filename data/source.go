package data

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"lockstep/internal/nearest"
)

// Source opens data sets: those that come with lockstep, and those that are read from files in Dir, or in Dir/NAME where
// that is a folder.
type Source struct {
	Dir string // folder of the files; "": none was given
}

// sets: one line per entry.
var sets = []struct {
	name string
	own  func() (*Set, error) // makes a set that comes with lockstep; nil: it is files, see readMNIST
}{
	{"digits", readDigits},
	{"toy", makeToy},
	{"mnist", nil},
	{"fashion-mnist", nil},
}

// opened holds the sets that this process has opened. Its lock is held while one is read, so that none is read twice.
var opened = struct {
	sync.Mutex
	sets map[place]*Set
}{sets: map[place]*Set{}}

// place is where a set comes from.
type place struct {
	dir  string // absolute; "": the set comes with lockstep
	name string
}

// Names lists the data sets.
func Names() (names []string) {
	for _, s := range sets {
		names = append(names, s.name)
	}
	return names
}

// Known is nil if there is a data set of that name, else the error, with the nearest one. It opens nothing.
func Known(name string) error {
	_, err := find(name)
	return err
}

func find(name string) (own func() (*Set, error), err error) {
	for _, s := range sets {
		if s.name == name {
			return s.own, nil
		}
	}
	return nil, nearest.Unknown("data set", name, Names())
}

// Open returns the data set of the given name. It is read once: equal names and, where the set is files, equal folders
// give one and the same. Errors: those of Known; no folder for a set that is files; what is wrong with the files, which
// may be mended and opened again.
func (s Source) Open(name string) (*Set, error) {
	own, err := find(name)
	if err != nil {
		return nil, err
	}
	from := place{name: name}
	if own == nil {
		if s.Dir == "" {
			return nil, fmt.Errorf("data %s are files: give their folder by --data DIR (%s, plain or .gz)", name, strings.Join(mnistFiles[:], ", "))
		}
		dir := s.Dir
		// Sets of one format have files of the same names; a folder of its own tells them apart.
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			dir = filepath.Join(dir, name)
		}
		if from.dir, err = filepath.Abs(dir); err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
		own = func() (*Set, error) { return readMNIST(name, dir) }
	}
	opened.Lock()
	defer opened.Unlock()
	if set, ok := opened.sets[from]; ok {
		return set, nil
	}
	set, err := own()
	if err == nil {
		opened.sets[from] = set
	}
	return set, err
}

// makeToy is the target of the toy problem of Li et al. 2018 (arXiv 1804.08838, section 2): one row without inputs, whose
// ten targets are 1 to 10. Its model is a group-sum layer of ten groups of 100 parameters.
func makeToy() (*Set, error) {
	s := &Set{Name: "toy", N: 1, Targets: 10}
	for i := range s.Targets {
		s.T = append(s.T, float32(i+1))
	}
	return s.seal()
}
