//go:build cuda

package main

import (
	"path/filepath"
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
