package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lockstep/cpu"
	"lockstep/probe"
)

// A spectrum that is killed, by SIGKILL, while it trains, in the midst of a unit, after each unit, and at random moments, ends with the digest of an
// undisturbed one. LOCKSTEP_SEED replays the random moments, as far as a machine can.
func TestCurvatureKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes seconds (-short)")
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("LOCKSTEP_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LOCKSTEP_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	card, out := write(t, dir, "card.toml", smallNetwork), filepath.Join(dir, "killed")
	rows := "1438"
	if cpu.Variants()[0] == cpu.Law {
		rows = "40"
	}
	args := []string{"curvature", "spectrum", card, "--cell", "all", "--at", "0,20,end", "--steps", "40", "--rows", rows, "--json"}
	start := time.Now()
	want := resultsOf(t, must(t, append(args, "--out", filepath.Join(dir, "calm"), "--checkpoint", "1ns")...)).Digest
	undisturbed := time.Since(start)
	again := func() []string {
		more := []string{"--out", out, "--checkpoint", "1ns"}
		if there(filepath.Join(out, probe.IdentityFile)) {
			more = append(more, "--resume")
		}
		return append(args[:len(args):len(args)], more...)
	}
	units := func() int {
		b, _ := os.ReadFile(filepath.Join(out, "units.jsonl"))
		return bytes.Count(b, []byte("\n"))
	}
	checkpoint := func(unit string) func() bool {
		return func() bool { return there(filepath.Join(out, "checkpoint-"+unit+".safetensors")) }
	}
	killed, checkpoints := 0, 0
	for _, when := range []struct {
		what string
		is   func() bool // nil: after a random time
	}{
		{"begun", func() bool { return there(filepath.Join(out, probe.IdentityFile)) }},
		{"unit 0 at work", checkpoint("0")},
		{"unit 0 at work once more", nil},
		{"unit 0 has ended", func() bool { return units() > 0 }},
		{"unit 1 at work", checkpoint("1")},
		{"some time", nil},
		{"unit 2 at work", checkpoint("2")},
		{"some time", nil},
	} {
		c := command(again()...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if when.is == nil {
			time.Sleep(time.Duration(rng.Int64N(int64(undisturbed)/4 + 1)))
		} else {
			for end := time.Now().Add(time.Minute); !when.is() && time.Now().Before(end); {
				time.Sleep(200 * time.Microsecond)
			}
		}
		c.Process.Kill()
		if err := c.Wait(); err == nil {
			t.Logf("%s: it had ended before it was killed", when.what)
			break
		} else if strings.Contains(stderr.String(), "lockstep:") {
			t.Fatalf("%s: %s", when.what, stderr.String())
		}
		killed++
		left, _ := filepath.Glob(filepath.Join(out, "checkpoint-*"))
		checkpoints += len(left)
		t.Logf("killed when %s: %d units have ended, checkpoints %d", when.what, units(), len(left))
	}
	before, err := os.ReadFile(filepath.Join(out, "units.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultsOf(t, must(t, again()...)).Digest; got != want {
		t.Errorf("digest %s after %d kills; want %s (LOCKSTEP_SEED=%d)", got, killed, want, seed)
	}
	after, err := os.ReadFile(filepath.Join(out, "units.jsonl"))
	if whole := before[:bytes.LastIndexByte(before, '\n')+1]; err != nil || !bytes.HasPrefix(after, whole) || units() != 3 {
		t.Errorf("units that had ended were estimated again: %d lines, %v", units(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(out, "*checkpoint*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if killed < 5 || checkpoints == 0 {
		t.Errorf("%d kills, %d checkpoints seen: the kills hit nothing", killed, checkpoints)
	}
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
