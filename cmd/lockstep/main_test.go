package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/op"
)

// lockstep runs the command and returns its exit status and what it printed.
func lockstep(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(context.Background(), append([]string{"lockstep"}, args...), &out, &err)
	return status, out.String(), err.String()
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	status, out, stderr := lockstep(args...)
	if status != 0 {
		t.Fatalf("lockstep %s: status %d\n%s", strings.Join(args, " "), status, stderr)
	}
	return out
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeNPY(t *testing.T, path string, x op.Tensor) string {
	t.Helper()
	if err := data.WriteNPY(path, x); err != nil {
		t.Fatal(err)
	}
	return path
}

const tiny = `
name = "tiny"
seeds = [1]
steps = 2
batch = 4
data = {name = "digits"}
model = {layers = [{type = "linear", out = 10}]}
rule = {type = "sgd", lr = 0.1}
map = {type = "ternary", d = "$d"}
axes = {d = [2, 3]}
`

// Every bad input is refused with a message that names what was wrong, and an exit status that is not 0.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	card := func(name, from, to string) string {
		if !strings.Contains(tiny, from) {
			t.Fatalf("the card has no %q", from)
		}
		return write(t, dir, name+".toml", strings.Replace(tiny, from, to, 1))
	}
	good := writeNPY(t, filepath.Join(dir, "good.npy"), op.Float32s(op.S(2, 3), 1, 2, 3, 4, 5, 6))
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, dir, "cut.npy", string(whole[:len(whole)-5]))
	text := write(t, dir, "text.npy", "no array")
	far := writeNPY(t, filepath.Join(dir, "far.npy"), op.Words32(op.U32, op.S(2), 0, 2))
	out := filepath.Join(dir, "out.npy")
	file := write(t, dir, "file", "")
	damaged := filepath.Join(dir, "damaged")
	if err := os.Mkdir(damaged, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, damaged, "ledger.sqlite", strings.Repeat("no ledger ", 500))
	noTwin := "no go twin"
	if !slices.Contains(cpu.Variants(), "go") { // a purego build
		noTwin = `no variant "go"`
	}
	for _, c := range []struct{ args, want string }{
		{"sweep run " + card("key", "steps = 2", "stepps = 2"), `"steps"`},
		{"sweep run " + card("rule", "lr = 0.1", "lrr = 0.1"), `"lr"`},
		{"sweep run " + card("type", `"sgd"`, `"sgdd"`), `"sgd"`},
		{"sweep run " + card("zero", "steps = 2", "steps = 0"), "steps"},
		{"sweep run " + card("below", "batch = 4", "batch = -4"), "batch"},
		{"sweep run " + card("width", "out = 10", "out = 0"), "out"},
		{"sweep run " + card("above", "[2, 3]", "[2, 651]"), "D = 650"},
		{"sweep run " + card("dzero", "[2, 3]", "[0, 3]"), "d"},
		{"sweep run " + card("empty", "[2, 3]", "[]"), "axes.d"},
		{"sweep run " + card("seeds", "seeds = [1]", "seeds = []"), "seeds"},
		{"sweep run " + card("data", `"digits"`, `"digit"`), `"digits"`},
		{"sweep run " + card("outputs", "out = 10", "out = 9"), "10"},
		{"sweep run " + card("toml", "steps = 2", "steps = = 2"), "toml.toml"},
		{"sweep run " + filepath.Join(dir, "none.toml"), "none.toml"},
		{"sweep run " + dir, "directory"},
		{"sweep run", "one card"},
		{"sweep run " + card("fine", "steps", "steps") + " --threads 0", "--threads 0"},
		{"sweep run " + card("fine", "steps", "steps") + " --pack -1", "--pack -1"},
		{"sweep run " + card("fine", "steps", "steps") + " --device cuda", "cuda"},
		{"sweep run " + card("fine", "steps", "steps") + " --variant avx1", "avx1"},
		{"sweep run " + card("fine", "steps", "steps") + " --set stepps=3", `"steps"`},
		{"sweep run " + card("fine", "steps", "steps") + " --set steps", "KEY=VALUE"},
		{"sweep run " + card("fine", "steps", "steps") + " --out " + file, "file"},
		{"sweep runn", `"run"`},
		{"sweep run --outt x", "outt"},
		{"sweep run " + card("fine", "steps", "steps") + " --resume", "--out DIR"},
		{"sweep run " + card("fine", "steps", "steps") + " --checkpoint 5s", "--out DIR"},
		{"sweep run " + card("fine", "steps", "steps") + " --out " + filepath.Join(dir, "o") + " --checkpoint -5s", "--checkpoint -5s"},
		{"sweep run " + card("fine", "steps", "steps") + " --out " + damaged, "no ledger, or damaged"},
		{"sweep run " + card("fine", "steps", "steps") + " --out " + damaged + " --resume", "no ledger, or damaged"},
		{"sweep run " + card("mnist", `"digits"`, `"mnist"`), "--data DIR"},
		{"sweep run " + card("mnist", `"digits"`, `"mnist"`) + " --data " + dir, "train-images-idx3-ubyte"},
		{"sweep digest " + dir, "holds no sweep"},
		{"sweep digest " + damaged, "no ledger, or damaged"},
		{"sweep digest", "one folder"},
		{"sweep status " + dir, "holds no sweep"},
		{"sweep status " + filepath.Join(dir, "none"), "holds no sweep"},
		{"sweep status " + damaged, "no ledger, or damaged"},
		{"sweep export " + dir, "holds no sweep"},
		{"sweep export " + dir + " --format cvs", `"csv"`},
		{"sweep report " + dir, "holds no sweep"},
		{"sweep verify " + dir, "holds no sweep"},
		{"sweep verify " + dir + " --engine lawn", `"law"`},
		{"sweep verify " + dir + " --sample 0", "--sample 0"},
		{"sweep verify " + dir + " --threads 0", "--threads 0"},
		{"study run " + card("where", "axes =", "expect = {what = \"performance\", where = {d = [7, 9]}, range = [0, 1]}\naxes ="), "no cell"},
		{"study run intrinsic-digit", `"intrinsic-digits"`},
		{"verify mtmul", `"matmul"`},
		{"bench matmull", `"matmul"`},
		{"bench (", "regular expression"},
		{"bench relu --time 0s", "--time 0s"},
		{"bench relu --count 0", "--count 0"},
		{"bench relu --threads 0", "--threads 0"},
		{"bench relu --variant avx1", "avx1"},
		{"bench relu --device cuda:x", "cuda:x"},
		{"verify exp --variant fast", "fast"},
		{"verify exp --device cuda:x", "cuda:x"},
		{"sweep run " + card("fine", "steps", "steps") + " --device gpu", "want auto"},
		{"op law nothing", "nothing"},
		{"op run matmul " + good + " " + good + " -o " + out, "equal k"},
		{"op run gather " + good + " " + far + " -o " + out, "index below 2"},
		{"op run matmul " + good + " " + cut + " -o " + out, "cut.npy"},
		{"op run matmul " + good + " " + text + " -o " + out, "text.npy"},
		{"op run matmul " + good + " " + dir + " -o " + out, dir},
		{"op run relu " + os.DevNull + " -o " + out, "a device or a pipe; expected an NPY file"},
		{"op run matmul " + good + " -o " + out, "matmul"},
		{"op run fill --attr To=2147483647,2147483647,2147483647 -o " + out, "2^36"},
		{"op run fill --attr To=2000000000,30 -o " + out, "needs about 7"},
		{"op run iota --attr N=5 -o " + out + " --variant go", noTwin},
		{"op run neg " + good + " -o " + out + " --variant=", `no variant ""`},
		{"verify relu --variant=", `no variant ""`},
		{"op law matmull", `"matmul"`},
		{"op law zzzzz", `unknown op "zzzzz"; want one of add, amax`},
		{"op run neg " + good, `"o"`},
		{"op run neg " + good + " -o " + out + " -o " + out, "1 result"},
		{"op run neg " + good + " -o " + filepath.Join(dir, "no", "out.npy"), "no"},
		{"op run neg " + good + " -o " + out + " --attr TA=true", "TA"},
		{"op run matmul " + good + " " + good + " -o " + out + " --attr TB=perhaps", "TB"},
		{"op run neg " + good + " -o " + out + " --variant fast", "fast"},
	} {
		status, stdout, stderr := lockstep(strings.Fields(c.args)...)
		if status == 0 || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") > 2 {
			t.Errorf("lockstep %s: status %d; want an error of a line that speaks of %s\n%s%s", c.args, status, c.want, stdout, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an op that failed wrote a file")
	}
}

// op run gives the same bits for every variant.
func TestOpRunVariantsAgree(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	random := func(name string, dims ...int) string {
		key := op.Key(7, name)
		x, err := op.Run(op.Normal{To: op.S(dims...)}, op.Words32(op.U32, op.S(2), key[:]...), op.Words32(op.U32, op.S(), 0))
		if err != nil {
			t.Fatal(err)
		}
		return writeNPY(t, path(name), x[0])
	}
	a, b := random("a.npy", 19, 1100), random("b.npy", 1100, 21)
	for _, v := range append(cpu.Has(op.MatMul{}), "") {
		args := []string{"op", "run", "matmul", a, b, "-o", path("c" + v + ".npy")}
		if v != "" {
			args = append(args, "--variant", v)
		}
		must(t, args...)
		got, err := os.ReadFile(path("c" + v + ".npy"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(path("c" + cpu.Has(op.MatMul{})[0] + ".npy"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("variant %q gives other bits", v)
		}
	}
}

// An int8 matrix of -1, 0 and 1 serves where an op takes ternary codes.
func TestOpRunPacksTernary(t *testing.T) {
	dir := t.TempDir()
	w := op.New(op.T(op.I8, op.Shared, 3, 2))
	for i, v := range []int8{1, 0, -1, 1, 0, -1} {
		w.SetInt8(i, v)
	}
	x := writeNPY(t, filepath.Join(dir, "x.npy"), op.Float32s(op.S(1, 3), 0.5, 2, 4))
	out := filepath.Join(dir, "y.npy")
	must(t, "op", "run", "ternarymm", x, writeNPY(t, filepath.Join(dir, "w.npy"), w), "-o", out)
	y, err := data.ReadNPY(out)
	if err != nil || y.F()[0] != -1.5 || y.F()[1] != -2 {
		t.Errorf("got %v, %v; want [-1.5 -2]", y.F(), err)
	}
}

func TestOpRunUnchecked(t *testing.T) {
	dir := t.TempDir()
	table := writeNPY(t, filepath.Join(dir, "t.npy"), op.Float32s(op.S(2, 1), 5, 6))
	index := writeNPY(t, filepath.Join(dir, "i.npy"), op.Words32(op.U32, op.S(2), 1, 2))
	out := filepath.Join(dir, "y.npy")
	must(t, "op", "run", "gather", table, index, "-o", out, "--unchecked")
	if y, err := data.ReadNPY(out); err != nil || y.F()[0] != 6 || y.F()[1] != 0 {
		t.Errorf("got %v, %v; want [6 0]", y.F(), err)
	}
}

// An attribute is given once, and as KEY=VALUE.
func TestOpRunAttributes(t *testing.T) {
	for want, attrs := range map[string][]string{"--attr TB is given twice": {"TB=true", "TB=false"}, "want KEY=VALUE": {"TB"}, "TC": {"TC=true"}} {
		args := []string{"op", "run"}
		for _, a := range attrs {
			args = append(args, "--attr", a)
		}
		if status, _, stderr := lockstep(append(args, "-o", "c.npy", "matmul", "a.npy", "b.npy")...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %q; want %q", attrs, status, stderr, want)
		}
	}
}

func TestLists(t *testing.T) {
	if s := must(t, "study", "list"); !strings.Contains(s, "intrinsic-digits") || !strings.Contains(s, "90 cells") {
		t.Errorf("study list prints %s", s)
	}
	ops := must(t, "op", "list")
	for _, o := range op.All {
		if !strings.Contains(ops, "\n"+o.Name()+" ") {
			t.Errorf("op list leaves out %s", o.Name())
		}
		if law := must(t, "op", "law", o.Name()); !strings.Contains(law, "Law(out, in []Tensor)") {
			t.Errorf("op law %s prints %s", o.Name(), law)
		}
	}
	if s := must(t, "op", "law", "exp"); !strings.Contains(s, "func Exp32(") {
		t.Errorf("op law exp leaves out the scalar law: %s", s)
	}
}
