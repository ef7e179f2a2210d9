package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/op"
)

// A pack that is trained by hand is where a sweep's cells end, and no other cell's.
func TestTrainingIsTheSweeps(t *testing.T) {
	card, err := ParseCard("card", []byte(`
name = "training"
seeds = [3, 4]
steps = 7
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = 8}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = "$lr"}
map = {type = "ternary", d = 5}
axes = {lr = [0.1, 0.01, 1e30]} # the last ones diverge
`))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	want, err := Run(ctx, cells, Options{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	step, setup, groups, err := TrainingPrograms(cells)
	if err != nil || len(step.State) == 0 || len(setup.Out) != 2 || len(groups[op.Seed]) != len(cells) {
		t.Errorf("%v, %v, %v, %v", step, setup, groups, err)
	}
	tr, err := NewTraining(ctx, cells, engine)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for range 2 { // the second time after a Reset
		if err := tr.Run(ctx, 3); err != nil {
			t.Fatal(err)
		}
		if n, err := tr.Steps(3); n != 3 || err != nil {
			t.Errorf("cell 3 has done %d steps, %v; want 3", n, err)
		}
		if err := tr.Run(ctx, 4); err != nil {
			t.Fatal(err)
		}
		for i := range cells {
			z, err := tr.Z(i)
			if err != nil {
				t.Fatal(err)
			}
			if h := sha256.Sum256(z); hex.EncodeToString(h[:]) != want[i].Declared.Z {
				t.Errorf("cell %d ends elsewhere than in the sweep", i)
			}
		}
		results, err := tr.Results(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if d, err := Differences(r.Declared, want[i].Declared); err != nil || len(d) > 0 || r.ID != want[i].ID {
				t.Errorf("cell %d: %v, %v", i, d, err)
			}
		}
		if err := tr.Reset(ctx); err != nil {
			t.Fatal(err)
		}
	}
	other := cells[0]
	other.Batch = 8
	if _, err := NewTraining(ctx, append(cells[:1:1], other), engine); err == nil || !strings.Contains(err.Error(), "2 packs") {
		t.Errorf("cells of two packs: %v", err)
	}
	small := cells[1]
	small.Map.D = 3
	if _, err := NewTraining(ctx, []Cell{small, cells[0]}, engine); err == nil || !strings.Contains(err.Error(), "largest d first") {
		t.Errorf("cells out of order: %v", err)
	}
}

// The parameters of a cell on its way are M(z): in the full space theta0 + z, one float32 addition each.
func TestTheta(t *testing.T) {
	cells := smallCells(t)
	cells = slices.DeleteFunc(cells, func(c Cell) bool { return c.Map.Type != "identity" })[:1]
	D := cells[0].Model.D()
	tr, err := NewTraining(t.Context(), cells, newCounted(t))
	must(t, err)
	defer tr.Close()
	theta := func() []float32 {
		all, err := tr.Theta(t.Context())
		must(t, err)
		if len(all) != 1 || len(all[0]) != D {
			t.Fatalf("%d vectors; want one of %d", len(all), D)
		}
		return all[0]
	}
	start := theta()
	must(t, tr.Run(t.Context(), 3))
	now := theta()
	b, err := tr.Z(0)
	must(t, err)
	w := make([]uint32, D)
	op.PutWords(w, b)
	z, moved := op.Tensor{W: w}.F(), 0
	for i := range now {
		if now[i] != start[i]+z[i] {
			t.Fatalf("parameter %d is %v; want %v + %v", i, now[i], start[i], z[i])
		}
		if z[i] != 0 {
			moved++
		}
	}
	results, err := tr.Results(t.Context())
	must(t, err)
	if d := results[0].Declared; moved == 0 || d.Steps != 3 || d.Diverged {
		t.Errorf("%d parameters have moved in three steps; the result is %+v", moved, d)
	}
	x, y := cells[0].TrainingRows()
	set := cells[0].set
	train, _ := set.Split()
	if x.At(0) != len(train) || y.At(0) != len(train) || !slices.Equal(x.F()[3*set.In:4*set.In], set.X[train[3]*set.In:(train[3]+1)*set.In]) || y.W[3] != set.Y[train[3]] {
		t.Errorf("rows %v and targets %v are not those to train on", x.Type, y.Type)
	}
	other := results[0].Declared
	other.TrainLoss++
	if d, err := Differences(other, results[0].Declared); err != nil || len(d) != 1 || !strings.HasPrefix(d[0], "train_loss is ") {
		t.Errorf("differences %q, %v", d, err)
	}
}

// The losses that a result keeps are those of LossSteps: a shorter training ends with the loss that a longer one has at that step.
func TestKeptLosses(t *testing.T) {
	engine := newCounted(t)
	losses := func(steps int) []Hex {
		cell := smallCells(t)[0]
		cell.Steps = steps
		results, err := Run(t.Context(), []Cell{cell}, Options{Engine: engine})
		must(t, err)
		return results[0].Declared.Losses
	}
	long := losses(200)
	if len(long) != keptLosses {
		t.Fatalf("%d losses are kept of 200 steps", len(long))
	}
	for _, k := range []int{0, 1, 2, 33, 62, 63} {
		at := LossSteps(200)[k]
		if short := losses(at + 1); short[len(short)-1] != long[k] {
			t.Errorf("loss %d is %v; that of step %d is %v", k, long[k], at, short[len(short)-1])
		}
	}
}
