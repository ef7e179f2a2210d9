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
{"part":"cpu-peers","line":{"case":"train/full/cells=8","side":"lockstep","threads":2,"unit":"cell-steps/s","values":[300,400,400],"median":400}}
{"part":"cpu-peers","line":{"case":"train/full/cells=8","side":"jax","threads":2,"unit":"cell-steps/s","values":[200,200,100],"median":200}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"lockstep","threads":2,"unit":"cell-steps/s","values":[3000,4000,8000],"median":4000}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"lockstep gaussian","threads":2,"unit":"cell-steps/s","values":[500],"median":500}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"jax","threads":2,"unit":"cell-steps/s","values":[1000,2000,1000],"median":1000}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"torch","threads":2,"unit":"cell-steps/s","values":[100,400,300],"median":300}}
{"part":"cpu-peers","line":{"case":"train/each/cells=128","side":"lockstep gaussian","threads":2,"unit":"cell-steps/s","values":[500,3000,1500],"median":1500}}
{"part":"cpu-peers","line":{"case":"train/each/cells=1","side":"jax","threads":2,"unit":"cell-steps/s","values":[1234567],"median":1234567}}
{"part":"cpu-peers","line":{"case":"job/1000","side":"lockstep","threads":2,"unit":"s","values":[10,12],"median":11}}
{"part":"cpu-peers","line":{"case":"job/1000","side":"lockstep gaussian","threads":2,"unit":"s","values":[20,24],"median":22}}
{"part":"cpu-peers","line":{"case":"job/1000","side":"torch","threads":2,"unit":"s","values":[30,24],"median":27}}
{"part":"cpu-peers","line":{"case":"peak","side":"lockstep","threads":2,"unit":"GMAC/s","values":[90,120,120],"median":120}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"lockstep","threads":2,"unit":"GMAC/s","values":[80,81,54],"median":80}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"openblas","threads":2,"unit":"GMAC/s","values":[20,54,81],"median":54}}
{"part":"cpu-peers","line":{"case":"matmul/64x64x64/cells=64","side":"gonum","threads":2,"unit":"GMAC/s","values":[12],"median":12}}
{"part":"cpu-peers","line":{"case":"peak","side":"lockstep","threads":1,"unit":"GMAC/s","values":[50,60,60],"median":60}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"lockstep","threads":1,"unit":"GMAC/s","values":[40,54,54],"median":54}}
{"part":"cpu-peers","line":{"case":"matmul/512x512x512/cells=1","side":"openblas","threads":1,"unit":"GMAC/s","values":[20,27,54],"median":27}}
{"part":"cpu-peers","line":{"case":"matmul/64x64x64/cells=64","side":"gonum","threads":1,"unit":"GMAC/s","values":[10],"median":10}}
{"part":"cpu-peers","line":{"quiet":{"idle":{},"elsewhere":0.031}}}
{"part":"cpu-peers","end":{"status":"ok","seconds":1}}
`

// speeds are the tables of training and of products.
const speeds = `
The same problem as the peers' is lockstep's training of all parameters, and in a subspace by its Gaussian map, a dense float32 basis as theirs: z must agree before anything is timed. The ternary map is another basis for the same study, of two bits an entry.

| steps of training a second, of all networks together | lockstep, same problem (Gaussian map) | lockstep, ternary map | JAX | PyTorch | same problem / JAX | ternary map / JAX | same problem / PyTorch |
|---|---:|---:|---:|---:|---:|---:|---:|
| all 8,970 parameters; 8 networks | 400 |  | 200 |  | 2.00 |  |  |
| d = 100, a basis for each network; 1 network |  |  | 1,234,567 |  |  |  |  |
| d = 100, a basis for each network; 128 networks | 1,500 | 4,000 | 1,000 | 300 | 1.50 | 3.00 | 5.00 |
| a whole sweep of 30 networks, 1,000 steps, from nothing: seconds | 22 s | 11 s |  | 27 s |  |  | 1.25 |

| float32 products: GMAC/s (of the multiply-add peak) | lockstep | OpenBLAS | gonum | lockstep / OpenBLAS |
|---|---:|---:|---:|---:|
| 512 x 512 x 512, 1 thread | 54 (90 %) | 27 (45 %) |  | 2.00 |
| 512 x 512 x 512, 2 threads | 80 (68 %) | 54 (45 %) |  | 1.50 |
| 64 products 64 x 64 x 64, 1 thread |  |  | 10 |  |
| 64 products 64 x 64 x 64, 2 threads |  |  | 12 |  |
| 256 products 32 x 32 x 32, 1 thread |  |  |  |  |
| 256 products 32 x 32 x 32, 2 threads |  |  |  |  |

Rate on 2 threads / rate on 1: the multiply-add peak 2.00; 512 x 512 x 512: lockstep 1.50, OpenBLAS 1.50; 64 products 64 x 64 x 64: gonum 1.20.
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
		speeds,
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
