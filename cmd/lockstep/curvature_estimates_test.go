package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/op"
	"lockstep/probe"
)

// A cell whose training diverged says why it has no result, and takes none from the others: with --resume, too.
func TestCurvatureOfADivergedCell(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "card.toml", strings.NewReplacer("tanh", "relu", `rule = {type = "adam", lr = 0.01}`, `rule = {type = "sgd", lr = "$lr"}
axes = {lr = [0.01, 1e30]}`).Replace(smallNetwork))
	for _, method := range [][]string{{"spectrum", "--steps", "12"}, {"density", "--steps", "8", "--vectors", "2"}, {"trace", "--rounds", "2"}, {"trace", "--method", "hutch++", "--rounds", "6"}} {
		out := filepath.Join(dir, strings.Join(method, ""))
		args := slices.Concat([]string{"curvature", method[0], card, "--at", "0,end"}, method[1:])
		whole := must(t, slices.Concat(args, []string{"--cell", "all", "--out", out})...)
		if !strings.Contains(whole, "2 of 8 matrices have no result") || !strings.Contains(whole, "lr = 1e30") || !strings.Contains(whole, "not finite") {
			t.Errorf("%s:\n%s", method, whole)
		}
		again := must(t, slices.Concat(args, []string{"--cell", "all", "--out", out, "--resume"})...)
		if again != whole {
			t.Errorf("%s, resumed:\n%s\nwant\n%s", method, again, whole)
		}
		rows, err := os.ReadFile(filepath.Join(out, probe.TableFile))
		if err != nil || strings.Count(string(rows), "not finite") != 2 {
			t.Errorf("%s: the table has no row for each problem (%v):\n%s", method, err, rows)
		}
		page, err := os.ReadFile(filepath.Join(out, probe.PageFile))
		if err != nil || !strings.Contains(string(page), "Without a result") {
			t.Errorf("%s: the page has no word of it (%v)", method, err)
		}
		got, want := resultsOf(t, must(t, slices.Concat(args, []string{"--cell", "all", "--out", out, "--resume", "--json"})...)), resultsOf(t, must(t, slices.Concat(args, []string{"--cell", "0", "--json"})...))
		for i := range want.Units {
			a, b := got.Units[i].Models[0], want.Units[i].Models[0]
			if x, y := fmt.Sprint(a.Top, a.Trace), fmt.Sprint(b.Top, b.Trace); a.Problem != "" || method[0] == "spectrum" && x != y || fmt.Sprint(a.Declared) != fmt.Sprint(b.Declared) {
				t.Errorf("%s: cell 0 beside the others %s, alone %s", method, x, y)
			}
		}
	}
}

// Where no matrix at all has a result, the folder has its files all the same, and says why of each; the run is an error, and so is a look at it again.
func TestCurvatureWithoutAnyResult(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "card.toml", strings.NewReplacer("tanh", "relu", `rule = {type = "adam", lr = 0.01}`, `rule = {type = "sgd", lr = "$lr"}
axes = {lr = [0.01, 1e30]}`).Replace(smallNetwork))
	for _, method := range [][]string{{"spectrum", "--steps", "12"}, {"density", "--steps", "8", "--vectors", "2", "-c", "1"}, {"trace", "--rounds", "2"}, {"trace", "--method", "hutch++", "--rounds", "6"}} {
		out := filepath.Join(dir, strings.Join(method, ""))
		args := slices.Concat([]string{"curvature", method[0], card, "--at", "end", "--block", "each", "--cell", "2,3"}, method[1:])
		for _, more := range [][]string{nil, {"--out", out}, {"--out", out, "--resume"}, {"--out", out, "--resume", "--json"}} {
			status, stdout, stderr := lockstep(slices.Concat(args, more)...)
			if status != 1 || !strings.Contains(stderr, "no matrix gave a result: ") || !strings.Contains(stderr, "lr = 1e30") || strings.Contains(stderr, filepath.Join(out, probe.ResultsFile)) != (more != nil) {
				t.Fatalf("%s %s: status %d, %s", method, more, status, stderr)
			}
			if len(more) < 3 && !strings.Contains(stdout, "matrices have no result:") {
				t.Errorf("%s %s prints\n%s", method, more, stdout)
			}
			if len(more) > 3 {
				if r := resultsOf(t, stdout); len(r.Digest) != 64 {
					t.Errorf("%s: the digest is %q", method, r.Digest)
				}
			}
		}
		text, err := os.ReadFile(filepath.Join(out, probe.ResultsFile))
		if err != nil {
			t.Fatal(err)
		}
		r := resultsOf(t, string(text))
		problems, fine := r.Problems()
		if len(problems) != 2*len(r.Units) || len(problems) < 4 || fine != 0 {
			t.Errorf("%s: %d problems and %d results of %d units", method, len(problems), fine, len(r.Units))
		}
		rows, err := os.ReadFile(filepath.Join(out, probe.TableFile))
		if n := strings.Count(string(rows), "not finite"); err != nil || n != len(problems) {
			t.Errorf("%s: %d rows of problems; want %d, %v", method, n, len(problems), err)
		}
		page, err := os.ReadFile(filepath.Join(out, probe.PageFile))
		if n := strings.Count(string(page), "not finite"); err != nil || !strings.Contains(string(page), "Without a result") || n != len(problems) {
			t.Errorf("%s: the page has %d problems; want %d, %v", method, n, len(problems), err)
		}
	}
	diagonal := filepath.Join(dir, "d.npy")
	if status, _, _ := lockstep("curvature", "trace", card, "--cell", "2", "--diagonal", "-o", diagonal); status != 1 {
		t.Errorf("a diagonal of none: status %d", status)
	}
	if _, err := os.Stat(diagonal); err == nil {
		t.Error("there is a diagonal of no matrix")
	}
}

// Densities, traces by both methods, of each block, and diagonals.
func TestCurvatureEstimates(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "card.toml", logistic)
	diagonal := filepath.Join(dir, "d.npy")
	run := func(args ...string) probe.Results {
		return resultsOf(t, must(t, append([]string{"curvature", args[0], card, "--json", "--kind", "ggn"}, args[1:]...)...))
	}
	trace := run("trace", "--at", "0,end", "--diagonal", "-o", diagonal, "--errors", filepath.Join(dir, "e.npy"), "--rounds", "20")
	lost := filepath.Join(dir, "taken") // by a folder
	if err := os.MkdirAll(filepath.Join(lost, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, out, stderr := lockstep("curvature", "trace", card, "--json", "--kind", "ggn", "--at", "0,end", "--diagonal", "-o", lost, "--rounds", "20"); status != 1 || !strings.Contains(stderr, lost) || !strings.Contains(out, trace.Digest) {
		t.Errorf("a diagonal that cannot be written: status %d, %s\n%s; want what was estimated", status, stderr, out)
	}
	d, errs, more := readNPY(t, diagonal), readNPY(t, filepath.Join(dir, "e.npy")), 0
	exact := run("trace", "--at", "0", "--diagonal", "-o", filepath.Join(dir, "many.npy"), "--rounds", "400")
	for i, x := range readNPY(t, filepath.Join(dir, "many.npy")).F() {
		if e := errs.F()[i]; !(e >= 0) || float64(x)-float64(d.F()[i]) > 3*float64(e)+1e-7 || float64(d.F()[i])-float64(x) > 3*float64(e)+1e-7 {
			more++
		}
	}
	if errs.Type != d.Type || more > 20 || exact.Units[0].Models[0].Trace.Samples != 3200 { // of 650, where one in 370 would be expected
		t.Errorf("%v errors beside %v; %d of 650 numbers are farther than three of theirs", errs.Type, d.Type, more)
	}
	for i, u := range trace.Units {
		sum := 0.
		for _, x := range d.F()[i*650 : (i+1)*650] {
			sum += float64(x)
		}
		if m := u.Models[0].Trace; math.Abs(sum-m.Mean) > 1e-4*m.Mean || m.Samples != 160 || !(*m.Lo < m.Mean && m.Mean < *m.Hi) || len(d.Dims()) != 2 {
			t.Errorf("at %s: the diagonal %v sums to %v; the trace is %+v", u.At, d.Type, sum, m)
		}
	}
	least, most := run("trace", "--at", "0").Units[0].Models[0].Trace, run("trace", "--at", "0", "--method", "hutch++").Units[0].Models[0].Trace
	if least.Samples != 64 || most.Samples != 22 || !(*most.Error < *least.Error/2) { // 64 products each
		t.Errorf("without further flags hutchinson %v +- %v of %d samples, hutch++ %v +- %v of %d", least.Mean, *least.Error, least.Samples, most.Mean, *most.Error, most.Samples)
	}
	plus := run("trace", "--at", "0", "--method", "hutch++", "--vectors", "8", "--rounds", "30")
	a, b := trace.Units[0].Models[0].Trace, plus.Units[0].Models[0].Trace
	if off := math.Abs(a.Mean - b.Mean); off > 4*math.Hypot(*a.Error, *b.Error) || !(*b.Error < *a.Error) {
		t.Errorf("hutchinson %v +- %v, hutch++ %v +- %v", a.Mean, *a.Error, b.Mean, *b.Error)
	}
	blocks := run("trace", "--at", "0", "--block", "each", "--rounds", "20")
	parts := map[string]float64{}
	for _, u := range blocks.Units {
		parts[u.Block] = u.Models[0].Trace.Mean
	}
	if len(parts) != 3 || math.Abs(parts["0.w"]+parts["0.b"]-a.Mean) > 5**a.Error {
		t.Errorf("traces of blocks %v; of the whole %v +- %v", parts, a.Mean, *a.Error)
	}
	table := filepath.Join(dir, "density")
	density := run("density", "--at", "0", "--steps", "30", "-c", "0.1", "--out", table).Units[0].Models[0]
	if b, err := os.ReadFile(filepath.Join(table, probe.TableFile)); err != nil || !strings.Contains(string(b), "effective_dimension") || !strings.Contains(string(b), fmt.Sprint(density.Effective.Mean)) {
		t.Errorf("the table has no effective dimension (%v)", err)
	}
	step, whole := density.Density.At[1]-density.Density.At[0], 0.
	for _, phi := range density.Density.Phi {
		whole += phi * step
	}
	if math.Abs(whole-1) > 1e-3 || !(density.Effective.Mean > 1 && density.Effective.Mean < 650) {
		t.Errorf("the density integrates to %v; the effective dimension is %+v", whole, density.Effective)
	}
}

// TestCurvatureEigenvectors: the eigenvectors that a spectrum writes are those of its values: another command's products with them say so. Their folder gives
// them again, and none of others.
func TestCurvatureEigenvectors(t *testing.T) {
	const D = 650
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	card := write(t, dir, "card.toml", logistic)
	spectrum := func(more ...string) []string {
		return slices.Concat([]string{"curvature", "spectrum", card, "--cell", "all", "--at", "end", "--steps", "40", "--eigenvectors", "--out", in("s")}, more)
	}
	top := []string{"--top", "2", "--bottom", "1", "-o", in("e.npy")}
	text := must(t, spectrum(top...)...)
	if strings.Count(text, "residual") != 4 {
		t.Errorf("it prints\n%s", text)
	}
	r := resultsOf(t, must(t, spectrum(append(top[:5:5], in("again.npy"), "--resume", "--json")...)...))
	e, again := readNPY(t, in("e.npy")), readNPY(t, in("again.npy"))
	if !slices.Equal(e.W, again.W) || e.Shape != op.S(2, 3, D) {
		t.Fatalf("eigenvectors %v, and of the folder %v, or other bits", e.Type, again.Type)
	}
	must(t, "curvature", "product", "--card", card, "--params", in("s/theta-25.npy"), "--vector", in("e.npy"), "-o", in("he.npy"))
	he := readNPY(t, in("he.npy")).F()
	for m, x := range r.Units[0].Models {
		for k, v := range slices.Concat(x.Top, x.Bottom) {
			at := (m*3 + k) * D
			left, length := 0., 0.
			for i, y := range e.F()[at : at+D] {
				d := float64(he[at+i]) - v.Value*float64(y)
				left, length = left+d*d, length+float64(y)*float64(y)
			}
			if v.Residual == nil || math.Abs(math.Sqrt(left)-*v.Residual) > 1e-3**v.Residual || math.Abs(length-1) > 1e-6 || *v.Residual > v.Error+1e-6*x.Top[0].Value {
				t.Errorf("model %d, vector %d: of length %v, off by %v; told %+v", m, k, math.Sqrt(length), math.Sqrt(left), v)
			}
		}
		if x.Top[0].Error > 1e-4 {
			t.Errorf("model %d: the largest eigenvalue is not found, %+v", m, x.Top[0])
		}
	}
	for want, args := range map[string][]string{
		"another estimation":   spectrum("--top", "3", "--bottom", "1", "-o", in("o.npy"), "--resume"),
		"belong together":      spectrum("--top", "3"),
		"of 60 eigenvalues":    {"curvature", "spectrum", card, "--cell", "0", "--steps", "40", "--top", "59", "--bottom", "1", "--eigenvectors", "-o", in("o.npy")},
		"of each block":        {"curvature", "spectrum", card, "--cell", "0", "--steps", "40", "--block", "each", "--eigenvectors", "-o", in("o.npy")},
		"--eigenvectors and -": {"curvature", "spectrum", card, "--cell", "0", "--steps", "40", "-o", in("o.npy")},
	} {
		if status, _, stderr := lockstep(args...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s; want %q", args, status, stderr, want)
		}
	}
	if _, err := os.Stat(in("o.npy")); err == nil {
		t.Error("there is a file of no eigenvectors")
	}
}
