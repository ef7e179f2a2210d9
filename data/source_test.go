package data

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lockstep/data/idxtest"
)

func TestKnown(t *testing.T) {
	before := len(opened.sets)
	for _, name := range Names() {
		if err := Known(name); err != nil {
			t.Error(err)
		}
	}
	if len(opened.sets) != before {
		t.Error("a set was opened")
	}
	for wrong, want := range map[string]string{"digit": `"digits"`, "minst": `"mnist"`, "fashion_mnist": `"fashion-mnist"`} {
		want = `unknown data set "` + wrong + `"; nearest is ` + want
		if err := Known(wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
		if _, err := (Source{Dir: "."}).Open(wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
}

func open(t *testing.T, dir, name string) *Set {
	t.Helper()
	s, err := Source{Dir: dir}.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOpenOnce: equal calls give one set, at once or one after the other, whatever the spelling of the folder.
func TestOpenOnce(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := idxtest.Write(dir, 30, 10, 4, 1); err != nil {
			t.Fatal(err)
		}
	}
	var sets [8]*Set
	var all sync.WaitGroup
	for i := range sets {
		all.Go(func() { sets[i], _ = Source{Dir: a}.Open("mnist") })
	}
	all.Wait()
	t.Chdir(filepath.Dir(a))
	for i, s := range append(sets[:], open(t, filepath.Base(a), "mnist"), open(t, a+"/../"+filepath.Base(a)+"/", "mnist")) {
		if s == nil || s != sets[0] {
			t.Errorf("set %d is %p; want %p", i, s, sets[0])
		}
	}
	if open(t, a, "digits") != open(t, "", "digits") {
		t.Error("a folder makes other digits")
	}
	if s := open(t, a, "fashion-mnist"); s.Name != "fashion-mnist" || s == sets[0] || s.Hash != sets[0].Hash {
		t.Errorf("%s, hash %x; want fashion-mnist, %x", s.Name, s.Hash, sets[0].Hash)
	}
	if open(t, b, "mnist") == sets[0] {
		t.Error("one set from two folders")
	}
	// A folder of the set's name goes before the one that it stands in.
	if err := os.Mkdir(filepath.Join(b, "fashion-mnist"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := idxtest.Write(filepath.Join(b, "fashion-mnist"), 30, 10, 4, 2); err != nil {
		t.Fatal(err)
	}
	if s := open(t, b, "fashion-mnist"); s.Hash == sets[0].Hash || s != open(t, filepath.Join(b, "fashion-mnist"), "fashion-mnist") {
		t.Error("the set's own folder was not looked into")
	}
}

func TestOpenWithoutFiles(t *testing.T) {
	_, err := Source{}.Open("fashion-mnist")
	want := "data fashion-mnist are files: give their folder by --data DIR (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	dir := t.TempDir()
	_, err = Source{Dir: dir}.Open("mnist")
	if want := "data mnist: " + filepath.Join(dir, mnistFiles[0]) + ": file does not exist"; !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v; want %s", err, want)
	}
	if err := idxtest.Write(dir, 3, 2, 2, 1); err != nil { // the files are mended
		t.Fatal(err)
	}
	open(t, dir, "mnist")
	file := filepath.Join(dir, mnistFiles[0])
	if _, err = (Source{Dir: file}).Open("mnist"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file for a folder: got %v", err)
	}
}

// TestSplit: the drawn rows were found by an independent program (Python) from the laws of Key, Philox and Permute.
func TestSplit(t *testing.T) {
	train, test := open(t, "", "digits").Split()
	if len(train) != 1438 || len(test) != 359 {
		t.Fatalf("%d rows for training, %d for testing; want 1438 and 359", len(train), len(test))
	}
	if want := []int{1629, 1274, 46, 790, 1413, 1286}; !slices.Equal(test[:6], want) || test[358] != 529 {
		t.Errorf("test rows %v ... %d; want %v ... 529", test[:6], test[358], want)
	}
	if want := []int{319, 525, 421, 1509, 1383, 1464}; !slices.Equal(train[:6], want) || train[1437] != 1108 {
		t.Errorf("training rows %v ... %d; want %v ... 1108", train[:6], train[1437], want)
	}
	for _, c := range []struct {
		set         Set
		train, test []int
	}{
		{Set{N: 1}, []int{0}, nil},
		{Set{N: 5}, []int{1, 3, 4, 0}, []int{2}},
		{Set{N: 5, Given: 2}, []int{0, 1, 2}, []int{3, 4}},
		{Set{N: 2, Given: 1}, []int{0}, []int{1}},
	} {
		train, test := c.set.Split()
		if !slices.Equal(train, c.train) || !slices.Equal(test, c.test) || c.set.Test() != len(c.test) {
			t.Errorf("%d rows, %d given: train %v, test %v (%d); want %v, %v", c.set.N, c.set.Given, train, test, c.set.Test(), c.train, c.test)
		}
		if cap(train) > len(train) || cap(test) > len(test) {
			t.Errorf("%d rows, %d given: what is appended to one part overwrites the other", c.set.N, c.set.Given)
		}
	}
}

// TestHashIgnores: neither the name nor the given rows are content.
func TestHashIgnores(t *testing.T) {
	s := *open(t, "", "digits")
	s.Name, s.Given = "others", 100
	if h := s.hash(); h != s.Hash {
		t.Errorf("hash %x; want %x", h, s.Hash)
	}
	s.X = slices.Clone(s.X)
	if s.X[len(s.X)-1]++; s.hash() == s.Hash {
		t.Error("the last input is no part of the hash")
	}
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}
