package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/probe"
	"lockstep/subspace"
)

// logistic is softmax regression on digits, whose matrices have a closed form.
const logistic = `
name = "logistic"
seeds = [1, 2]
steps = 25
batch = 32
data = {name = "digits"}
model = {layers = [{type = "linear", out = 10}]}
rule = {type = "sgd", lr = 0.1}
map = {type = "ternary", d = 20}
`

// small is a network of two layers on digits.
const smallNetwork = `
name = "network"
seeds = [1, 2]
steps = 40
batch = 32
data = {name = "digits"}
model = {layers = [{type = "linear", out = 8}, {type = "tanh"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
`

func random(seed uint64, scale float64, dims ...int) op.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	t := op.New(op.T(op.F32, op.Shared, dims...))
	for i := range t.W {
		t.SetF(i, float32(scale*r.NormFloat64()))
	}
	return t
}

func readNPY(t *testing.T, path string) op.Tensor {
	t.Helper()
	x, err := data.ReadNPY(path)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// closedProduct is 1/N sum (diag(p) - p p^T) kron x x^T times v, x with a 1 for the bias, in float64 (Boehning 1992, Multinomial Logistic
// Regression Algorithm, equation 2).
func closedProduct(theta, v []float32, x op.Tensor) []float64 {
	const in, out = 64, 10
	rows := x.At(0)
	y := make([]float64, len(v))
	for r := range rows {
		row := append(slices.Clone(x.F()[r*in:(r+1)*in]), 1)
		var p, u [out]float64
		total, mean := 0., 0.
		for c := range out {
			for i, a := range row {
				p[c] += float64(a) * float64(theta[i*out+c])
				u[c] += float64(a) * float64(v[i*out+c])
			}
			p[c] = math.Exp(p[c])
			total += p[c]
		}
		for c := range out {
			p[c] /= total
			mean += p[c] * u[c]
		}
		for c := range out {
			for i, a := range row {
				y[i*out+c] += p[c] * (u[c] - mean) * float64(a) / float64(rows)
			}
		}
	}
	return y
}

// apart is |got - want| / |want|.
func apart(got []float32, want []float64) float64 {
	d, n := 0., 0.
	for i, w := range want {
		d += (float64(got[i]) - w) * (float64(got[i]) - w)
		n += w * w
	}
	return math.Sqrt(d / n)
}

// Products of several vectors of several models, on rows of one's own, are those of the closed form, and each is what it is alone.
func TestCurvatureProduct(t *testing.T) {
	const D, models, vectors = 650, 2, 3
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	card := write(t, dir, "card.toml", logistic)
	p, v, x := random(1, 0.1, models, D), random(2, 1, models, vectors, D), random(3, 1, 7, 64)
	y := op.Words32(op.I32, op.S(7), 0, 3, 9, 3, 1, 2, 2)
	writeNPY(t, in("p.npy"), p)
	writeNPY(t, in("v.npy"), v)
	rows := []string{"--inputs", writeNPY(t, in("x.npy"), x), "--labels", writeNPY(t, in("y.npy"), y)}
	product := func(out string, more ...string) string {
		return must(t, slices.Concat([]string{"curvature", "product", "--card", card, "-o", in(out)}, rows, more)...)
	}
	for _, kind := range []string{"hessian", "ggn"} { // of a model that is linear in its parameters they are one
		text := product("all.npy", "--kind", kind, "--params", in("p.npy"), "--vector", in("v.npy"), "--batch", "3")
		all := readNPY(t, in("all.npy"))
		if all.Type != v.Type {
			t.Fatalf("%s: the products are %v; want %v", kind, all.Type, v.Type)
		}
		if h := sha256.Sum256(op.Bytes(all.W)); !strings.Contains(text, hex.EncodeToString(h[:])) || !strings.Contains(text, "the mean over 7 rows") || !strings.Contains(text, "batches of 3") {
			t.Errorf("%s: it prints\n%s", kind, text)
		}
		for m := range models {
			theta := p.F()[m*D : (m+1)*D]
			writeNPY(t, in("p1.npy"), op.Float32s(op.S(D), theta...))
			for k := range vectors {
				at := (m*vectors + k) * D
				got, one := all.F()[at:at+D], v.F()[at:at+D]
				if d := apart(got, closedProduct(theta, one, x)); !(d < 1e-5) {
					t.Errorf("%s: vector %d of model %d is off by %.2g of the closed form; want 1e-5", kind, k, m, d)
				}
				writeNPY(t, in("v1.npy"), op.Float32s(op.S(D), one...))
				product("one.npy", "--kind", kind, "--params", in("p1.npy"), "--vector", in("v1.npy"), "--batch", "3", "--threads", "1", "--variant", cpu.Law)
				if alone := readNPY(t, in("one.npy")); !slices.Equal(alone.W, all.W[at:at+D]) {
					t.Errorf("%s: vector %d of model %d alone, on the law, has other bits", kind, k, m)
				}
			}
		}
	}
	// A block is that part of the matrix; the biases are the last ten.
	b := random(5, 1, 10)
	whole := make([]float32, D)
	copy(whole[640:], b.F())
	product("block.npy", "--params", in("p1.npy"), "--vector", writeNPY(t, in("b.npy"), b), "--block", "0.b")
	if d := apart(readNPY(t, in("block.npy")).F(), closedProduct(p.F()[D:], whole, x)[640:]); !(d < 1e-5) {
		t.Errorf("the block of biases is off by %.2g", d)
	}
}

// Without parameters and rows of its own a product is at theta0, over the training rows; a subspace is the cell's.
func TestCurvatureProductOfTheCell(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	card := write(t, dir, "card.toml", logistic)
	v := writeNPY(t, in("v.npy"), random(2, 1, 2, 1, 650))
	args := func(more ...string) []string {
		return append([]string{"curvature", "product", "--card", card, "--cell", "all", "--vector", v, "-o", in("out.npy"), "--json"}, more...)
	}
	var r struct {
		Rows, Batch, Models, Vectors int
		SHA256                       string
	}
	if err := json.Unmarshal([]byte(must(t, args()...)), &r); err != nil || r.Rows != 1438 || r.Batch != probe.DefaultBatch || r.Models != 2 || r.Vectors != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	must(t, "curvature", "trace", card, "--cell", "all", "--at", "0", "--rounds", "1", "--out", in("e"))
	first := readNPY(t, in("out.npy"))
	must(t, "curvature", "product", "--card", card, "--params", in("e/theta-0.npy"), "--vector", v, "-o", in("again.npy"))
	if again := readNPY(t, in("again.npy")); !slices.Equal(first.W, again.W) {
		t.Error("the products at theta-0.npy are not those at theta0")
	}
	// P^T H P, by its columns, has the eigenvalues that its spectrum tells.
	eye := op.New(op.T(op.F32, op.Shared, 5, 5))
	for i := range 5 {
		eye.SetF(6*i, 1)
	}
	writeNPY(t, in("eye.npy"), eye)
	must(t, "curvature", "product", "--card", card, "--subspace", "5", "--cell", "1", "--vector", in("eye.npy"), "-o", in("m.npy"))
	columns := ternaryColumns(t, 650, 5, 2)
	writeNPY(t, in("p.npy"), columns)
	must(t, "curvature", "product", "--card", card, "--cell", "1", "--vector", in("p.npy"), "-o", in("hp.npy"))
	hp := readNPY(t, in("hp.npy")).F()
	m, trace, sum := readNPY(t, in("m.npy")).F(), 0., 0.
	for i := range 5 {
		trace += float64(m[6*i])
	}
	for i := range 5 {
		for j := range 5 {
			want := 0.
			for r := range 650 {
				want += float64(columns.F()[j*650+r]) * float64(hp[i*650+r])
			}
			if math.Abs(float64(m[5*i+j])-want) > 1e-6*trace {
				t.Errorf("entry %d, %d is %v; want %v", j, i, m[5*i+j], want)
			}
		}
	}
	all := resultsOf(t, must(t, "curvature", "spectrum", card, "--subspace", "5", "--cell", "1", "--at", "0", "--json")).Units[0].Models[0]
	for i, e := range all.Top {
		if sum += e.Value; e != all.Bottom[4-i] {
			t.Errorf("of five eigenvalues %d from above is %v, from below %v", i, e, all.Bottom[4-i])
		}
	}
	if math.Abs(trace-sum) > 1e-5*trace {
		t.Errorf("the trace is %v, the sum of the eigenvalues %v", trace, sum)
	}
}

// ternaryColumns are the columns of a seed's ternary basis, f32[d, D].
func ternaryColumns(t *testing.T, D, d int, seed uint64) op.Tensor {
	t.Helper()
	m, key := subspace.Ternary{}, op.Key(seed, "basis")
	p, err := graph.Trace(func(b *graph.Builder) {
		basis := m.Basis(b, b.Input("key", op.T(op.U32, op.Shared, 2)), D, d)
		b.OutputOver("column", m.Theta(b, b.Fill(0, D), basis, b.Input("z", op.T(op.F32, op.Cell, 1, d)), b.FillU(uint32(d))), op.Cell)
	})
	e, err2 := cpu.New(cpu.Options{Threads: 1})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	defer e.Close()
	pack, err := e.NewPack(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pack.Close()
	pack.Put("key", op.T(op.U32, op.Shared, 2), 0, op.Bytes(key[:]))
	for c := range d {
		z := op.New(op.T(op.F32, op.Cell, 1, d))
		z.SetF(c, 1)
		pack.Put("z", z.Type, c, op.Bytes(z.W))
	}
	x, err := pack.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	out := op.New(op.T(op.F32, op.Shared, d, D))
	b := make([]byte, 4*d*D)
	if err := errors.Join(x.Run(t.Context(), 1), pack.ReadAll("column", b)); err != nil {
		t.Fatal(err)
	}
	op.PutWords(out.W, b)
	return out
}

func resultsOf(t *testing.T, text string) (r probe.Results) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// What is wrong is told, with exit status 1, and nothing is written.
func TestCurvatureRefuses(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	card := write(t, dir, "card.toml", logistic)
	shapes := write(t, dir, "shapes.toml", strings.Replace(strings.Replace(logistic, "{type = \"linear\", out = 10}", "{type = \"linear\", out = \"$w\"}, {type = \"linear\", out = 10}", 1), "map =", "axes = {w = [2, 3]}\nmap =", 1))
	whole := write(t, dir, "whole.toml", strings.Replace(logistic, `{type = "ternary", d = 20}`, `{type = "identity"}`, 1))
	v := writeNPY(t, in("v.npy"), random(1, 1, 650))
	nan := random(1, 1, 650)
	nan.SetF(17, float32(math.NaN()))
	file := func(name string, x op.Tensor) string { return writeNPY(t, in(name), x) }
	out, folder := in("out.npy"), in("folder")
	product := "curvature product --card " + card + " -o " + out + " --vector "
	rows := product + v + " --inputs "
	ok7, x7 := file("y7.npy", op.Words32(op.U32, op.S(7), 0, 1, 2, 3, 4, 5, 6)), file("x7.npy", random(1, 1, 7, 64))
	for _, c := range []struct{ args, want string }{
		{product + file("short.npy", random(1, 1, 649)), "f32[649]; want f32[650]"},
		{product + file("four.npy", random(1, 1, 1, 1, 1, 650)), "f32[1, 1, 1, 650]"},
		{product + file("ints.npy", op.New(op.T(op.I32, op.Shared, 650))), "i32[650]; want f32[650]"},
		{product + file("nan.npy", nan), "number 17 is NaN"},
		{product + in("none.npy"), "none.npy"},
		{product + v + " --kind hesian", `nearest is "hessian"`},
		{product + v + " --block 0.q", `nearest is "0.w"`},
		{product + v + " --block 0.b", "f32[650]; want f32[10]"},
		{product + v + " --cell 2", "has 2 cells; want numbers of 0 to 1"},
		{product + v + " --cell 0,0", "twice"},
		{product + v + " --cell all", "want f32[2, K, 650], for there are 2 models"},
		{product + v + " --params " + file("p.npy", random(1, 1, 651)), "f32[651]; the model of cell"},
		{product + v + " --params " + in("nan.npy"), "number 17 is NaN"},
		{product + v + " --params " + v + " --cell all", "--params with 2 cells"},
		{product + v + " --subspace 5", "want f32[5]"},
		{product + v + " --subspace 5 --block 0", "one of them"},
		{product + v + " --subspace 651", "want 1 to 650"},
		{product + v + " --subspace -1", "--subspace -1"},
		{product + v + " --rows 1439", "1439"},
		{product + v + " --rows 0", "--rows 0"},
		{product + v + " --batch 1439", "1439"},
		{product + v + " --device cudda", "cudda"},
		{product + v + " --set stepps=3", `"steps"`},
		{product + v + " more", "takes flags alone"},
		{product + file("big.npy", random(1, 1e38, 650)), "must be finite"},
		{"curvature product --card " + whole + " -o " + out + " --subspace 5 --vector " + v, "which is the whole space"},
		{"curvature product --card " + card + " -o " + in("none/out.npy") + " --vector " + v, "none"},
		{"curvature product --card " + card + " -o " + v + " --vector " + v, "what --vector reads"},
		{"curvature product --card " + in("none.toml") + " -o " + out + " --vector " + v, "none.toml"},
		{"curvature product --card " + shapes + " --cell 0,2 -o " + out + " --vector " + v, "different models"},
		{rows + x7, "belong together"},
		{rows + x7 + " --labels " + file("y8.npy", op.New(op.T(op.U32, op.Shared, 8))), "has 7 rows"},
		{rows + x7 + " --labels " + file("y10.npy", op.Words32(op.U32, op.S(7), 0, 1, 2, 3, 4, 5, 10)), "label 10 of row 6"},
		{rows + x7 + " --labels " + file("ym.npy", op.Words32(op.I32, op.S(7), 0, 1, 2, 3, 4, 5, math.MaxUint32)), "label -1 of row 6"},
		{rows + x7 + " --labels " + file("yf.npy", random(1, 1, 7)), "wants labels"},
		{rows + file("x63.npy", random(1, 1, 7, 63)) + " --labels " + ok7, "wants inputs f32[rows, 64]"},
		{"curvature spectrum " + card + " --at 26", "no step of these trainings"},
		{"curvature spectrum " + card + " --at begin", `"begin" is no step`},
		{"curvature spectrum " + card + " --top 0 --bottom 0", "at least one eigenvalue"},
		{"curvature spectrum " + card + " --steps 0", "--steps 0"},
		{"curvature spectrum " + card + " --params " + v + " --at 0", "--at with --params"},
		{"curvature spectrum " + card + " --resume", "--out DIR"},
		{"curvature spectrum " + card + " --out " + folder + " --resume", "holds no estimation to go on with"},
		{"curvature spectrum " + card + " --block eech", `unknown block "eech"`},
		{"curvature spectrum " + card + " --block each --subspace 3", "one of them"},
		{"curvature spectrum " + shapes + " --cell all", "different models"},
		{"curvature spectrum " + card + " --cell all --subspace 3", "different bases"},
		{"curvature spectrum " + in(""), "no ledger"},
		{"curvature spectrum", "takes one card"},
		{"curvature density " + card + " --sigma 0", "sigma 0"},
		{"curvature density " + card + " -c 0", "-c 0"},
		{"curvature density " + card + " --vectors 0", "--vectors 0"},
		{"curvature trace " + card + " --method hutch+", `nearest is "hutch++"`},
		{"curvature trace " + card + " --method hutch++ --rounds 2", "2 rounds"},
		{"curvature trace " + card + " --diagonal", "belong together"},
		{"curvature trace " + card + " --diagonal -o " + out + " --errors " + out, "want two files"},
		{"curvature trace " + card + " --diagonal -o " + out + " --errors " + filepath.Join(filepath.Dir(out), ".", "..", filepath.Base(filepath.Dir(out))) + "/./" + filepath.Base(out), "want two files"},
		{"curvature trace " + card + " --diagonal -o " + card, "is the card"},
		{"curvature trace " + card + " --diagonal --method hutch++ -o " + out, "by hutchinson alone"},
		{"curvature trace " + card + " --diagonal --block each -o " + out, "leave the blocks out"},
		{"curvature spectrun", `nearest is "spectrum"`},
	} {
		status, _, stderr := lockstep(strings.Fields(c.args)...)
		if status != 1 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "\n\n") {
			t.Errorf("lockstep %s: status %d, %s; want %q", c.args, status, stderr, c.want)
		}
	}
	for _, path := range []string{out, folder} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was written", path)
		}
	}
}

// A spectrum along a training: JSON, table and page; the same digest from whatever runs it, and a model's numbers from whatever pack.
func TestCurvatureSpectrum(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	card := write(t, dir, "card.toml", smallNetwork)
	args := []string{"curvature", "spectrum", card, "--at", "0,20,end", "--steps", "12", "--top", "3", "--bottom", "2", "--json", "--cell"}
	r := resultsOf(t, must(t, append(args, "all", "--out", in("out"))...))
	if len(r.Units) != 3 || r.Units[1].At != "20" || r.Units[2].At != "40" || r.Units[0].T != 12 || len(r.Units[0].Models) != 2 || len(r.Models) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, u := range r.Units {
		for _, m := range u.Models {
			if len(m.Top) != 3 || len(m.Bottom) != 2 || !(m.Top[0].Value > m.Top[1].Value) || !(m.Bottom[0].Value < m.Bottom[1].Value) || !(m.Top[0].Error >= 0) || !(m.Top[0].Error < 0.1*m.Top[0].Value) {
				t.Errorf("at %s: %+v", u.At, m)
			}
		}
	}
	page, err := os.ReadFile(in("out/" + probe.PageFile))
	if err != nil || strings.Count(string(page), `role="img"`) != 2 || !strings.Contains(string(page), r.Digest) || strings.Contains(string(page), "src=") {
		t.Errorf("the page has %d pictures, %v", strings.Count(string(page), `role="img"`), err)
	}
	f, err := os.Open(in("out/" + probe.TableFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := csv.NewReader(f).ReadAll()
	if err != nil || len(table) != 1+3*2*5 || table[1][8] != fmt.Sprint(r.Units[0].Models[0].Top[0].Value) {
		t.Errorf("%d rows, %v: %q", len(table), err, table[1])
	}
	b, err := os.ReadFile(in("out/" + probe.ResultsFile))
	if err != nil || resultsOf(t, string(b)).Digest != r.Digest {
		t.Errorf("%s: %v", probe.ResultsFile, err)
	}
	for _, how := range [][]string{{"--threads", "1"}, {"--variant", cpu.Law, "--threads", "1"}, {"--no-fuse"}} {
		if again := resultsOf(t, must(t, slices.Concat(args, []string{"all"}, how)...)); again.Digest != r.Digest {
			t.Errorf("with %v the digest is %s; want %s", how, again.Digest, r.Digest)
		}
	}
	declared := func(r probe.Results, m int) string {
		var all []any
		for _, u := range r.Units {
			all = append(all, u.Models[m].Declared)
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for m := range 2 {
		if alone := resultsOf(t, must(t, append(args, fmt.Sprint(m))...)); declared(alone, 0) != declared(r, m) {
			t.Errorf("cell %d alone gives other numbers than in a pack", m)
		}
	}
	// Another look is not another estimation; another estimation is refused; so is the same without --resume.
	same := append(args, "all", "--out", in("out"))
	if again := resultsOf(t, must(t, append(same, "--resume", "--top", "5")...)); again.Digest != r.Digest || len(again.Units[0].Models[0].Top) != 5 {
		t.Errorf("taken up again: digest %s, %d eigenvalues", again.Digest, len(again.Units[0].Models[0].Top))
	}
	for _, c := range []struct{ more, want string }{
		{"", "--resume goes on with it"},
		{"--resume --kind ggn --seed 3", `kind "hessian" -> "ggn"; seed 0 -> 3`},
		{"--seed 3", "seed 0 -> 3"},
		{"--resume --set rule.lr=0.02", "cells "},
	} {
		if status, _, stderr := lockstep(append(same, strings.Fields(c.more)...)...); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %s; want %q", c.more, status, stderr, c.want)
		}
	}
}

// Of a finished sweep the card is the ledger's, and the trainings are held against it.
func TestCurvatureOfASweep(t *testing.T) {
	dir := t.TempDir()
	card, out := write(t, dir, "card.toml", smallNetwork), filepath.Join(dir, "out")
	must(t, "sweep", "run", card, "--out", out, "--set", "steps=30")
	want := resultsOf(t, must(t, "curvature", "trace", card, "--set", "steps=30", "--cell", "1", "--json"))
	got := resultsOf(t, must(t, "curvature", "trace", out, "--cell", "1", "--json"))
	if got.Digest != want.Digest || !strings.Contains(got.Compared, "final training losses") || want.Compared != "" {
		t.Errorf("digests %s and %s; compared %q and %q", got.Digest, want.Digest, got.Compared, want.Compared)
	}
	if r := resultsOf(t, must(t, "curvature", "trace", out, "--at", "7", "--json")); !strings.Contains(r.Compared, "first 7 steps") {
		t.Errorf("compared %q", r.Compared)
	}
	for _, c := range []struct{ more, want string }{{"--set steps=31", "whose card is what it was"}, {"--out " + out, "holds a sweep"}} {
		if status, _, stderr := lockstep(append([]string{"curvature", "trace", out}, strings.Fields(c.more)...)...); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %s", c.more, status, stderr)
		}
	}
}
