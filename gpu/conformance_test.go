//go:build cuda

package gpu

import (
	"reflect"
	"slices"
	"testing"

	"lockstep/cuda/loader"
	"lockstep/op"
	"lockstep/optest"
)

// device0 is an engine on the first card, or on the emulated driver.
func device0(t *testing.T) *Engine {
	t.Helper()
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
	e, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// kernelless are the ops that have no kernel yet: to run them is an error that names them.
var kernelless = []string{}

// TestConformance holds every kernel against its law.
func TestConformance(t *testing.T) {
	e := device0(t)
	var with []string
	for _, o := range op.All {
		if kernels[reflect.TypeOf(o)] != nil {
			with = append(with, o.Name())
		} else if !slices.Contains(kernelless, o.Name()) {
			t.Errorf("%s has no kernel, and is not on the list of those without", o.Name())
		}
	}
	t.Logf("on %s", e.Info())
	optest.Run(t, e, optest.Options{Ops: with})
}
