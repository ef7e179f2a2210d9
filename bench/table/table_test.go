package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/bench"
	"lockstep/bench/record"
)

// TestREADME asks for the table that the records give.
func TestREADME(t *testing.T) {
	t.Chdir("../..")
	records, err := filepath.Glob("bench/results/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := run("README.md", records, true); err != nil {
		t.Error(err)
	}
}

// The table shows cases that lockstep bench has.
func TestHeadlines(t *testing.T) {
	for _, h := range headlines {
		if !slices.ContainsFunc(bench.Cases(), func(c *bench.Case) bool { return c.Name == h.name }) {
			t.Errorf("no case is called %s", h.name)
		}
	}
}

const device = `{"part":"devices","begin":{"at":"2026-01-02T03:04:05Z","command":["x"]}}
{"part":"devices","line":{"cuda":[{"name":"NAME","version":13000,"capability":90,"telemetry":{"driver":"580.1","max_sm_clock_mhz":1980,"memory_clock_mhz":2619}}]}}
{"part":"devices","end":{"status":"ok","seconds":1}}
`

const rest = `{"part":"verify","begin":{}}
{"part":"verify","line":{"op":"add","cases":10,"failures":[]}}
{"part":"verify","line":{"op":"mul","cases":5,"failures":["x"],"without":3,"missing":"3 cases have no kernel: y"}}
{"part":"verify","line":{"op":"exp","cases":0,"failures":[],"error":"z"}}
{"part":"verify","end":{"status":"failed","seconds":1}}
{"part":"memcheck","skip":"no tool"}
{"part":"racecheck","begin":{"command":["lockstep","verify","--few","6"]}}
{"part":"racecheck","line":{"op":"add","cases":10,"failures":[]}}
{"part":"racecheck","text":"========= RACECHECK SUMMARY: 3 hazards displayed (3 errors, 0 warnings)"}
{"part":"racecheck","end":{"status":"failed"}}
{"part":"exhaustive","begin":{}}
{"part":"exhaustive","line":{"function":"exp","digest":"ab","ok":true}}
{"part":"exhaustive","line":{"function":"log","digest":"cd","ok":false}}
{"part":"exhaustive","end":{"status":"cut"}}
{"part":"sweep-toy","begin":{}}
{"part":"sweep-toy","line":{"study":"intrinsic-toy","settings":"","cuda":"a","cpu":"a","cuda_ms":1500,"cpu_ms":2500}}
{"part":"sweep-toy","end":{"status":"ok"}}
{"part":"sweep-digits","begin":{}}
{"part":"sweep-digits","line":{"study":"intrinsic-digits","settings":"steps=3","cuda":"a","cpu":"b","cuda_ms":1500,"cpu_ms":2500}}
{"part":"sweep-digits","end":{"status":"failed"}}
{"part":"bench","begin":{}}
{"part":"bench","line":{"case":"matmul/4096x4096x4096/cells=1","rate":12345.6,"unit":"GMAC/s","roofline":0.75,"bound":"fma","machine":{"peak":{"fma":3e13,"copy":3e12}}}}
{"part":"bench","line":{"case":"matmul/128x64x64/cells=1024","skipped":"memory","machine":{}}}
{"part":"bench","line":{"case":"train/digits-w64-d100/cells=256","failed":"out of memory","machine":{}}}
{"part":"bench","end":{"status":"ok"}}
{"part":"peers","begin":{}}
{"part":"peers","line":{"case":"matmul/4096x4096x4096/cells=1","peer":"bmm","rate":20000,"unit":"GMAC/s"}}
{"part":"peers","end":{"status":"ok"}}
`

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	of := func(text string) (*card, error) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		parts, err := record.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return readCard(path, parts)
	}
	c, err := of(strings.ReplaceAll(device, "NAME", "NVIDIA X") + rest)
	if err != nil {
		t.Fatal(err)
	}
	c.file = "r.jsonl"
	got := markdown([]*card{c})
	for _, want := range []string{
		"| | [NVIDIA X](r.jsonl) |\n|---|---|\n",
		"| 580.1, SM up to 1980 MHz, memory 2619 MHz, 2026-01-02 |\n",
		"| 60 TFLOP/s float32, 3e+03 GB/s |\n",
		"| **failed**: 15 cases of 3 ops, 1 differ, 3 more have no kernel, 1 ops not run whole |\n",
		"| **cut**: 1 of 2 have the law's digest |\n",
		"| skipped: no tool |\n",
		"racecheck | **failed**: 3 hazards displayed (3 errors, 0 warnings) in 10 cases of 1 ops (a few of each kernel), 0 differ |\n",
		"256 networks on digits (8,970 parameters, d = 100) | **failed**: out of memory |\n",
		"1,024 cells | not measured yet |\n",
		"| yes; card 1.5 s, CPU 2.5 s |\n",
		"| **failed**: **no** (cut: steps=3); card 1.5 s, CPU 2.5 s |\n",
		"| 12346 GMAC/s (75 % of the fma peak), results not checked; torch bmm 20000 GMAC/s |\n",
		"64 x 64 | skipped: memory |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table has no %q:\n%s", want, got)
		}
	}
	for what, text := range map[string]string{
		"no card":         strings.ReplaceAll(device, `{"name":"NAME","version":13000,"capability":90,"telemetry":{"driver":"580.1","max_sm_clock_mhz":1980,"memory_clock_mhz":2619}}`, ""),
		"no part devices": rest,
	} {
		if _, err := of(text); err == nil {
			t.Errorf("a record of %s is taken", what)
		}
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(device, "NAME", "lockstep emulator")+rest), 0o666); err != nil {
		t.Fatal(err)
	}
	readme := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(readme, []byte(places), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run(readme, []string{path}, false); err == nil || !strings.Contains(err.Error(), "emulated") {
		t.Errorf("a record of the emulated driver: %v", err)
	}
	real := strings.ReplaceAll(device, "NAME", "NVIDIA X")
	for want, text := range map[string]string{
		"different programs":                 strings.Replace(real, `["x"]`, `["x"],"program":"other"`, 1) + rest,
		"machines, cards or":                 strings.Replace(real, `["x"]`, `["x"],"on":"another"`, 1) + rest,
		"no commit holds":                    strings.Replace(real, `["x"]`, `["x"],"build":"commit a+changes"`, 1),
		"cards or sizes":                     strings.Replace(real, `["x"]`, `["x"],"small":true`, 1) + rest,
		"part devices ran on small problems": strings.Replace(real, `["x"]`, `["x"],"small":true`, 1),
		"part verify ran with --few":         real + strings.Replace(rest, `{"part":"verify","begin":{}}`, `{"part":"verify","begin":{"command":["l","verify","--few=6"]}}`, 1),
		"part bench ran with --quick":        real + strings.Replace(rest, `{"part":"bench","begin":{}}`, `{"part":"bench","begin":{"command":["l","bench","--quick"]}}`, 1),
		"part exhaustive ran with --blocks":  real + strings.Replace(rest, `{"part":"exhaustive","begin":{}}`, `{"part":"exhaustive","begin":{"command":["l","verify","--blocks","1"]}}`, 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := run(readme, []string{path}, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	// Sanitizers are slow: they get a few cases.
	if err := os.WriteFile(path, []byte(real+rest), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run(readme, []string{path}, false); err != nil {
		t.Error(err)
	}
	if got := markdown(nil); strings.Count(got, "not measured yet") != len(rows()) {
		t.Errorf("without records:\n%s", got)
	}
}

// places are the lines that mark the places of the tables.
const places = "<!-- cards -->\n<!-- /cards -->\n<!-- cpu-peers -->\n<!-- /cpu-peers -->\n<!-- curvature-peers -->\n<!-- /curvature-peers -->\n"

func TestSplice(t *testing.T) {
	got, err := splice([]byte("a\n<!-- x -->\nold\n<!-- /x -->\nb\n"), "x", "new\n")
	if want := "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := splice([]byte("a\n<!-- x -->\n"), "x", ""); err == nil {
		t.Error("a place without an end")
	}
}

// What was compared only in part is said to be.
func TestCheckedInPart(t *testing.T) {
	for checked, want := range map[string]string{"cpu": "2 GMAC/s", "cpu, 8 rows": "2 GMAC/s, 8 rows of the results checked", "": "2 GMAC/s, results not checked"} {
		c := &card{cell: map[string]string{}}
		line := fmt.Sprintf(`{"case":%q,"rate":2,"unit":"GMAC/s","checked":%q}`, headlines[0].name, checked)
		if err := c.speed(&record.Part{Lines: []json.RawMessage{json.RawMessage(line)}}, nil); err != nil || c.cell[headlines[0].title] != want {
			t.Errorf("%q, %v; want %q", c.cell[headlines[0].title], err, want)
		}
	}
}
