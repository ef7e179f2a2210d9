package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestVerifyOps(t *testing.T) {
	if s := must(t, "verify", "exp", "gather"); !strings.Contains(s, "all have the bits of the law") || strings.Contains(s, "matmul") {
		t.Errorf("verify prints %s", s)
	}
	var r opCheck
	if err := json.Unmarshal([]byte(must(t, "verify", "--json", "sum", "--variant", "law")), &r); err != nil || r.Op != "sum" || r.Cases == 0 || len(r.Failures) > 0 || r.Kernels[0] != "law" {
		t.Errorf("%+v, %v", r, err)
	}
	if s := must(t, "verify", "--list"); !strings.Contains(s, "ternarymm") || strings.Contains(s, "ok") {
		t.Errorf("verify --list prints %s", s)
	}
	if s := must(t, "devices"); !strings.Contains(s, "cpu: kernels") || !strings.Contains(s, "CUDA") {
		t.Errorf("devices prints %s", s)
	}
}
