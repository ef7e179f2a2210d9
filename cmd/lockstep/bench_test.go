package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"lockstep/bench"
)

func TestBench(t *testing.T) {
	args := []string{"bench", "--device", "cpu", "--threads", "2", "--time", "2ms", "relu/.*=1$", "batch/128"}
	text := must(t, append(args, "--count", "2")...)
	for _, want := range []string{`(?m)^goos: \w`, `(?m)^device: cpu, kernels .*law$`, `(?m)^BenchmarkPeak/copy/cpu-2\s+1\s+[\d.]+ GB/s$`, `(?m)^checked-against: law$`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("bench prints no %s:\n%s", want, text)
		}
	}
	line := regexp.MustCompile(`(?m)^BenchmarkRelu/128x128/cells=1/cpu-2\s+\d+\s+[\d.]+ ns/op\s+[\d.e+]+ GB/s.*\s1 checked$`)
	if n := len(line.FindAllString(text, -1)); n != 2 {
		t.Errorf("--count 2 prints %d lines of relu:\n%s", n, text)
	}
	if n := strings.Count(text, "\nBenchmarkBatch/128of1437/"); n != 6 {
		t.Errorf("%d lines of batch; want 3 packs, twice:\n%s", n, text)
	}
	lines := strings.Split(strings.TrimSpace(must(t, append(args, "--json", "--quick")...)), "\n")
	for i, want := range []string{"relu/128x128/cells=1", "batch/128of1437/cells=1"} {
		var r struct {
			bench.Result
			Machine bench.Machine
		}
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil || r.Case != want || r.NS <= 0 || r.Sets < 1 || r.Sets > 2 || r.Checked != "law" || r.Machine.Threads != 2 || r.Machine.Law != 1 || r.Machine.Peak.Copy <= 0 {
			t.Errorf("%s: %v", lines[i], err)
		}
	}
}

func TestBenchList(t *testing.T) {
	if status, _, errs := lockstep("bench", "--list", "--variant", "none"); status == 0 || !strings.Contains(errs, "--variant is about what runs") {
		t.Errorf("bench --list --variant none: status %d, %s", status, errs)
	}
	if s := must(t, "bench", "--list", "ternary.*cells=64"); !strings.Contains(s, "ternarymm/d125-D8970/cells=64\n") || strings.Contains(s, "relu") {
		t.Errorf("bench --list prints %s", s)
	}
	var l bench.Listing
	if err := json.Unmarshal([]byte(must(t, "bench", "--list", "--json", "matmul/64x128x10/TA/cells=64")), &l); err != nil || l.Cells != 64 || l.MACs != 64*64*128*10 || len(l.Ops) != 1 || l.Operands[0].Shape[0] != 128 {
		t.Errorf("%+v, %v", l, err)
	}
	if err := json.Unmarshal([]byte(must(t, "bench", "--list", "--json", "train/.*cells=64")), &l); err != nil || l.Train == nil || l.Train.Params() != 8970 || l.MACs == 0 {
		t.Errorf("%+v, %v", l, err)
	}
}
