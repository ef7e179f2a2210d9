package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
)

// wideCard has layers wide enough for chains, in the full space, by a ternary and by a dense basis.
const wideCard = `
name = "wide"
seeds = [1, 2]
steps = 3
batch = 32
data = {name = "digits"}
model = {layers = [{type = "linear", out = 16}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
map = {type = "$map", d = 40}
axes = {map = ["ternary", "gaussian"]}
`

// graphs parses what lockstep graph --json prints.
func graphs(t *testing.T, args ...string) (all []packGraph) {
	t.Helper()
	lines := json.NewDecoder(strings.NewReader(must(t, append([]string{"graph", "--json"}, args...)...)))
	for lines.More() {
		var g packGraph
		if err := lines.Decode(&g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func kinds(g packGraph) (kinds []string) {
	for _, u := range g.Units {
		kinds = append(kinds, u.Kind)
	}
	return kinds
}

func TestGraph(t *testing.T) {
	if !slices.Contains(cpu.Variants(), "avx2") {
		t.Skip("SKIPPED: chains and joint products need AVX2")
	}
	card := write(t, t.TempDir(), "wide.toml", wideCard)
	fused, plain := graphs(t, card), graphs(t, card, "--no-fuse")
	if len(fused) != 2 || len(plain) != 2 {
		t.Fatalf("%d and %d packs; want 2", len(fused), len(plain))
	}
	for i, f := range fused {
		p := plain[i]
		if f.Program != p.Program || f.FLOPs != p.FLOPs || f.Sum != p.Sum || f.Peak != p.Peak {
			t.Errorf("pack %d: what the program is hangs on fusion", i)
		}
		// 64 x 16 + 16 + 16 x 10 + 10 parameters; the forward products, the gradients of both weights, that of the hidden layer.
		if macs := int64(32 * (64*16 + 16*10 + 64*16 + 2*16*10)); i == 0 && f.MACs != macs || i == 0 && f.Codes != 2*40*1210 {
			t.Errorf("%d multiply-adds and %d codes; want %d and %d", f.MACs, f.Codes, macs, 2*40*1210)
		}
		if !slices.Contains(kinds(f), "chain") || slices.Contains(kinds(p), "chain") || slices.Contains(kinds(p), "joint") {
			t.Errorf("pack %d: fused %v, not fused %v", i, kinds(f), kinds(p))
		}
		if f.Scratch+f.Kept >= f.Sum || f.Peak > f.Sum || f.Parts == 0 || p.Parts != 0 {
			t.Errorf("pack %d: %+v", i, f)
		}
		if copied := int64(i * 2 * 4 * 40 * 1210); f.Copied != copied || p.Copied != 0 { // of each seed's dense basis
			t.Errorf("pack %d: %d bytes of copies, %d not fused; want %d, 0", i, f.Copied, p.Copied, copied)
		}
		if f.Once+f.Step != f.Lowered || p.Once+p.Step != p.Lowered {
			t.Errorf("pack %d: %d ops after the rewrites, of which %d run once and %d in every step", i, f.Lowered, f.Once, f.Step)
		}
		joint := 0
		for _, k := range kinds(f) {
			if k == "joint" {
				joint++
			}
		}
		if joint != 1+i || f.Kept == 0 || p.Block != 1 || p.Kept != 0 { // the ternary basis there; the dense one there and back
			t.Errorf("pack %d: %v, %d bytes kept; not fused, blocks of %d", i, kinds(f), f.Kept, p.Block)
		}
	}
	text := must(t, "graph", card)
	for _, want := range []string{"pack 2 of 2: 2 cells of 2 seeds, d = 40", "matmul+add", "FLOPs", "alive at once", "no two cells share: 378.1 KiB\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "no two cells share"); n != 1 {
		t.Errorf("copies are told of %d times; want once", n)
	}
}

// Where cells differ in d, the work of a step is told from the least to the most.
func TestGraphTellsTheRange(t *testing.T) {
	mixed := strings.NewReplacer("d = 40", `d = "$d"`, "axes = {", "axes = {d = [3, 40], ").Replace(wideCard)
	card := write(t, t.TempDir(), "mixed.toml", mixed)
	const macs = 32 * (64*16 + 16*10 + 64*16 + 2*16*10) // as in TestGraph
	const params = 64*16 + 16 + 16*10 + 10
	for i, g := range graphs(t, card) {
		want := packGraph{MACs: macs, Codes: 2 * 40 * params, LeastMACs: macs, LeastCodes: 2 * 3 * params} // P z, and back
		if i == 1 {
			want = packGraph{MACs: macs + 2*40*params, LeastMACs: macs + 2*3*params}
		}
		if g.MACs != want.MACs || g.Codes != want.Codes || g.LeastMACs != want.LeastMACs || g.LeastCodes != want.LeastCodes {
			t.Errorf("pack %d: %d to %d multiply-adds, %d to %d codes; want %d to %d, %d to %d", i+1, g.LeastMACs, g.MACs, g.LeastCodes, g.Codes,
				want.LeastMACs, want.MACs, want.LeastCodes, want.Codes)
		}
		if got, want := g.FLOPs-g.LeastFLOPs, 2*(g.MACs-g.LeastMACs)+g.Codes-g.LeastCodes; got != want || i > 1 {
			t.Errorf("pack %d: %d FLOPs between the least and the most; want %d", i+1, got, want)
		}
	}
	text := must(t, "graph", card)
	for _, want := range []string{"(80,896 multiply-adds, 7,260 to 96,800 ternary codes)", "(88,156 to 177,696 multiply-adds, 0 ternary codes)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// --no-fuse changes no bit of a sweep.
func TestNoFuseHasTheSameDigest(t *testing.T) {
	card := write(t, t.TempDir(), "wide.toml", wideCard)
	fused, plain := must(t, "sweep", "run", card), must(t, "sweep", "run", card, "--no-fuse", "--threads", "1")
	if fused != plain {
		t.Errorf("fused\n%s\nnot fused\n%s", fused, plain)
	}
}

func TestGraphRefuses(t *testing.T) {
	card := write(t, t.TempDir(), "tiny.toml", tiny)
	for _, c := range [][]string{
		{},
		{card, card},
		{filepath.Join(t.TempDir(), "none.toml")},
		{t.TempDir()},
		{card, "--pack", "0"},
		{card, "--threads", "-1"},
		{card, "--variant", "sse9"},
		{card, "--variant", "avx2,,"},
		{card, "--variant", ""},
		{card, "--set", "nothing"},
	} {
		if status, out, stderr := lockstep(append([]string{"graph"}, c...)...); status != 1 || out != "" || stderr == "" {
			t.Errorf("graph %q: status %d, %q, %q", c, status, out, stderr)
		}
	}
	if status, _, stderr := lockstep("bench", "--device", "cuda", "--no-fuse", "relu"); status != 1 || !strings.Contains(stderr, "no-fuse") {
		t.Errorf("--no-fuse on a card: status %d, %q", status, stderr)
	}
}
