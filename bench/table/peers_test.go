package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const measured = `{"part":"cpu-peers","begin":{"at":"2026-01-02T03:04:05Z","command":["x"],"build":"commit a"}}
{"part":"cpu-peers","line":{"machine":{"host":"CPU X, 2 processors","threads":2}}}
{"part":"cpu-peers","line":{"side":"jax","versions":{"jax":"9.8","jaxlib":"9.7"}}}
{"part":"cpu-peers","line":{"case":"bits/pack/each/cells=8","side":"jax","of":100,"words":5,"bits":9}}
{"part":"cpu-peers","line":{"case":"bits/pack/each/cells=32","side":"jax","of":100,"words":69,"bits":147}}
{"part":"cpu-peers","line":{"case":"bits/pack/each/cells=32","side":"lockstep","of":100,"words":0,"bits":0}}
{"part":"cpu-peers","line":{"case":"bits/threads/rows=359","side":"gonum","of":3590,"words":7,"bits":9}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"lockstep","threads":2,"unit":"cell-steps/s","values":[3000,4000,8000],"median":4000}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"jax","threads":2,"unit":"cell-steps/s","values":[1000,2000,1000],"median":1000}}
{"part":"cpu-peers","line":{"case":"train/each/cells=1","side":"jax","threads":2,"unit":"cell-steps/s","values":[1234567],"median":1234567}}
{"part":"cpu-peers","line":{"case":"job/1000","side":"lockstep","threads":2,"unit":"s","values":[10,12],"median":11}}
{"part":"cpu-peers","line":{"case":"job/1000","side":"torch","threads":2,"unit":"s","values":[30,24],"median":27}}
{"part":"cpu-peers","line":{"case":"peak","side":"lockstep","threads":1,"unit":"GMAC/s","values":[50,60,60],"median":60}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"lockstep","threads":1,"unit":"GMAC/s","values":[40,54,54],"median":54}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"openblas","threads":1,"unit":"GMAC/s","values":[20,27,54],"median":27}}
{"part":"cpu-peers","line":{"quiet":{"idle":{},"elsewhere":0.031}}}
{"part":"cpu-peers","end":{"status":"ok","seconds":1}}
`

// The tables show the medians, ratios within rounds (of times the other way round), and the worst change of bits.
func TestPeers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	of := func(text string) ([]*rivals, error) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, peers, err := readAll([]string{path})
		return peers, err
	}
	peers, err := of(measured)
	if err != nil || len(peers) != 1 {
		t.Fatalf("%d records, %v", len(peers), err)
	}
	got := markdownPeers(peers)
	for _, want := range []string{
		"CPU X, 2 processors, 2 threads for every side, 2026-01-02, commit a ([record](",
		"JAX 9.8, PyTorch ?",
		"other programs took 3 % of the processors.",
		"| d = 100, a basis for each network; 1 network |  |  | 1,234,567 |  |  |  |  |\n| d = 100, a basis for each network; 128 networks | 4,000 |  | 1,000 |  | 3.00 |  |  |\n",
		"1,000 steps, from nothing: seconds | 11 s |  |  | 27 s |  |  | 2.50 |\n",
		"| 512 x 512 x 512, 1 thread | 54 (90 %) | 27 (45 %) |  | 2.00 |\n",
		"with the size of the pack: d = 100, a basis for each network | 0 of 100 |  | 69 of 100 |  |  |  |\n",
		"with the number of threads |  |  |  |  |  | 7 of 3,590 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the tables have no %q:\n%s", want, got)
		}
	}
	if got := markdownPeers(nil); got != "Not measured yet.\n" {
		t.Errorf("without records: %q", got)
	}
	for want, text := range map[string]string{
		"is cut":           strings.Replace(measured, `"status":"ok"`, `"status":"cut"`, 1),
		"is lost":          strings.Replace(measured, `{"part":"cpu-peers","end":{"status":"ok","seconds":1}}`, "", 1),
		"holds no figures": strings.ReplaceAll(measured, `"values"`, `"none"`),
	} {
		if _, err := of(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want that it %s", err, want)
		}
	}
	readme := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(readme, []byte(places), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := of(strings.Replace(measured, "commit a", "commit a+changes", 1)); err != nil {
		t.Fatal(err)
	}
	if err := run(readme, []string{path}, false); err == nil || !strings.Contains(err.Error(), "no commit holds") {
		t.Errorf("a record of changed files: %v", err)
	}
	if _, err := of(measured); err != nil {
		t.Fatal(err)
	}
	if err := run(readme, []string{path}, false); err != nil {
		t.Fatal(err)
	}
	if err := run(readme, []string{path}, true); err != nil {
		t.Errorf("its own tables: %v", err)
	}
	if err := run(readme, nil, true); err == nil {
		t.Error("tables of a record that is no longer given are taken")
	}
}
