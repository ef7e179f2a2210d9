//go:build cuda

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lockstep/cuda/loader"
	"lockstep/optest"
)

// Sweeps give one digest on the CPU engine and on the CUDA engine, with mixed d in one pack.
func TestDigestOnCUDA(t *testing.T) {
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
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

// bench finds what it needs on a card: its name, its peaks, kernels with the bits of the CPU engine.
func TestBenchOnCUDA(t *testing.T) {
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
	text := must(t, "bench", "--device", "cuda", "--quick", "--time", "5ms", "relu", "batch")
	for _, want := range []string{`(?m)^device: cuda:0 .* multiprocessors$`, `(?m)^checked-against: cpu$`, `(?m)^BenchmarkPeak/fma/cuda\s+1\s+[\d.]+ GMAC/s$`,
		`(?m)^BenchmarkPeak/copy/cuda\s+1\s+[\d.]+ GB/s$`, `(?m)^BenchmarkRelu/128x128/cells=1/cuda\s.*\s1 checked$`, `(?m)^BenchmarkBatch/.*\s1 checked$`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("bench prints no %s:\n%s", want, text)
		}
	}
}
