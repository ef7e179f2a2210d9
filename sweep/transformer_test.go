package sweep

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
)

// sequences is a card of transformers that the laws alone train in seconds: decoder and encoder, two tasks, one of them by an axis over its
// data, all parameters and a subspace.
const sequences = `
name = "sequences"
seeds = [1, 2]
steps = 3
batch = 5
rule = {type = "adamw", lr = 0.01}
[[arms]]
name = "decoder"
data = {name = "marker-addition", markers = "$m", rows = 16}
axes = {m = [1, 2]}
model = {init = "torch", layers = [
  {type = "embedding", vocab = 256, out = 4},
  {type = "attention", heads = 2, causal = true},
  {type = "layer-norm"}, {type = "last"}, {type = "linear", out = 8}]}
[[arms]]
name = "encoder"
map = {type = "parameters"}
data = {name = "modular-addition", modulus = 5}
model = {init = "torch-encoder", layers = [
  {type = "embedding", vocab = 5, out = 8},
  {type = "attention", heads = 4},
  {type = "mlp", hidden = 6, activation = "gelu"},
  {type = "layer-norm"}, {type = "first"}, {type = "linear", out = 5}]}
[[arms]]
name = "subspace"
data = {name = "modular-addition", modulus = 5}
map = {type = "ternary", d = "$d"}
rule = {clip = "$clip"}
axes = {d = [3, 9], clip = [0, 0.1, 1]}
model = {init = "lecun", layers = [
  {type = "embedding", vocab = 6, out = 4, positions = false},
  {type = "attention", heads = 1, norm = false, bias = false},
  {type = "mlp", hidden = 3, activation = "tanh", norm = false, bias = false},
  {type = "mean-positions"}, {type = "linear", out = 5}]}
`

// sequencesDigest is golden: a change of it is a change of the law, of a layer, or of what a data set's name stands for.
const sequencesDigest = "24f0cd835b5109658f9fa3edd99c0c00ab3341340e0b210ed0ecaa3b4f69e964"

// One digest of transformers, whatever the packs, the threads and the variants; cells of other data lie in other packs.
func TestTransformersOneDigest(t *testing.T) {
	cells := cellsOf(t, sequences)
	run := func(o cpu.Options, pack int) (string, *spy) {
		t.Helper()
		engine, err := cpu.New(o)
		if err != nil {
			t.Fatal(err)
		}
		s := &spy{Engine: engine, poison: pack > 1}
		results, err := Run(context.Background(), cells, Options{Engine: s, PackCells: pack})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Declared.Diverged || r.Declared.Steps != 3 {
				t.Errorf("cell (%s) did %d steps; diverged: %v", r.Name(), r.Declared.Steps, r.Declared.Diverged)
			}
		}
		digest, err := Digest(results)
		if err != nil {
			t.Fatal(err)
		}
		return digest, s
	}
	want, _ := run(cpu.Options{Threads: 1, Variants: []string{cpu.Law}}, 1)
	if want != sequencesDigest {
		t.Errorf("the laws alone give digest %s; it was %s", want, sequencesDigest)
	}
	for _, pack := range []int{1, 3, 64} {
		for _, o := range []cpu.Options{{Threads: 1}, {Threads: 2}, {Threads: 2, NoFuse: true}, {Threads: 2, Variants: cpu.Variants()}} {
			got, s := run(o, pack)
			if got != want {
				t.Errorf("packs of %d, %+v: digest %s; want %s", pack, o, got, want)
			}
			if pack == 64 && s.packs != 5 {
				t.Errorf("%d packs; want one for m = 1, one for m = 2, one for the encoder, and of the subspace one that clips and one that does not", s.packs)
			}
		}
	}
	for _, v := range cpu.Variants() {
		if got, _ := run(cpu.Options{Threads: 2, Variants: []string{v}}, 64); got != want {
			t.Errorf("variant %s alone: digest %s; want %s", v, got, want)
		}
	}
}

// What a data set is made by is part of a cell's identity, by way of the data's hash alone.
func TestDataIdentity(t *testing.T) {
	cells := cellsOf(t, sequences)
	a, b := cells[0], cells[2]
	if a.Axes[0].Value != "1" || b.Axes[0].Value != "2" || a.ID() == b.ID() {
		t.Fatalf("%s and %s have one identity", a.Name(), b.Name())
	}
	if d := string(a.Canonical()); !strings.Contains(d, `"data":{"name":"marker-addition","sha256":"`) || !strings.Contains(d, `"split":{"last":2048}`) {
		t.Errorf("the description is %s", d)
	}
	for what, edit := range map[string][2]string{
		"rows": {"rows = 16", "rows = 17"}, "markers": {"m = [1, 2]", "m = [2]"}, "fewest": {`markers = "$m"`, `markers = 4, fewest = "$m"`},
		"vocab": {"vocab = 256", "vocab = 257"}, "out": {"out = 4},\n  {type = \"attention\", heads = 2", "out = 6},\n  {type = \"attention\", heads = 2"},
		"positions": {"out = 4}", "out = 4, positions = false}"}, "heads": {"heads = 2", "heads = 1"}, "causal": {", causal = true", ""},
		"norm": {"causal = true", "causal = true, norm = false"}, "bias": {"causal = true", "causal = true, bias = false"},
		"last": {`"last"`, `"first"`}, "init": {`init = "torch",`, `init = "torch-encoder",`},
	} {
		changed := strings.Replace(sequences, edit[0], edit[1], 1)
		if changed == sequences {
			t.Fatalf("%s: the card has no %q", what, edit[0])
		}
		if cellsOf(t, changed)[0].ID() == a.ID() {
			t.Errorf("%s is no part of the identity", what)
		}
	}
	same := strings.Replace(sequences, `{type = "attention", heads = 2, causal = true}`, `{type = "attention", heads = 2, causal = true, norm = true, bias = true}`, 1)
	if cellsOf(t, strings.Replace(same, `markers = "$m"`, `markers = "$m", fewest = "$m"`, 1))[0].ID() != a.ID() {
		t.Error("defaults that are written out make another identity")
	}
}

func TestSequencesRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"rows = 16", "row = 16", `data.row: unknown key "row"; nearest is "rows"`},
		{"rows = 16", "rows = 0", "data.rows: it is 0; it must be a whole number, 1 to"},
		{"rows = 16", "rows = 5_000_000", "data.rows: it is 5000000; it must be 1 to 4194304"},
		{"m = [1, 2]", "m = [1, 5]", "data.markers: it is 5; it must be 1 to 4 (arm decoder, m = 5)"},
		{`markers = "$m", `, "", "data: markers is missing; it is a number"},
		{`rows = 16`, "fewest = 2", "data marker-addition: fewest is 2 and markers is 1"},
		{"modulus = 5", "markers = 5", `data.markers: unknown key "markers"; want one of name, modulus, train-percent`},
		{"modulus = 5", "modulus = 1", "data.modulus: it is 1; it must be 2 to 1024"},
		{"modulus = 5", "modulus = 4.5", "data.modulus: it is 4.5; it must be a whole number"},
		{`"modular-addition", m`, `"modular", m`, `data.name: unknown data set "modular"; nearest is "modular-addition"`},
		{`name = "modular-addition", `, "", "data: name is missing; it is one of digits, toy"},
		{"heads = 2", "heads = 3", "layer 1 (attention): heads is 3; it must divide the 4 columns of a position"},
		{"heads = 2", "head = 2", `model.layers[1].head: unknown key "head"; nearest is "heads"`},
		{"vocab = 256", "vocab = 255", "layer 0 (embedding): vocab is 255; the data have tokens up to 255, so it must be 256 to"},
		{`{type = "last"}, `, "", "the last layer gives 16 positions of an example"},
		{`"gelu"`, `"gleu"`, `layer 2 (mlp): unknown activation "gleu"; nearest is "gelu"`},
		{"batch = 5", "batch = 200_000_000", "batch is 200000000; of rows of 16 tokens it is at most 134217727"},
	} {
		card, err := ParseCard("test.toml", []byte(strings.Replace(sequences, c.old, c.new, 1)))
		if err == nil {
			_, err = card.Cells()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: got %v; want an error with %q", c.new, c.old, err, c.want)
		}
	}
}

// An arm's data of another name replace the card's whole.
func TestMergeData(t *testing.T) {
	cells := cellsOf(t, `
name = "merge"
seeds = [0]
steps = 1
batch = 1
data = {name = "marker-addition", markers = 2, rows = 8}
rule = {type = "sgd", lr = 1}
[[arms]]
name = "a"
data = {markers = 1}
model = {layers = [{type = "embedding", vocab = 256, out = 1}, {type = "last"}, {type = "linear", out = 8}]}
[[arms]]
name = "b"
data = {name = "digits"}
model = {layers = [{type = "linear", out = 10}]}
`)
	if a, b := cells[0].set.Title(), cells[1].set.Title(); a != "marker-addition, markers = 1, fewest = 1, rows = 8, together = 1" || b != "digits" {
		t.Errorf("the arms have the data %q and %q", a, b)
	}
}

// A sweep over data of one name keeps a hash for each, and is recomputed from them.
func TestDataInLedger(t *testing.T) {
	card, err := ParseCard("sequences.toml", []byte(sequences))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "sweep")
	if err := RunTo(t.Context(), dir, card, cells, false, Options{Engine: engine}); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Record()
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range r.Data {
		names = append(names, d.Name)
	}
	want := []string{
		"marker-addition, markers = 1, fewest = 1, rows = 16, together = 1", "marker-addition, markers = 2, fewest = 2, rows = 16, together = 1",
		"modular-addition, modulus = 5, train-percent = 50",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the ledger names the data %q; want %q", names, want)
	}
	if _, again, err := plannedIn(dir, card.Data); err != nil || planOf(again) != planOf(cells) {
		t.Errorf("the ledger's card makes other cells: %v", err)
	}
}

// TestRecipes: the cards of the released recipes make the networks of these, counted by hand; and no row of the marker card's pool is used twice.
func TestRecipes(t *testing.T) {
	attention := func(d int) int { return 2*d + 4*(d*d+d) } // layer norm, then four products
	for file, want := range map[string]int{
		"marker.toml":  256*64 + 16*64 + 2*attention(64) + 2*64 + 64*8 + 8,
		"modular.toml": 97*128 + 2*128 + 2*(attention(128)+2*128+128*256+256+256*128+128) + 2*128 + 128*97 + 97,
	} {
		card, err := LoadCard("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		cells, err := card.Cells()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			if c.Model.D() != want {
				t.Errorf("%s, %s: %d parameters; want %d", file, c.Name(), c.Model.D(), want)
			}
			if c.Data == "marker-addition" && c.Steps*c.Batch > c.set.N-c.set.Test() {
				t.Errorf("%s: %d steps of %d rows; the pool has %d", file, c.Steps, c.Batch, c.set.N-c.set.Test())
			}
		}
	}
}

// TestWholeMap: by the map parameters z is theta, and starts as theta0; weight decay draws it to 0, and by identity to theta0. Adam's own step is
// made to vanish, by its eps.
func TestWholeMap(t *testing.T) {
	card := `
name = "whole"
seeds = [3, 4]
steps = 5
batch = 9
data = {name = "digits"}
model = {init = "lecun", layers = [{type = "linear", out = 10}]}
rule = {type = "adamw", lr = 0.25, wd = 0.5, eps = 1e38}
map = {type = "MAP"}
`
	for _, name := range []string{"parameters", "identity"} {
		cells := cellsOf(t, strings.Replace(card, "MAP", name, 1))
		engine, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		training, err := NewTraining(t.Context(), cells, engine)
		if err != nil {
			t.Fatal(err)
		}
		defer training.Close()
		for _, steps := range []int{0, 5} {
			if err := training.Run(t.Context(), steps); err != nil {
				t.Fatal(err)
			}
			for i := range cells {
				start := make([]byte, 4*cells[i].Model.D())
				if err := training.job.pack.Read(theta0, i, start); err != nil {
					t.Fatal(err)
				}
				z, err := training.Z(i)
				if err != nil {
					t.Fatal(err)
				}
				at := func(b []byte, k int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:])) }
				for k := range cells[i].Model.D() {
					want := at(start, k)
					for range steps {
						want -= 0.125 * want // exact: a product by a power of two
					}
					if name == "identity" {
						want = 0
					}
					if got := at(z, k); math.Abs(float64(got-want)) > 1e-30 {
						t.Fatalf("%s, cell %d: z[%d] is %v after %d steps; want %v", name, i, k, got, steps, want)
					}
				}
			}
		}
	}
}
