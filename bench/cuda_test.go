//go:build cuda

package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"lockstep/cuda/loader"
	"lockstep/gpu"
	"lockstep/optest"
)

// The smallest case of each family runs on a card, or on the emulated driver, in each step, and has the bits of the laws.
func TestQuickOnCUDA(t *testing.T) {
	if _, reason := loader.Driver(); reason != "" {
		t.Log(reason)
		optest.Absent(t, "cuda")
	}
	e, err := gpu.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := Peak(context.Background(), e)
	if err != nil || p.FMA <= 0 || p.Copy <= 0 || p.Cache <= 0 || p.Cells != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	some, err := Select(Cases(), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	o := &Options{Engine: e, Time: 5 * time.Millisecond, Quick: true, Memory: 1 << 31, Check: engine(t), CheckName: "cpu", CheckWork: 1 << 30}
	p.FMA, p.Copy = 1e13, 1e12 // those of a card: the emulator's own would skip cases
	for _, c := range some {
		r, err := Measure(context.Background(), c, o, p)
		if c.sweep != nil { // minutes on the emulator: that it is tried, and left out for this reason, is all there is to see
			if err != nil || !strings.Contains(r.Skipped, "one cell alone") {
				t.Errorf("%s: %+v, %v", c.Name, r, err)
			}
			continue
		}
		for _, k := range r.Kernels {
			if c.train == nil && c.hvp == nil && strings.Contains(k, "resident") {
				t.Errorf("%s is timed by way of %s", c.Name, k)
			}
		}
		if err != nil || r.Skipped != "" || r.Checked != "cpu" || r.NS <= 0 || r.Sets > 2 {
			t.Errorf("%s: %+v, %v", c.Name, r, err)
		}
	}
}
