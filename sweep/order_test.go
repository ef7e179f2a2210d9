package sweep

import (
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/op"
)

// TestOrderOfGroups: rows that stay together come together, in their order, and an epoch has each once.
func TestOrderOfGroups(t *testing.T) {
	r := &recipe{train: 24, batch: 8, together: 4}
	p, err := graph.Trace(func(b *graph.Builder) {
		step := b.State("step", b.FillU(0), op.Cell)
		b.Next(step, b.Do(op.IAdd{}, step, b.FillU(1)))
		b.OutputOver("rows", r.order(b, b.Input("key", op.T(op.U32, op.Shared, 2)), step), op.Cell)
	})
	must(t, err)
	e, err := cpu.New(cpu.Options{})
	must(t, err)
	defer e.Close()
	pack, err := e.NewPack(1, nil)
	must(t, err)
	key := op.Key(5, "order")
	must(t, pack.Put("key", op.T(op.U32, op.Shared, 2), 0, op.Bytes(key[:])))
	x, err := pack.Compile(p)
	must(t, err)
	must(t, x.Reset(t.Context()))
	var epochs [2][]uint32
	for step := range 6 { // two epochs
		must(t, x.Run(t.Context(), 1))
		b, w := make([]byte, 4*8), make([]uint32, 8)
		must(t, pack.Read("rows", 0, b))
		op.PutWords(w, b)
		for i := 0; i < 8; i += 4 {
			if w[i]%4 != 0 || w[i+1] != w[i]+1 || w[i+2] != w[i]+2 || w[i+3] != w[i]+3 {
				t.Fatalf("step %d: rows %v are not whole groups of 4", step, w)
			}
		}
		epochs[step/3] = append(epochs[step/3], w...)
	}
	if slices.Equal(epochs[0], epochs[1]) {
		t.Error("two epochs have one order")
	}
	for _, e := range epochs {
		slices.Sort(e)
		for i, row := range e {
			if int(row) != i {
				t.Fatalf("an epoch has rows %v; want each of 24 once", e)
			}
		}
	}
	c, err := ParseCard("test.toml", []byte(`
name = "together"
seeds = [1]
steps = 1
batch = 9
data = {name = "marker-addition", markers = 1, rows = 16, together = 8}
model = {layers = [{type = "embedding", vocab = 256, out = 4}, {type = "last"}, {type = "linear", out = 8}]}
rule = {type = "sgd", lr = 0.1}
`))
	must(t, err)
	if _, err = c.Cells(); err == nil || !strings.Contains(err.Error(), "batch is 9; of data marker-addition 8 rows stay together") {
		t.Errorf("a batch of parts of groups: error %v", err)
	}
}
