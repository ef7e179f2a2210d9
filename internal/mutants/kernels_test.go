//go:build cuda

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSurvives: faults of a kernel that no case launches survive.
func TestSurvives(t *testing.T) {
	t.Chdir("../..")
	sources, out := t.TempDir(), t.TempDir()
	for _, name := range []string{"kernel.cuh", "num.cuh", "ptx.cuh"} {
		text, err := os.ReadFile(filepath.Join("cuda", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(sources, name), text, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const nobody = `#include "kernel.cuh"
KERNEL(32) nobody(const View a) {
  SHARED(uint32_t, x, [32]);
  x[threadIdx.x] = a.base[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < a.stride) a.base[threadIdx.x] = x[31 - threadIdx.x];
}
`
	if err := os.WriteFile(filepath.Join(sources, "nobody.cu"), []byte(nobody), 0o666); err != nil {
		t.Fatal(err)
	}
	l, err := newLab(sources, out)
	if err != nil {
		t.Fatal(err)
	}
	if planted, survived, err := l.plantKernels(true, 1, share{}, func(string) bool { return true }); planted != 2 || survived != 2 || err != nil {
		t.Errorf("%d planted, %d survived, %v; want two of two", planted, survived, err)
	}
}
