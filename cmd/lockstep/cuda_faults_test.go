//go:build cuda

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// several is a card of 12 cells, six of each d: on two devices at least two packs.
const several = `
name = "several"
seeds = {range = [0, 5]}
steps = 40
batch = 4
data = {name = "digits"}
model = {layers = [{type = "linear", out = 10}]}
rule = {type = "momentum", mu = 0.9, lr = 0.1}
map = {type = "ternary", d = "$d"}
axes = {d = [2, 30]}
`

// callsOf is what LOCKSTEP_EMU_CALLS wrote.
func callsOf(t *testing.T, file string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(text)) {
		name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		if calls[name], err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	return calls
}

// A sweep gets over memory that is exhausted, and over a device that is lost while another one is there. What it cannot get over costs
// nothing that has ended, and with --resume the digest is that of an undisturbed run.
func TestFailuresOnCUDA(t *testing.T) {
	emulator(t)
	dir := t.TempDir()
	card := write(t, dir, "several.toml", several)
	run := func(env, out string, more ...string) (status int, stderr string) {
		args := append([]string{"sweep", "run", card, "--pack", "4", "--out", out}, more...)
		status, _, stderr = with(t, env, args...)
		return status, stderr
	}
	digest := func(out string) string { return strings.TrimSpace(must(t, "sweep", "digest", out)) }
	whole, calls := filepath.Join(dir, "whole"), filepath.Join(dir, "calls")
	if status, stderr := run("LOCKSTEP_EMU_CALLS="+calls, whole, "--device", "cuda:0"); status != 0 {
		t.Fatal(stderr)
	}
	want, count := digest(whole), callsOf(t, calls)
	part := func(what string, n int) string { // one in n of what the card did
		if count[what] < 20*n {
			t.Fatalf("%d of %s in %v", count[what], what, count)
		}
		return fmt.Sprint(count[what] / n)
	}
	kernels, allocations := part("kernels@0", 2), part("cuMemAlloc_v2", 2)
	early, late := part("kernels@0", 8), part("kernels@0", 5) // on one of two cards
	for i, c := range []struct {
		fail, device string
		status       int
		tells        string // a regular expression
	}{
		{"memory@0:" + allocations, "cuda:0", 0, `a pack of 4 cells is cut in two: .*CUDA_ERROR_OUT_OF_MEMORY \(2\)`},
		{"kernel@0:" + kernels, "cuda:0", 1, `CUDA_ERROR_ILLEGAL_ADDRESS \(700\).* of 12 cells have ended and are kept`},
		{"lost@0:" + kernels, "cuda:0", 1, `CUDA_ERROR_DEVICE_UNAVAILABLE \(46\).* of 12 cells have ended and are kept`},
		{"kernel@1:" + early, "cuda", 0, `an engine is lost, and its pack of 4 cells left to the others: .*CUDA_ERROR_ILLEGAL_ADDRESS \(700\)`},
		{"lost@0:" + late, "cuda", 0, `an engine is lost, and its pack of 4 cells left to the others: .*CUDA_ERROR_DEVICE_UNAVAILABLE \(46\)`},
		{"lost@0:" + early + ",lost@1:" + late, "cuda", 1, `CUDA_ERROR_DEVICE_UNAVAILABLE \(46\).* of 12 cells have ended and are kept`},
	} {
		out := filepath.Join(dir, fmt.Sprint(i))
		status, stderr := run("LOCKSTEP_EMU_FAIL="+c.fail, out, "--device", c.device, "--checkpoint", "1ms")
		if status != c.status || !regexp.MustCompile(`(?s)`+c.tells).MatchString(stderr) {
			t.Errorf("%s on %s: status %d, %s\nwant %d, and %s", c.fail, c.device, status, stderr, c.status, c.tells)
		}
		if status != 0 {
			if status, stderr := run("", out, "--device", c.device, "--resume"); status != 0 {
				t.Errorf("%s on %s, resumed: %s", c.fail, c.device, stderr)
			}
		}
		if got := digest(out); got != want {
			t.Errorf("%s on %s: digest %s; want %s", c.fail, c.device, got, want)
		}
	}
}

// Both executors give the digest of the CPU, for cells of the digits study with mixed d. By `resident` the card runs far fewer kernels.
func TestExecutorsOnCUDA(t *testing.T) {
	emulator(t)
	dir := t.TempDir()
	args := []string{"sweep", "run", filepath.Join("..", "..", "studies", "intrinsic-digits.toml")}
	for _, s := range []string{"steps=9", "seeds=[0,1]", "axes.width=[32]", "arms.subspace.axes.d=[10,50,300]"} {
		args = append(args, "--set", s)
	}
	digest := func(out string) string { return out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:] }
	want := digest(must(t, append(args, "--device", "cpu")...))
	kernels := map[string]int{}
	for _, executor := range []string{"stream", "resident", "resident:2", "resident:4", "auto"} {
		calls := filepath.Join(dir, executor)
		status, out, stderr := with(t, "LOCKSTEP_CUDA_EXECUTOR="+executor+" LOCKSTEP_EMU_CALLS="+calls, append(args, "--device", "cuda:0")...)
		if status != 0 || digest(out) != want {
			t.Errorf("%s: status %d, %s%s; want %s", executor, status, out, stderr, want)
			continue
		}
		kernels[executor] = callsOf(t, calls)["kernels@0"]
	}
	for _, executor := range []string{"resident", "resident:2", "resident:4"} {
		if kernels[executor]*2 > kernels["stream"] {
			t.Errorf("kernels that the card ran: %v; want at most half as many by %s", kernels, executor)
		}
	}
	if kernels["auto"] != kernels["resident"] {
		t.Errorf("kernels that the card ran: %v; want resident to be what the engine chooses", kernels)
	}
	// Of 128 more steps each launch does at least 32.
	ran := map[int]int{}
	for _, steps := range []int{9, 137} {
		calls := filepath.Join(dir, fmt.Sprint(steps))
		few := append(args[:len(args):len(args)], "--set", fmt.Sprint("steps=", steps), "--set", "seeds=[0]", "--set", "arms.subspace.axes.d=[10]", "--set", "batch=16", "--device", "cuda:0")
		if status, out, stderr := with(t, "LOCKSTEP_EMU_CALLS="+calls, few...); status != 0 {
			t.Fatalf("%d steps: status %d, %s%s", steps, status, out, stderr)
		}
		ran[steps] = callsOf(t, calls)["kernels@0"]
	}
	if more := ran[137] - ran[9]; more > 2*128/32 { // two cells, each a pack
		t.Errorf("128 more steps of two packs took %d more kernels; want at least 32 steps each", more)
	}
	if status, _, stderr := with(t, "LOCKSTEP_CUDA_EXECUTOR=fast", append(args, "--device", "cuda:0")...); status != 1 || !strings.Contains(stderr, `LOCKSTEP_CUDA_EXECUTOR: "fast" is no executor: want auto, stream, resident`) {
		t.Errorf("no executor: status %d, %s", status, stderr)
	}
}
