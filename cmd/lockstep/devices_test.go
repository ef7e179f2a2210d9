package main

import (
	"encoding/json"
	"strings"
	"testing"

	"lockstep/gpu"
	"lockstep/optest"
)

// Every card has telemetry, or the reason why it has none; without a card there is a reason, too.
func TestDevicesOnCUDA(t *testing.T) {
	var r struct {
		CPU  []string
		CUDA []cardReport
		Why  string `json:"why_no_cuda"`
	}
	text := must(t, "devices", "--json")
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.CPU) == 0 || (len(r.CUDA) == 0) != (r.Why != "") {
		t.Fatalf("%v: devices --json prints %s", err, text)
	}
	lines := must(t, "devices")
	if len(r.CUDA) == 0 {
		if !strings.Contains(lines, "no CUDA device: "+r.Why) {
			t.Errorf("devices prints %s", lines)
		}
		if gpu.Built {
			optest.Absent(t, "cuda")
		}
		return
	}
	for i, x := range r.CUDA {
		if x.Index != i || x.Name == "" || x.Memory == 0 || (x.Telemetry == nil) != strings.HasPrefix(x.WhyNoTelemetry, "NVML: ") {
			t.Errorf("device %d: %+v", i, x)
		}
		if !strings.Contains(lines, x.Name) || x.Telemetry == nil && !strings.Contains(lines, "no telemetry: "+x.WhyNoTelemetry) {
			t.Errorf("devices prints %s", lines)
		}
	}
}
