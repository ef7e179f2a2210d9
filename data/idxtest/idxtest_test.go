package idxtest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/data"
	"lockstep/data/idxtest"
)

// TestLearnable: the nearest mean of the training images' classes, which is a linear classifier, names half of the test
// images; chance is 0.1.
func TestLearnable(t *testing.T) {
	for _, side := range []int{4, 8, 28} {
		dir := t.TempDir()
		if err := idxtest.Write(dir, 500, 200, side, 1); err != nil {
			t.Fatal(err)
		}
		s, err := data.Source{Dir: dir}.Open("mnist")
		if err != nil {
			t.Fatal(err)
		}
		if s.N != 700 || s.In != side*side || s.Given != 200 {
			t.Fatalf("%d rows of %d inputs, %d given for testing", s.N, s.In, s.Given)
		}
		train, test := s.Split()
		row := func(i int) []float32 { return s.X[i*s.In : (i+1)*s.In] }
		var means [10][]float64
		var counts [10]float64
		for _, i := range train {
			y := s.Y[i]
			if counts[y]++; means[y] == nil {
				means[y] = make([]float64, s.In)
			}
			for j, x := range row(i) {
				means[y][j] += float64(x)
			}
		}
		right := 0
		for _, i := range test {
			best, least := 0, 0.0
			for y := range means {
				d := 0.0
				for j, x := range row(i) {
					e := float64(x) - means[y][j]/counts[y]
					d += e * e
				}
				if y == 0 || d < least {
					best, least = y, d
				}
			}
			if uint32(best) == s.Y[i] {
				right++
			}
		}
		t.Logf("side %d: %d of %d right, labels %v", side, right, len(test), counts)
		if right < 100 {
			t.Errorf("side %d: %d of %d right; want 100", side, right, len(test))
		}
	}
}

// TestWrite: equal arguments give equal bytes, another seed gives others, and nonsense is refused.
func TestWrite(t *testing.T) {
	var dirs [3]string
	for i, seed := range []uint64{1, 1, 2} {
		dirs[i] = t.TempDir()
		if err := idxtest.Write(dirs[i], 20, 10, 5, seed); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(dirs[0])
	if err != nil || len(names) != 4 {
		t.Fatalf("%d files, %v; want 4", len(names), err)
	}
	for _, n := range names {
		var b [3][]byte
		for i, dir := range dirs {
			if b[i], err = os.ReadFile(filepath.Join(dir, n.Name())); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b[0], b[1]) || bytes.Equal(b[0], b[2]) {
			t.Errorf("%s: equal seeds must give equal bytes, others not", n.Name())
		}
	}
	for _, n := range [][3]int{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}} {
		if err := idxtest.Write(t.TempDir(), n[0], n[1], n[2], 1); err == nil || !strings.Contains(err.Error(), "each is at least 1") {
			t.Errorf("%v: got %v", n, err)
		}
	}
	if err := idxtest.Write(filepath.Join(t.TempDir(), "none"), 1, 1, 1, 1); err == nil {
		t.Error("written into a folder that is not there")
	}
}
