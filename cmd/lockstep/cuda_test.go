//go:build cuda

package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"lockstep/cpu"
	"lockstep/cuda/loader"
	"lockstep/gpu"
	"lockstep/graph"
	"lockstep/optest"
	"lockstep/sweep"
)

// The emulated driver reads it when it starts; a card's driver does not know it.
func init() {
	if os.Getenv("LOCKSTEP_EMU_DEVICES") == "" {
		os.Setenv("LOCKSTEP_EMU_DEVICES", "2")
	}
}

// driver skips a test that needs one.
func driver(t *testing.T) {
	t.Helper()
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
}

// emulator skips a test of what a card's driver cannot be told to do.
func emulator(t *testing.T) {
	t.Helper()
	driver(t)
	if all, _, err := gpu.Devices(); err != nil || len(all) == 0 || all[0].Name != "lockstep emulator" {
		t.Skipf("SKIPPED: it is for the emulated driver, not for %v, %v", all, err)
	}
}

// with runs the command as a process with more in its environment.
func with(t *testing.T, env string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	c := command(args...)
	c.Env = append(c.Env, strings.Fields(env)...)
	c.Stdout, c.Stderr = &out, &err
	var exit *exec.ExitError
	if e := c.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatal(e)
	}
	return c.ProcessState.ExitCode(), out.String(), err.String()
}

// The program starts without a driver: it needs no libcuda, and no symbol of one.
func TestNoDriverNeededByCUDABuild(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	if len(libraries) == 0 || len(symbols) == 0 {
		t.Fatal("the program imports nothing: it has no cgo, and this test nothing to look at")
	}
	for _, l := range libraries {
		if strings.HasPrefix(l, "libcuda") || strings.HasPrefix(l, "libnvidia") {
			t.Errorf("the program needs %s to start", l)
		}
	}
	for _, s := range symbols {
		if regexp.MustCompile(`^cu[A-Z]`).MatchString(s.Name) {
			t.Errorf("the program takes %s from a library: cuda/loader/syms.h lacks it", s.Name)
		}
	}
}

// Without a driver that can be used, --device cuda says why, and --device auto says why and takes the CPU.
func TestUnusableDriversOfCUDA(t *testing.T) {
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", tiny)
	text := write(t, dir, "libcuda.so.1", strings.Repeat("no library ", 50))
	cases := []struct{ env, want string }{
		{"LOCKSTEP_CUDA_DRIVER=" + filepath.Join(dir, "none.so"), "none.so: cannot open shared object file"},
		{"LOCKSTEP_CUDA_DRIVER=" + text, "invalid ELF header"},
		{"LOCKSTEP_CUDA_DRIVER=libm.so.6", "libm.so.6 is no CUDA driver: it has no cuInit"},
	}
	if path, reason := loader.Driver(); reason == "" && strings.Contains(filepath.Base(path), "emu") {
		cases = append(cases,
			struct{ env, want string }{"LOCKSTEP_EMU_VERSION=12040", "knows CUDA 12.4; the kernels need 13.0 or later: update the driver"},
			struct{ env, want string }{"LOCKSTEP_EMU_DEVICES=0", "does not start: cuInit says CUDA_ERROR_NO_DEVICE (100)"},
			struct{ env, want string }{"LOCKSTEP_CUDA_BLOCKING=maybe", "LOCKSTEP_CUDA_BLOCKING=maybe: want 1"})
	}
	want := must(t, "sweep", "run", card, "--device", "cpu")
	for _, c := range cases {
		status, _, stderr := with(t, c.env, "sweep", "run", card, "--device", "cuda")
		if status != 1 || !strings.Contains(stderr, "lockstep: --device cuda: ") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s, --device cuda: status %d, %s; want %q", c.env, status, stderr, c.want)
		}
		status, out, stderr := with(t, c.env, "sweep", "run", card)
		if status != 0 || out != want || !strings.Contains(stderr, "note: no CUDA device can be used (") || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "): running on the CPU") {
			t.Errorf("%s, --device auto: status %d, %s%s; want a note with %q, and the results of the CPU", c.env, status, out, stderr, c.want)
		}
	}
}

// Sweeps give one digest on the CPU engine and on the CUDA engine, with mixed d in one pack.
func TestDigestOnCUDA(t *testing.T) {
	driver(t)
	for card, settings := range map[string]string{
		"intrinsic-toy":    "steps=12",
		"intrinsic-digits": "steps=3 seeds=[0,1] axes.width=[32] arms.subspace.axes.d=[10,50,300]",
	} {
		args := []string{"sweep", "run", filepath.Join("..", "..", "studies", card+".toml")}
		for s := range strings.FieldsSeq(settings) {
			args = append(args, "--set", s)
		}
		digest := func(more ...string) string {
			out := must(t, append(append([]string{}, args...), more...)...)
			return out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
		}
		want := digest("--device", "cpu")
		for _, more := range [][]string{{"--device", "cuda"}, {"--device", "cuda:0", "--pack", "3"}, {"--device", "auto"}} {
			if got := digest(more...); got != want {
				t.Errorf("%s on %v: %s; on the CPU %s", card, more, got, want)
			}
		}
	}
}

// fewCells are those of the digits study, cut short.
func fewCells(t *testing.T) []sweep.Cell {
	t.Helper()
	card, err := sweep.LoadCard(filepath.Join("..", "..", "studies", "intrinsic-digits.toml"))
	for _, s := range []string{"steps=2", "seeds=[0,1]", "axes.width=[32]", "arms.subspace.axes.d=[10,50,300]"} {
		if err == nil {
			err = card.Set(s)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func digestOf(t *testing.T, cells []sweep.Cell, o sweep.Options) string {
	t.Helper()
	results, err := sweep.Run(t.Context(), cells, o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sweep.Digest(results)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// counted is an engine that counts its packs, and may hide how much memory is left.
type counted struct {
	graph.Engine
	packs atomic.Int64
	blind bool
}

func (e *counted) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	e.packs.Add(1)
	return e.Engine.NewPack(cells, groups)
}

func (e *counted) Available() (int64, error) {
	if e.blind {
		return math.MaxInt64, nil
	}
	return e.Engine.Available()
}

func cardEngine(t *testing.T, index int) *counted {
	t.Helper()
	e, err := gpu.Open(index)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &counted{Engine: e}
}

func cpuEngine(t *testing.T) graph.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Two cards share the packs out, and give the digest of the CPU.
func TestTwoCardsOfCUDA(t *testing.T) {
	driver(t)
	if n, _ := gpu.Count(); n < 2 {
		t.Skipf("SKIPPED: it needs two cards; there are %d", n)
	}
	cells := fewCells(t)
	a, b := cardEngine(t, 0), cardEngine(t, 1)
	got := digestOf(t, cells, sweep.Options{Engine: a, More: []graph.Engine{b}})
	if want := digestOf(t, cells, sweep.Options{Engine: cpuEngine(t)}); got != want {
		t.Errorf("digest %s; on the CPU %s", got, want)
	}
	if a.packs.Load() == 0 || b.packs.Load() == 0 {
		t.Errorf("the cards got %d and %d packs", a.packs.Load(), b.packs.Load())
	}
	dir := t.TempDir()
	card := write(t, dir, "tiny.toml", tiny)
	for device, want := range map[string][]string{"cuda": {"on cuda:0 ", "on cuda:1 "}, "auto": {"on cuda:0 ", "on cuda:1 "}, "cuda:1": {"on cuda:1 "}} {
		out := filepath.Join(dir, device)
		status, _, stderr := lockstep("sweep", "run", card, "--device", device, "--out", out)
		if notes := strings.Count(stderr, "note: running on "); status != 0 || notes != len(want) {
			t.Errorf("--device %s: status %d, %s", device, status, stderr)
		}
		for _, w := range want {
			if !strings.Contains(stderr, w) {
				t.Errorf("--device %s: %s; want %q", device, stderr, w)
			}
		}
		if engine := map[int]string{1: ", cuda engine, ", 2: ", 2 x cuda engine, "}[len(want)]; !strings.Contains(must(t, "sweep", "status", out), engine) {
			t.Errorf("--device %s: the status does not say %q", device, engine)
		}
	}
	if _, _, stderr := lockstep("verify", "--device", "cuda", "relu"); strings.Count(stderr, "running on cuda:") != 1 || !strings.Contains(stderr, "one of ") {
		t.Errorf("verify --device cuda: %s", stderr)
	}
	if status, _, stderr := lockstep("sweep", "run", card, "--device", "cuda:99"); status != 1 || !strings.Contains(stderr, "no CUDA device 99: there are ") {
		t.Errorf("cuda:99: status %d, %s", status, stderr)
	}
}

// troubles is a Progress that keeps the troubles.
type troubles struct{ all []error }

func (*troubles) Skip(int, int, float64)  {}
func (*troubles) Advance(int)             {}
func (*troubles) Done(sweep.Result) error { return nil }
func (*troubles) Saved(int)               {}
func (p *troubles) Trouble(err error)     { p.all = append(p.all, err) }

// Packs are cut to the memory that a card has free; a cell that does not fit alone is a clear error. The test runs itself with an
// emulated driver of so little memory.
func TestMemoryOfCUDA(t *testing.T) {
	emulator(t)
	const variable = "LOCKSTEP_EMU_MEMORY"
	if os.Getenv(variable) == "" {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), variable+"=3500000")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	cells := fewCells(t)
	want := digestOf(t, cells, sweep.Options{Engine: cpuEngine(t)})
	e := cardEngine(t, 0)
	e.blind = true // as if others took the memory once packs are planned
	told := &troubles{}
	if got := digestOf(t, cells, sweep.Options{Engine: e, Progress: told}); got != want || len(told.all) == 0 || !strings.Contains(told.all[0].Error(), "CUDA_ERROR_OUT_OF_MEMORY") {
		t.Errorf("packs that are not cut before: digest %s, %v; want %s, and packs for which memory does not suffice", got, told.all, want)
	}
	e.blind = false
	told = &troubles{}
	if got := digestOf(t, cells, sweep.Options{Engine: e, Progress: told}); got != want || len(told.all) > 0 {
		t.Errorf("packs that are cut before: digest %s, %v; want %s, and no trouble", got, told.all, want)
	}
	t.Logf("%d packs", e.packs.Load())
	card := write(t, t.TempDir(), "tiny.toml", tiny)
	status, _, stderr := with(t, variable+"=300000", "sweep", "run", card, "--device", "cuda:0")
	if status != 1 || !strings.Contains(stderr, "alone needs ") || !strings.Contains(stderr, " MB on the cuda engine; there are 0.3 MB") {
		t.Errorf("in 300 kB: status %d, %s", status, stderr)
	}
}

// Threads are the CPU engine's: a flag that would do nothing is refused.
func TestThreadsOnCUDA(t *testing.T) {
	driver(t)
	for _, verb := range []string{"verify", "bench"} {
		for _, device := range []string{"cuda", "cuda:0", "auto"} {
			if status, _, stderr := lockstep(verb, "relu", "--device", device, "--threads", "2"); status != 1 || !strings.Contains(stderr, "--threads is about the CPU engine") {
				t.Errorf("%s --device %s --threads 2: status %d, %s", verb, device, status, stderr)
			}
		}
	}
}

// bench finds what it needs on a card: its name, its peaks, kernels with the bits of the CPU engine.
func TestBenchOnCUDA(t *testing.T) {
	driver(t)
	text := must(t, "bench", "--device", "cuda", "--quick", "--time", "5ms", "relu", "batch")
	for _, want := range []string{`(?m)^device: cuda:0 .* multiprocessors$`, `(?m)^checked-against: cpu$`, `(?m)^BenchmarkPeak/fma/cuda\s+1\s+[\d.]+ GMAC/s$`,
		`(?m)^BenchmarkPeak/copy/cuda\s+1\s+[\d.]+ GB/s$`, `(?m)^BenchmarkRelu/128x128/cells=1/cuda\s.*\s1 checked$`, `(?m)^BenchmarkBatch/.*\s1 checked$`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("bench prints no %s:\n%s", want, text)
		}
	}
}
