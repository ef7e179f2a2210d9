//go:build cuda

package main

import (
	"strings"
	"testing"

	"lockstep/cuda/loader"
	"lockstep/optest"
)

// A function that needs all of the device's arithmetic, and one whose results are bytes, in the blocks at the edges.
func TestVerifyExhaustiveOnCUDA(t *testing.T) {
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
	s := must(t, "verify", "--exhaustive", "--blocks", "1", "--device", "cuda", "tanh", "cast_f32_i8")
	if !strings.Contains(s, "cuda:unary_tanh") || !strings.Contains(s, "cuda:cast_f32_i8") || strings.Count(s, "ok in 16 blocks") != 2 {
		t.Errorf("verify --exhaustive prints %s", s)
	}
}
