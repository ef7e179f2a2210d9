package sweep

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

const toyCard = `
name = "toy"
seeds = [9007199254740992, 9007199254740993]
steps = 7
batch = 1
data = {name = "toy"}
model = {init = "zeros", layers = [{type = "group-sum", groups = 10, size = 100}]}
rule = {type = "momentum", lr = 0.5, schedule = {type = "step", every = 100, gamma = 0.1}}
`

func cellsOf(t *testing.T, card string) []Cell {
	t.Helper()
	c, err := ParseCard("test.toml", []byte(card))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := c.Cells()
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

// TestGoldenIdentity: canonical descriptions and their SHA-256 as an independent program (Python: json, struct, hashlib)
// wrote them. A change here is a new identity for every cell that was ever trained: it needs a new law version.
func TestGoldenIdentity(t *testing.T) {
	digits, err := LoadCard("../studies/intrinsic-digits.toml")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := digits.Cells()
	if err != nil {
		t.Fatal(err)
	}
	toy := cellsOf(t, toyCard)
	for _, c := range []struct {
		cell     Cell
		file, id string
	}{
		{cells[0], "golden-digits.json", "5e1a5651eac10a869f30c4e7d9102a2eac94cffebdaef14bd196d9a76e51268a"},
		{toy[1], "golden-toy.json", "e5e7d8136f6542592eef265973c96e55c47f66b826c8fdce8db1f8a4deaf4986"},
	} {
		want, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.cell.Canonical()); got != string(want) {
			t.Errorf("%s: canonical description\n%s\nwant\n%s", c.file, got, want)
		}
		if got := c.cell.ID(); got != c.id {
			t.Errorf("%s: identity %s; want %s", c.file, got, c.id)
		}
	}
	if s := string(toy[0].Canonical()); !strings.Contains(s, `"seed":9007199254740992,`) {
		t.Errorf("seed 2^53 is exact in JSON and stands as a number; got %s", s)
	}
}

// TestIdentityCovers: every change of the description changes the identity; the place in the card does not.
func TestIdentityCovers(t *testing.T) {
	base := cellsOf(t, toyCard)[0]
	seen := map[string]string{base.ID(): "base"}
	for what, edit := range map[string][2]string{
		"steps": {"steps = 7", "steps = 8"}, "init": {"zeros", "lecun"},
		"groups": {"size = 100", "size = 101"}, "lr": {"lr = 0.5", "lr = 0.50000003"}, "mu": {"lr = 0.5", "lr = 0.5, mu = 0.8"},
		"clip": {"lr = 0.5", "lr = 0.5, clip = 0.8"}, "another clip": {"lr = 0.5", "lr = 0.5, clip = 0.7"},
		"every": {"every = 100", "every = 99"}, "gamma": {"gamma = 0.1", "gamma = 0.2"},
		"schedule": {`type = "step", every = 100, gamma = 0.1`, `type = "cosine"`},
		"rule":     {`type = "momentum"`, `type = "sgd"`}, "seed": {"[9007199254740992,", "[9007199254740991,"},
		"map":      {"batch = 1", "batch = 1\nmap = {type = \"ternary\", d = 1000}"},
		"map type": {"batch = 1", "batch = 1\nmap = {type = \"gaussian\", d = 1000}"},
		"d":        {"batch = 1", "batch = 1\nmap = {type = \"ternary\", d = 999}"},
	} {
		if !strings.Contains(toyCard, edit[0]) {
			t.Fatalf("%s: the card has no %q", what, edit[0])
		}
		id := cellsOf(t, strings.ReplaceAll(toyCard, edit[0], edit[1]))[0].ID()
		if other, again := seen[id]; again {
			t.Errorf("%s and %s have one identity", what, other)
		}
		seen[id] = what
	}
	batch := base
	batch.Batch++
	if batch.ID() == base.ID() {
		t.Error("batch is no part of the identity")
	}
	for what, edit := range map[string][2]string{
		"name": {`name = "toy"`, `name = "tox"`}, "spelling of a number": {"lr = 0.5", "lr = 5.0e-1"}, "bits of a number": {"0.5,", "0.500000000001,"},
		"axis": {"steps = 7", "steps = \"$s\"\naxes = {s = [7]}"}, "default": {"lr = 0.5", "lr = 0.5, mu = 0.9"}, "no clip": {"lr = 0.5", "lr = 0.5, clip = 0"},
	} {
		if id := cellsOf(t, strings.Replace(toyCard, edit[0], edit[1], 1))[0].ID(); id != base.ID() {
			t.Errorf("%s is part of the identity", what)
		}
	}
}

// TestCanonicalIsJCS: the claim of canonical's comment, that descriptions stay in the part of JSON where encoding/json
// writes what RFC 8785 asks.
func TestCanonicalIsJCS(t *testing.T) {
	var check func(path string, v any)
	check = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				check(path+"."+k, e)
				check("key of "+path, k)
			}
		case []any:
			for _, e := range v {
				check(path, e)
			}
		case string:
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Errorf("%s is %q, which needs escapes", path, v)
			}
		case float64:
			if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
				t.Errorf("%s is %v, no whole number up to 2^53", path, v)
			}
		}
	}
	for _, cell := range cellsOf(t, toyCard) {
		var v any
		if err := json.Unmarshal(cell.Canonical(), &v); err != nil {
			t.Fatal(err)
		}
		check("cell", v)
	}
}
