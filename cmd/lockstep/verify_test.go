package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
	"lockstep/optest"
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
	if s := must(t, "verify", "--few", "3", "--variant", "law", "exp"); !strings.Contains(s, " 3 cases ") {
		t.Errorf("verify --few prints %s", s)
	}
	if s := must(t, "devices"); !strings.Contains(s, "cpu: kernels") || !strings.Contains(s, "CUDA") {
		t.Errorf("devices prints %s", s)
	}
}

// --cases tells what ran each case.
func TestVerifyCases(t *testing.T) {
	var r opCheck
	text := must(t, "verify", "--cases", "--json", "--device", "cpu", "--variant", "law", "relu")
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.PerCase) != r.Cases {
		t.Fatalf("%v: %s", err, text)
	}
	for i, x := range r.PerCase {
		if !strings.HasPrefix(x.Case, "relu(f32[") || len(x.Kernels) != 1 || x.Kernels[0] != "law" || x.verdict() != "ok" {
			t.Errorf("case %d: %+v", i, x)
		}
	}
	lines := strings.Split(strings.TrimSpace(must(t, "verify", "--cases", "--device", "cpu", "--variant", "law", "relu")), "\n")
	if len(lines) != r.Cases+2 || !strings.HasPrefix(lines[0], r.PerCase[0].Case+" ") || !strings.HasSuffix(lines[0], " law  ok") {
		t.Errorf("verify --cases prints %d lines for %d cases, the first is %q", len(lines), r.Cases, lines[0])
	}
	if s := must(t, "verify", "--json", "--device", "cpu", "relu"); strings.Contains(s, "per_case") {
		t.Errorf("without --cases: %s", s)
	}
	for want, x := range map[string]caseCheck{"ok": {}, "FAIL: a bit": {Failure: "a bit"}, "no kernel: for it": {Missing: "for it"}} {
		if got := x.verdict(); got != want {
			t.Errorf("%+v is told as %q", x, got)
		}
	}
}

// mortal is an engine that an error closes when so many packs have been made.
type mortal struct {
	graph.Engine
	packs int // 0: it lives on
	ends  *int
}

func (e *mortal) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	if e.packs == 1 {
		return nil, errors.New("closed by a test")
	}
	e.packs = max(e.packs-1, 0)
	return e.Engine.NewPack(cells, groups)
}

func (e *mortal) Close() error {
	*e.ends++
	return e.Engine.Close()
}

// An engine that an error closed is opened again for the next op. Where it does not open, every op that did not run says so.
func TestVerifyAfterAnError(t *testing.T) {
	for _, opens := range []int{2, 1} {
		opened, ended := 0, 0
		var v verification
		if err := v.start(func() (graph.Engine, error) {
			if opened == opens {
				return nil, errors.New("no card any more")
			}
			e, err := cpu.New(cpu.Options{Variants: []string{cpu.Law}})
			opened++
			return &mortal{e, map[int]int{1: 20, 2: 0}[opened], &ended}, err
		}); err != nil {
			t.Fatal(err)
		}
		var got []opCheck
		for _, o := range []op.Op{op.Relu, op.Neg, op.Exp} {
			got = append(got, v.check(o, optest.Cases(o, 0), 0))
		}
		v.close()
		if r := got[0]; !strings.Contains(r.Error, "closed by a test") || r.Cases == 0 || r.Cases >= len(optest.Cases(op.Relu, 0)) {
			t.Errorf("%d engines: %+v; want an error after some cases", opens, r)
		}
		for _, r := range got[1:] {
			lives := r.Error == "" && r.Cases > 0
			told := r.Cases == 0 && strings.HasPrefix(r.Error, "not run") && strings.Contains(r.Error, "no card any more")
			if lives != (opens == 2) || told != (opens == 1) {
				t.Errorf("%d engines: %+v", opens, r)
			}
		}
		if opened != opens || ended != opens || v.name != "cpu" {
			t.Errorf("%d engines were opened, %d closed, the name is %q; want %d", opened, ended, v.name, opens)
		}
	}
}

func TestVerifyExhaustive(t *testing.T) {
	args := []string{"verify", "--exhaustive", "--device", "cpu", "--blocks", "1", "neg", "cast_u32_i8"}
	if s := must(t, args...); !strings.Contains(s, "neg") || !strings.Contains(s, "cast_u32_i8") || strings.Contains(s, "cast_f32_i8") ||
		strings.Count(s, "ok in 16 blocks") != 2 || !strings.Contains(s, "2 functions on the cpu engine over a sample of 16 of 4096 blocks (16777216 inputs of 2^32): all have the bits of the law") {
		t.Errorf("verify --exhaustive prints %s", s)
	}
	dec := json.NewDecoder(strings.NewReader(must(t, append(args, "--json", "--threads", "3", "--variant", "law")...)))
	for _, want := range []string{"neg", "cast_u32_i8"} {
		var r functionCheck
		if err := dec.Decode(&r); err != nil || r.Function != want || !r.OK || r.Blocks != 16 || len(r.Kernels) != 1 || r.Kernels[0] != "law" || r.Digest != "" || r.Seconds <= 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if s := must(t, "verify", "--exhaustive", "--list", "relu", "sqrt"); strings.Count(s, "\n") != 2 || !strings.Contains(s, "393999e1aafd3675d93eac86b3919513d6610afc2d9a06806d3315300b3e0e98  relu") {
		t.Errorf("verify --exhaustive --list prints %s", s)
	}
	for want, r := range map[string]functionCheck{
		"ok in 3 blocks": {OK: true, Blocks: 3},
		"ok ab":          {OK: true, Digest: "ab", Want: "ab"},
		"FAILED: 2 of 9 blocks differ from the law, the first is 041: here":                                                {Blocks: 9, Differ: []int{0x41, 0x42}, First: "here"},
		"FAILED: digest ab, the law's is cd, but every block begins as the law's: this build's list of digests is damaged": {Digest: "ab", Want: "cd"},
	} {
		if got := r.verdict(); got != want {
			t.Errorf("%+v is told as %q", r, got)
		}
	}
	for want, args := range map[string][]string{
		`nearest is "exp"`: {"--exhaustive", "expp"},
		`operand "matmul"; want one of cast, cast_f32_i`: {"--exhaustive", "matmul"},
		"--seed draws":        {"--exhaustive", "--seed", "1"},
		"--cases tells":       {"--exhaustive", "--cases"},
		"--blocks 0":          {"--exhaustive", "--blocks", "0"},
		"which is missing":    {"--blocks", "3"},
		"--list runs nothing": {"--list", "--cases"},
	} {
		if status, _, stderr := lockstep(append([]string{"verify"}, args...)...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("verify %v: status %d, %s", args, status, stderr)
		}
	}
	for _, flag := range []string{"--device=cpu", "--variant=foo", "--variant=law", "--variant=", "--threads=1", "--seed=0", "--cases", "--few=3"} {
		name, _, _ := strings.Cut(flag, "=")
		for _, args := range [][]string{{"verify", "--list", flag}, {"verify", "--list", "--exhaustive", flag}} {
			if status, out, stderr := lockstep(args...); status != 1 || out != "" || !strings.Contains(stderr, name+" is about what runs, and --list runs nothing") {
				t.Errorf("%v: status %d, %s%s", args, status, out, stderr)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	if status := run(ctx, []string{"lockstep", "verify", "--exhaustive", "--device", "cpu", "--blocks", "1", "neg"}, &out, &out); status != 130 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("interrupted: status %d, %s", status, &out)
	}
}
