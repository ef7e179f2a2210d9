package data

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func marker(t *testing.T, markers, fewest, rows int) *Set {
	t.Helper()
	s, err := Source{}.Open("marker-addition", Setting{"markers", markers}, Setting{"fewest", fewest}, Setting{"rows", rows})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGenerated compares with hashes that an independent program (Python: hashlib, struct, itertools, which lists all sets of places)
// found from the docstrings.
func TestGenerated(t *testing.T) {
	for _, c := range []struct {
		markers, fewest, rows int
		hash                  string
	}{
		{1, 0, 16, "83de5d886434f247493d395540d04c50cbcefbba2b57a4dbf46ddeca23ead3ac"},
		{2, 2, 300, "a1e5f06c88128bb7699697d0a61320d91209ee6e7d0ce1fa5f135b66c40af3fe"},
		{3, 0, 5, "1fba10e63c3b346dbb760b88db79b163036097819d583f579d81631a29dc543f"},
		{4, 4, 64, "21bad0b0e22add8fb6efbf73e7cb7629b7c0c6f36c04eee86d644faff64a8331"},
		{4, 1, 100, "a64dfaf41e793d76bd4ba1c869df4d6cc857c9ae443000fbe5946363dfee640e"},
	} {
		s := marker(t, c.markers, c.fewest, c.rows)
		if got := hex.EncodeToString(s.Hash[:]); got != c.hash {
			t.Errorf("%s: hash %s; want %s", s.Title(), got, c.hash)
		}
	}
	s, err := Source{}.Open("modular-addition")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(s.Hash[:]), "6f87a3e72004a0fe39fcd202c37014186f918bece884263801ae2f10a2bbec59"; got != want {
		t.Errorf("%s: hash %s; want %s", s.Title(), got, want)
	}
	if train, test := s.Split(); len(train) != 4704 || len(test) != 4705 || s.Classes != 97 || s.Vocab != 97 {
		t.Errorf("%d pairs to train on and %d to test on, %d classes, %d tokens; want 4704, 4705, 97, 97", len(train), len(test), s.Classes, s.Vocab)
	}
}

// TestMarkerRows: what a row looks like, whatever drew it; and that markers, places, values and labels are as common as they are to be.
func TestMarkerRows(t *testing.T) {
	for _, c := range []struct{ markers, fewest int }{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {4, 1}} {
		const rows = 20000
		s := marker(t, c.markers, c.fewest, rows)
		var labels [8]int
		var counts [5]int
		places := map[string]int{}
		for i := range s.N {
			x := s.X[i*16 : (i+1)*16]
			m := 0 // as many values as markers; of more than m, 100 + m may be a token like others
			for _, v := range x {
				if v < 8 {
					m++
				}
			}
			last, sum, set := -1, 0, strings.Builder{}
			for k := range m {
				p := slices.Index(x, float32(100+k))
				if p < 1 || p > 14 || p <= last+1 || x[p+1] > 7 {
					t.Fatalf("m = %d, row %d: %v", c.markers, i, x)
				}
				last = p
				sum += int(x[p+1])
				set.WriteByte(byte('a' + p))
			}
			marks := 0
			for _, v := range x {
				if v >= 100 && v < float32(100+m) {
					marks++
				}
			}
			if m < c.fewest || m > c.markers || marks != m || s.Y[i] != uint32(sum%8) {
				t.Fatalf("m = %d, row %d: %v, label %d", c.markers, i, x, s.Y[i])
			}
			labels[s.Y[i]]++
			counts[m]++
			places[set.String()]++
		}
		// Six standard deviations of a count of expectation e are below 6 sqrt(e).
		even := func(what string, n, of int) {
			e := float64(s.N) / float64(of)
			if d := float64(n) - e; d*d > 36*e {
				t.Errorf("m = %d to %d: %s comes %d times; want some %.0f", c.fewest, c.markers, what, n, e)
			}
		}
		for y, n := range labels {
			even("a label "+string(rune('0'+y)), n, 8)
		}
		for m := c.fewest; m <= c.markers; m++ {
			even("a number of markers", counts[m], c.markers-c.fewest+1)
		}
		if want := []int{0, 14, 78, 220, 330}[c.markers]; c.fewest == c.markers {
			if len(places) != want {
				t.Errorf("m = %d: %d sets of places; want %d", c.markers, len(places), want)
			}
			for p, n := range places {
				even("places "+p, n, want)
			}
		}
	}
}

// TestMarkerTestRows: they hang on the task alone, and are not in the pool.
func TestMarkerTestRows(t *testing.T) {
	a, b := marker(t, 2, 2, 100), marker(t, 2, 2, 9000)
	if !slices.Equal(a.X[100*16:], b.X[9000*16:]) || !slices.Equal(a.Y[100:], b.Y[9000:]) || a.Test() != 2048 {
		t.Error("another pool has other test rows")
	}
	if !slices.Equal(a.X[:100*16], b.X[:100*16]) {
		t.Error("a larger pool begins with other rows")
	}
	seen := map[[16]float32]bool{}
	for i := range b.N {
		row := [16]float32(b.X[i*16 : (i+1)*16])
		if seen[row] {
			t.Fatalf("row %d is there twice", i)
		}
		seen[row] = true
	}
}

// TestTogether: rows that stay together have their markers at the same places, and values and other tokens of their own; test rows are as without.
func TestTogether(t *testing.T) {
	alone := marker(t, 4, 1, 64)
	s, err := Source{}.Open("marker-addition", Setting{"markers", 4}, Setting{"fewest", 1}, Setting{"rows", 64}, Setting{"together", 8})
	if err != nil {
		t.Fatal(err)
	}
	if s.Together != 8 || s.Hash == alone.Hash || !slices.Equal(s.X[64*16:], alone.X[64*16:]) || !slices.Equal(s.Y[64:], alone.Y[64:]) {
		t.Errorf("together %d, or other test rows, or the hash of another set", s.Together)
	}
	values := func(i int) (places []int) {
		for p, v := range s.X[i*16 : (i+1)*16] {
			if v < 8 {
				places = append(places, p)
			}
		}
		return places
	}
	other := 0
	for i := range 64 {
		if !slices.Equal(values(i), values(i/8*8)) {
			t.Errorf("row %d has its values at %v; row %d at %v", i, values(i), i/8*8, values(i/8*8))
		}
		if i%8 > 0 && slices.Equal(s.X[i*16:i*16+16], s.X[i*16-16:i*16]) {
			t.Errorf("rows %d and %d are equal", i-1, i)
		}
		if i%8 == 0 && i > 0 && !slices.Equal(values(i), values(i-8)) {
			other++
		}
	}
	if other < 5 {
		t.Errorf("only %d of 7 groups have other places than the one before", other)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name  string
		given []Setting
		want  string // title, or what the error says
	}{
		{"digits", nil, "digits"},
		{"digits", []Setting{{"rows", 3}}, "data digits: rows is 3; the set takes no numbers"},
		{"modular-addition", nil, "modular-addition, modulus = 97, train-percent = 50"},
		{"modular-addition", []Setting{{"modulus", 5}}, "modular-addition, modulus = 5, train-percent = 50"},
		{"modular-addition", []Setting{{"modulus", 1}}, "data modular-addition: modulus is 1; it must be 2 to 1024"},
		{"modular-addition", []Setting{{"modulo", 5}}, `unknown number "modulo"; nearest is "modulus"`},
		{"marker-addition", []Setting{{"markers", 2}, {"rows", 8}}, "marker-addition, markers = 2, fewest = 2, rows = 8, together = 1"},
		{"marker-addition", []Setting{{"rows", 8}}, "data marker-addition: markers is 0; it must be 1 to 4"},
		{"marker-addition", []Setting{{"markers", 5}}, "markers is 5; it must be 1 to 4"},
		{"marker-addition", []Setting{{"markers", 2}, {"rows", 1 << 23}}, "rows is 8388608; it must be 1 to 4194304"},
		{"marker-addition", []Setting{{"markers", 2}, {"rows", 9}, {"together", 2}}, "rows is 9 and together is 2"},
		{"marker-addition", []Setting{{"markers", 2}, {"fewest", 3}}, "fewest is 3 and markers is 2"},
	} {
		s, err := Source{}.Open(c.name, c.given...)
		if err == nil && s.Title() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: got %v; want %s", c.name, c.given, err, c.want)
		}
	}
	if marker(t, 2, 2, 8) == marker(t, 2, 2, 9) || marker(t, 2, 0, 8) == marker(t, 1, 0, 8) {
		t.Error("other settings give the same set")
	}
	if a := marker(t, 2, 2, 10); a != marker(t, 2, 2, 10) || a != marker(t, 2, 0, 10) {
		t.Error("a set was made twice")
	}
}

func TestTokensAreChecked(t *testing.T) {
	for _, x := range []float32{-1, 0.5, 3} {
		s := Set{N: 1, In: 2, Classes: 2, Vocab: 3, X: []float32{2, x}, Y: []uint32{0}}
		if _, err := s.seal(); err == nil || !strings.Contains(err.Error(), "tokens are whole numbers below 3") {
			t.Errorf("token %v: %v", x, err)
		}
	}
	for _, s := range []Set{{N: 2, Drawn: 2}, {N: 2, Drawn: -1}, {N: 3, Drawn: 1, Given: 1}} {
		if _, err := s.seal(); err == nil || !strings.Contains(err.Error(), "to be drawn for testing") {
			t.Errorf("%d rows, %d drawn, %d given: %v", s.N, s.Drawn, s.Given, err)
		}
	}
}
