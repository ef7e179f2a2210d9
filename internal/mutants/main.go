// Command mutants plants known faults, one at a time, and runs the tests that must notice. It fails if a fault survives.
// The faults are laid over the source by the go command's -overlay: no file of the tree changes.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// fault is one edit: the first occurrence of from in the file becomes to. packages hold the tests that must fail.
type fault struct{ name, file, from, to, packages string }

// faults: one line per entry.
var faults = []fault{
	{"multiply-add for fma in the law of matmul", "op/matmul.go", "acc = FMA32(a[e*d.ABatch+i*d.AM+k*d.AK], b[e*d.BBatch+k*d.BK+j*d.BN], acc)", "acc += float32(a[e*d.ABatch+i*d.AM+k*d.AK] * b[e*d.BBatch+k*d.BK+j*d.BN])", "./op"},
	{"fma that rounds twice", "op/fma.go", "func FMA32(a, b, c float32) float32 {", "func FMA32(a, b, c float32) float32 {\n\tif a == a {\n\t\treturn float32(float64(a)*float64(b) + float64(c))\n\t}", "./op"},
	{"klen ignored", "op/matmul.go", "return int(min(uint64(k), uint64(in[i].W[0])))", "return k", "./op ./subspace"},
	{"chunks of 1023", "op/matmul.go", "const Chunk = 1024", "const Chunk = 1023", "./op"},
	{"the first chunk added to +0", "op/matmul.go", "if r == 0 {\n\t\t\t\t\t\tc = acc\n\t\t\t\t\t} else {\n\t\t\t\t\t\tc += acc\n\t\t\t\t\t}", "c += acc", "./op"},
	{"reversed fan-in", "graph/derive.go", "for j, g := range n.Op.VJP(b, n, cts) {\n", "gs := n.Op.VJP(b, n, cts)\n\t\tfor j := len(gs) - 1; j >= 0; j-- {\n\t\t\tg := gs[j]\n", "./graph"},
	{"Philox counter off by one", "op/philox.go", "c := [4]uint32{uint32(block),", "c := [4]uint32{uint32(block) + 1,", "./op"},
	{"nine rounds of Philox", "op/philox.go", "for range 10 {", "for range 9 {", "./op"},
	{"Adam's q2 is q1", "model/update.go", "u.b.Do(op.Div, v, u.wide(q2))", "u.b.Do(op.Div, v, u.wide(q1))", "./model"},
	{"AdamW decays after the step", "model/update.go", "z = u.sub(z, u.mul(u.wide(u.mul(lr, u.k[\"wd\"])), z)) // z = z - (lr * wd) * z\n\t\treturn u.adam(z, g, lr)", "y := u.adam(z, g, lr)\n\t\treturn u.sub(y, u.mul(u.wide(u.mul(lr, u.k[\"wd\"])), y))", "./model"},
	{"lanes of 16", "op/sum.go", "const Lanes = 32", "const Lanes = 16", "./op"},
	{"a NaN stored as it comes", "op/type.go", "if x != x {\n\t\treturn NaN\n\t}\n\treturn math", "return math", "./op"},
	{"-0 beats +0", "op/extrema.go", "func Max32(a, b float32) float32 { return max(a, b) }", "func Max32(a, b float32) float32 {\n\tif a == b {\n\t\treturn b\n\t}\n\treturn max(a, b)\n}", "./op"},
	{"a basis column shifted", "op/ternary.go", "out[0].W[w] = s.word(w)", "out[0].W[w] = s.word(w + 4)", "./op"},
	{"the scale of a ternary product forgets the last entry", "op/ternarymm.go", "for _, v := range x {\n\t\tm = max", "for _, v := range x[:max(len(x)-1, 0)] {\n\t\tm = max", "./op"},
	{"scatter in one chunk", "op/gather.go", "min(r+Chunk, b); i++", "b; i++", "./op"},
	{"states replaced one after the other", "cpu/exec.go", "x.staged = append(x.staged, states[root] && ", "x.staged = append(x.staged, false && states[root] && ", "./cpu"},
	{"inactive cells go on", "cpu/exec.go", "return a == 0 || w.tensor(a, cell).W[0] != 0", "return a == 0 || cell >= 0", "./cpu"},
	{"once nodes never refreshed", "cpu/exec.go", "stale = stale || x.seen[a] != a.version", "stale = stale || false", "./cpu"},
	{"multiply-add in the twin of sum", "cpu/sum.go", "a[j] += b[j]", "a[j] += b[j] * 1.0000001", "./cpu"},
	{"the twin of matmul takes klen for k", "cpu/matmul_amd64.go", "p.terms = clampLen(klen[0], d.K)", "p.terms = d.K", "./cpu"},
	{"performance of a cell whose loss is not finite", "sweep/result.go", "if d.Diverged || r.unfit(testRows) {", "if d.Diverged {", "./sweep"},
	{"the test rows trained on", "data/data.go", "return rows[cut:], rows[:cut:cut]", "return rows[:len(rows)-cut], rows[len(rows)-cut:]", "./data"},
	{"a checkpoint forgets the optimiser's state", "sweep/checkpoint.go", "if err := j.pack.Write(s.name, i, b); err != nil {", "if s.name != stepDone && s.name != zState {\n\t\t\tcontinue\n\t\t}\n\t\tif err := j.pack.Write(s.name, i, b); err != nil {", "./sweep"},
	{"a killed checkpoint is believed", "sweep/checkpoint.go", "if sumOf(sum) != f.Meta[\"sha256\"] {", "if f.Meta[\"sha256\"] == \"\" {", "./sweep"},
	{"a cell's row in a checkpoint is its neighbour's", "sweep/checkpoint.go", "int64(r.at*len(b))", "int64((r.at/2)*len(b))", "./sweep"},
	{"a kept loss is another cell's", "sweep/train.go", "j.word(lastLoss, i)", "j.word(lastLoss, 0)", "./sweep"},
	{"verify compares what it was given", "sweep/differ.go", "if x, y := value(from), value(to); x != y {", "if x, y := value(from), value(from); x != y {", "./sweep"},
	{"a changed card is gone on with", "sweep/resume.go", "if !same {\n\t\treturn mismatch", "if !same && was.Law == 99 {\n\t\treturn mismatch", "./sweep"},
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command. Its status is 1 if a fault survived, 2 if faults could not be planted.
func run(args []string, out, errs io.Writer) (status int) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(errs)
	match := flags.String("run", "", "only faults whose name matches `REGEXP`")
	kernels := flags.Bool("cuda", false, "plant faults in CUDA kernels instead: of each kind one in every function; needs make cuda, and its environment")
	all := flags.Bool("all", false, "with -cuda: every fault")
	list := flags.Bool("list", false, "with -cuda: list the faults, and plant none")
	workers := flags.Int("j", 2, "with -cuda: plant `N` at a time")
	fail := func(err error) int {
		fmt.Fprintln(errs, "mutants:", err)
		return 2
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // it was told
		return 2
	}
	if flags.NArg() > 0 {
		return fail(fmt.Errorf("%q is no flag; -run takes a regular expression", flags.Args()))
	}
	only, err := regexp.Compile(*match)
	if err != nil {
		return fail(err)
	}
	if *workers < 1 {
		return fail(fmt.Errorf("-j %d: want at least 1", *workers))
	}
	if !*kernels {
		flags.Visit(func(f *flag.Flag) {
			if f.Name != "run" && f.Name != "cuda" {
				err = errors.Join(err, fmt.Errorf("-%s is about the faults of -cuda, which is missing", f.Name))
			}
		})
		if err != nil {
			return fail(err)
		}
	}
	planted, survived := 0, 0
	if *kernels {
		l, err := newLab("cuda", "bin/mutants")
		if err == nil {
			l.named, l.equivalents, l.listed = named, equivalents, *list
			planted, survived, err = l.plantKernels(*all, *workers, only.MatchString)
		}
		if err != nil {
			return fail(err)
		}
		faults = nil
	}
	for _, f := range faults {
		if !only.MatchString(f.name) {
			continue
		}
		planted++
		start := time.Now()
		killer, err := f.plant()
		switch {
		case err != nil:
			return fail(fmt.Errorf("%s: %w", f.name, err))
		case killer == "":
			survived++
			fmt.Fprintf(out, "SURVIVED  %s (%s)\n", f.name, f.packages)
		default:
			fmt.Fprintf(out, "killed    %s, by %s (%s)\n", f.name, killer, time.Since(start).Round(time.Second))
		}
	}
	if *list {
		return 0
	}
	if !*kernels && planted == 0 {
		return fail(fmt.Errorf("no fault has a name that %q matches", *match))
	}
	fmt.Fprintf(out, "%d faults planted, %d survived\n", planted, survived)
	if survived > 0 {
		return 1
	}
	return 0
}

// plant runs the tests with the fault and names the first test that failed; "" if none did.
func (f fault) plant() (killer string, err error) {
	path, err := filepath.Abs(f.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if !bytes.Contains(source, []byte(f.from)) {
		return "", fmt.Errorf("%s has no %q any more; mend the list", f.file, f.from)
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	mutant, overlay := filepath.Join(dir, filepath.Base(f.file)), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(mutant, bytes.Replace(source, []byte(f.from), []byte(f.to), 1), 0o666); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o666); err != nil {
		return "", err
	}
	args := append([]string{"test", "-overlay", overlay, "-failfast", "-short"}, strings.Fields(f.packages)...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	if m := regexp.MustCompile(`--- FAIL: (\S+)`).FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "", fmt.Errorf("the tests did not run:\n%s", out)
}
