package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"lockstep/internal/nearest"
)

// Source opens data sets: those that come with lockstep, and those that are read from files in Dir, or in Dir/NAME where
// that is a folder.
type Source struct {
	Dir string // folder of the files; "": none was given
}

// entry is a data set by its name.
type entry struct {
	name    string
	own     func(settings map[string]int) (*Set, error) // makes a set that comes with lockstep; nil: it is files, see readMNIST
	numbers []Number                                    // that it is made by
}

// sets: one line per entry.
var sets = []entry{
	{"digits", plain(readDigits), nil},
	{"toy", plain(makeToy), nil},
	{"mnist", nil, nil},
	{"fashion-mnist", nil, nil},
	{"marker-addition", makeMarkers, []Number{{"markers", 1, markerMost, 0}, {"fewest", 0, markerMost, 0}, {"rows", 1, 1 << 22, 1 << 19}, {"together", 1, 1 << 16, 1}}},
	{"modular-addition", makeModular, []Number{{"modulus", 2, 1024, 97}, {"train-percent", 1, 99, 50}}},
}

// plain is a set that is made by no numbers.
func plain(own func() (*Set, error)) func(map[string]int) (*Set, error) {
	return func(map[string]int) (*Set, error) { return own() }
}

// Number is a whole number by which a set is made, Lo to Hi: a key of the table data in cards. Where it is left out it is Default; it must be
// given where that is not in its range.
type Number struct {
	Key             string
	Lo, Hi, Default int
}

// Setting is the value of a Number.
type Setting struct {
	Key   string
	Value int
}

// Numbers lists what the set of the given name is made by; nil for nothing, or no such set.
func Numbers(name string) []Number {
	e, _ := find(name)
	return slices.Clone(e.numbers)
}

// opened holds the sets that this process has opened. Its lock is held while one is read, so that none is read twice.
var opened = struct {
	sync.Mutex
	sets map[place]*Set
}{sets: map[place]*Set{}}

// place is where a set comes from.
type place struct {
	dir   string // absolute; "": the set comes with lockstep
	title string // Set.Title
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

func find(name string) (e entry, err error) {
	for _, s := range sets {
		if s.name == name {
			return s, nil
		}
	}
	return e, nearest.Unknown("data set", name, Names())
}

// resolve is the value of each number of the set: what is given, or its default.
func (e entry) resolve(given []Setting) (all []Setting, err error) {
	var keys []string
	for _, n := range e.numbers {
		keys = append(keys, n.Key)
		all = append(all, Setting{n.Key, n.Default})
	}
	for _, g := range given {
		i := slices.Index(keys, g.Key)
		if i < 0 && len(keys) == 0 {
			return nil, fmt.Errorf("data %s: %s is %d; the set takes no numbers", e.name, g.Key, g.Value)
		} else if i < 0 {
			return nil, fmt.Errorf("data %s: %w", e.name, nearest.Unknown("number", g.Key, keys))
		}
		all[i] = g
	}
	for i, n := range e.numbers {
		if v := all[i].Value; v < n.Lo || v > n.Hi {
			return nil, fmt.Errorf("data %s: %s is %d; it must be %d to %d", e.name, n.Key, v, n.Lo, n.Hi)
		}
	}
	return all, nil
}

// Open returns the data set of the given name and settings. It is made once: equal names and settings and, where the set is files,
// equal folders give one and the same. Errors: those of Known; a setting that the set does not take, or out of its range; no folder for a
// set that is files; what is wrong with the files, which may be mended and opened again.
func (s Source) Open(name string, settings ...Setting) (*Set, error) {
	e, err := find(name)
	if err != nil {
		return nil, err
	}
	all, err := e.resolve(settings)
	if err != nil {
		return nil, err
	}
	own, from := e.own, place{title: (&Set{Name: name, Settings: all}).Title()}
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
		own = plain(func() (*Set, error) { return readMNIST(name, dir) })
	}
	opened.Lock()
	defer opened.Unlock()
	if set, ok := opened.sets[from]; ok {
		return set, nil
	}
	numbers := map[string]int{}
	for _, x := range all {
		numbers[x.Key] = x.Value
	}
	set, err := own(numbers)
	if err != nil {
		return nil, err
	}
	for i, x := range all { // a default may hang on another number
		all[i].Value = numbers[x.Key]
	}
	set.Settings = all
	settled := place{from.dir, set.Title()}
	if same, ok := opened.sets[settled]; ok {
		set = same
	}
	opened.sets[from], opened.sets[settled] = set, set
	return set, nil
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
