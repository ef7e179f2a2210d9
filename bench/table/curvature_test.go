package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const derivativesMeasured = `{"part":"cpu-peers","begin":{"at":"2026-01-02T03:04:05Z","command":["x"],"build":"commit a"}}
{"part":"cpu-peers","line":{"machine":{"host":"CPU X, 2 processors","threads":2}}}
{"part":"cpu-peers","line":{"side":"torch_cpu","versions":{"torch":"9.8","curvlinops":"3.1"}}}
{"part":"cpu-peers","line":{"case":"agree/curvature/mlp/hessian/models=16/vectors=1","side":"jax","relative":3e-6}}
{"part":"cpu-peers","line":{"case":"deviation/mlp/hessian/models=1/vectors=1","side":"jax","relative":9e-6}}
{"part":"cpu-peers","line":{"case":"deviation/mlp/hessian/models=16/vectors=1","side":"jax","relative":0.00000123}}
{"part":"cpu-peers","line":{"case":"deviation/mlp/hessian/models=16/vectors=1","side":"torch func","relative":4e-7}}
{"part":"cpu-peers","line":{"case":"bits/curvature/pack/mlp/hessian/models=16/vectors=1","side":"jax","of":199210,"words":1000,"bits":2000}}
{"part":"cpu-peers","line":{"case":"bits/curvature/pack/mlp/ggn/models=16/vectors=1","side":"jax","of":199210,"words":4000,"bits":5000}}
{"part":"cpu-peers","line":{"case":"bits/curvature/vectors/mlp/ggn/models=16/vectors=8","side":"lockstep","of":199210,"words":0,"bits":0}}
{"part":"cpu-peers","line":{"case":"curvature/transformer/gradient/models=1/vectors=1","side":"lockstep","threads":2,"unit":"products/s","values":[100],"median":100}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=16/vectors=1","side":"lockstep","threads":2,"unit":"products/s","values":[300,400,500],"median":400}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=16/vectors=1","side":"lockstep","threads":1,"unit":"products/s","values":[200],"median":200}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=16/vectors=1","side":"jax","threads":2,"unit":"products/s","values":[100,200,400],"median":200}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=16/vectors=1","side":"torch","threads":2,"unit":"products/s","values":[50,50,50],"median":50}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=16/vectors=1","side":"curvlinops","threads":2,"unit":"products/s","values":[80,80,80],"median":80}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/gradient/models=16/vectors=1","side":"lockstep","threads":2,"unit":"products/s","values":[1000],"median":1000}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/ggn-kept/models=1/vectors=8","side":"lockstep","threads":2,"unit":"products/s","values":[800],"median":800}}
{"part":"cpu-peers","line":{"case":"curvature/mlp/hessian/models=1/vectors=1","side":"jax","threads":2,"unit":"products/s","values":[250],"median":250}}
{"part":"cpu-peers","line":{"quiet":{"idle":{},"elsewhere":0.031}}}
{"part":"cpu-peers","end":{"status":"ok","seconds":1}}
`

const derivativeTables = `
| milliseconds of one gradient or product: on 2 threads (on 1) | lockstep | JAX | PyTorch, double backward | torch.func | curvlinops | JAX / lockstep | fastest of PyTorch's / lockstep |
|---|---:|---:|---:|---:|---:|---:|---:|
| MLP, gradient; 16 models | 1 |  |  |  |  |  |  |
| MLP, Hessian x vector; 1 model |  | 4 |  |  |  |  |  |
| MLP, Hessian x vector; 16 models | 2.5 (5) | 5 | 20 |  | 12.5 | 2.00 | 5.00 |
| MLP, Gauss-Newton x vector, at the same parameters again; 1 model, 8 vectors each | 1.25 |  |  |  |  |  |  |
| transformer, gradient; 1 model | 10 |  |  |  |  |  |  |

| distance from the product in float64 / its length, of the worst vector | lockstep | JAX | PyTorch, double backward | torch.func | curvlinops |
|---|---:|---:|---:|---:|---:|
| MLP, Hessian x vector; 16 models |  | 1.2e-06 |  | 4.0e-07 |  |

| float32 words that change | lockstep | JAX | PyTorch, double backward | torch.func | curvlinops |
|---|---:|---:|---:|---:|---:|
| MLP, of a gradient or product, with the number of models |  | 4,000 of 199,210 |  |  |  |
| MLP, of a gradient or product, with the number of vectors | 0 of 199,210 |  |  |  |  |
`

// The tables show times, ratios within rounds, the deviations of the largest pack and the worst change of bits, of the last record that has any.
func TestCurvature(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, text := range []string{derivativesMeasured, measured} {
		paths = append(paths, filepath.Join(dir, string(rune('a'+i))))
		if err := os.WriteFile(paths[i], []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_, peers, err := readAll(paths)
	if err != nil || len(peers) != 2 {
		t.Fatalf("%d records, %v", len(peers), err)
	}
	got := markdownCurvature(peers)
	for _, want := range []string{
		"CPU X, 2 processors, 2 threads, 2026-01-02, commit a ([record](", "JAX ?, PyTorch 9.8, curvlinops 3.1. Other programs took 3 % of the processors.\n", derivativeTables,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the tables have no %q:\n%s", want, got)
		}
	}
	if got := markdownPeers(peers[:1]); strings.Contains(got, "curvature") {
		t.Errorf("derivatives stand among the others:\n%s", got)
	}
	peers[0].ended = "cut: why"
	if got := markdownCurvature(peers[:1]); !strings.HasPrefix(got, "**Not a whole run**, it was cut: why.\n") {
		t.Errorf("a run that was cut:\n%s", got)
	}
	none := markdownCurvature(peers[1:])
	if !strings.HasPrefix(none, "Not measured yet.\n") || strings.Count(none, "not measured yet") != 36 ||
		!strings.Contains(none, "| transformer, Gauss-Newton x vector; 16 models, 8 vectors each | not measured yet |  |  |  |  |  |  |\n") {
		t.Errorf("without a record:\n%s", none)
	}
}
