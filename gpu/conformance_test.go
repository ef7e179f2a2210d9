//go:build cuda

package gpu

import (
	"testing"

	"lockstep/cuda/loader"
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

// TestConformance holds every kernel against its law, in the order of threads and blocks that LOCKSTEP_EMU_ORDER gives.
func TestConformance(t *testing.T) {
	e := device0(t)
	t.Logf("on %s", e.Info())
	optest.Complete(t, e, []string{"mean"}) // its expansion is all there is to it
	optest.Run(t, e, optest.Options{})
}
