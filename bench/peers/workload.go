package main

import (
	"fmt"
	"strconv"
	"strings"

	"lockstep/model"
	"lockstep/studies"
	"lockstep/sweep"
)

// The network and its training are those of the digits study (studies/intrinsic-digits.toml) at width 64: D = 8,970.
const (
	dim   = 100 // of z in a subspace
	batch = 128 // rows of a step
	agree = 20  // steps after which z is compared
	drawn = 64  // steps whose rows the peers are given; they walk them again and again
)

// space is where the cells of a pack are trained.
type space string

const (
	full space = "full" // all parameters; each cell has a seed of its own
	each space = "each" // theta0 + P z, d = 100; each cell has a seed, and so a basis, of its own
	one  space = "one"  // theta0 + P z, d = 100; all cells are of one seed, and differ in their learning rate
)

var spaces = []space{full, each, one}

// workload is a pack of cells in training.
type workload struct {
	Space space
	Cells int
}

func (w workload) String() string { return fmt.Sprintf("train/%s/cells=%d", w.Space, w.Cells) }

// seeds is how many seeds the cells have.
func (w workload) seeds() int {
	if w.Space == one {
		return 1
	}
	return w.Cells
}

// rates are the learning rates of the cells; that of the first does not hang on the number of cells.
func (w workload) rates() (all []float64) {
	for i := range w.Cells {
		switch w.Space {
		case full:
			all = append(all, 0.003)
		case each:
			all = append(all, 0.1)
		default:
			all = append(all, 0.1*(1-float64(i)/256))
		}
	}
	return all
}

// longest is a number of steps that no burst reaches.
const longest = 1 << 24

// cells are the cells for lockstep, in a subspace by the given map.
func (w workload) cells(mapType string) ([]sweep.Cell, error) {
	how := fmt.Sprintf("{type = %q, d = %d}", mapType, dim)
	if w.Space == full {
		how = `{type = "identity"}`
	}
	rates := w.rates()
	if w.Space != one {
		rates = rates[:1] // the cells differ in their seeds
	}
	var list []string
	for _, r := range rates {
		list = append(list, strconv.FormatFloat(r, 'g', -1, 64))
	}
	card, err := sweep.ParseCard("peers", fmt.Appendf(nil, `
name  = "peers"
seeds = {range = [0, %d]}
steps = %d
batch = %d
data  = {name = "digits"}
model = {init = "he", layers = [{type = "linear", out = 64}, {type = "relu"}, {type = "linear", out = 64}, {type = "relu"}, {type = "linear", out = 10}]}
rule  = {type = "adam", lr = "$lr"}
map   = %s
axes  = {lr = [%s]}
`, w.seeds()-1, longest, batch, how, strings.Join(list, ", ")))
	if err != nil {
		return nil, err
	}
	return card.Cells()
}

// job is a whole small sweep: the digits study at width 64, nine d and a baseline by three seeds, 1,000 steps.
type job struct {
	steps int
	d     []int // few: of a rehearsal; nil: the study's
}

func (j job) String() string { return fmt.Sprintf("job/%d", j.steps) }

func (j job) cells(mapType string) ([]sweep.Cell, error) {
	card, err := studies.Named("intrinsic-digits")
	if err != nil {
		return nil, err
	}
	settings := []string{"axes.width=[64]", fmt.Sprintf("steps=%d", j.steps), "map.type=" + mapType}
	if j.d != nil {
		settings = append(settings, "arms.subspace.axes.d="+strings.ReplaceAll(fmt.Sprint(j.d), " ", ","))
	}
	for _, s := range settings {
		if err := card.Set(s); err != nil {
			return nil, err
		}
	}
	return card.Cells()
}

// facts are what a peer is told of the job: the ascending d, and the learning rates in the subspaces and of the baselines.
func (j job) facts() (d []int, lr, baseline float64, err error) {
	cells, err := j.cells("ternary")
	if err != nil {
		return nil, 0, 0, err
	}
	for _, c := range cells {
		switch {
		case c.Map.Type == "identity":
			baseline = rateOf(c.Rule)
		case c.Seed == cells[0].Seed:
			d, lr = append(d, c.Dim()), rateOf(c.Rule)
		}
	}
	return d, lr, baseline, nil
}

func rateOf(r model.Rule) float64 {
	for _, c := range r.Constants() {
		if c.Name == "lr" {
			return float64(c.Value)
		}
	}
	return 0
}

// product is a batch of products of n x n by n x n matrices.
type product struct{ Batch, N int }

func (p product) String() string {
	return fmt.Sprintf("matmul/%dx%dx%d/cells=%d", p.N, p.N, p.N, p.Batch)
}

// macs is the number of multiply-adds.
func (p product) macs() float64 { return float64(p.Batch) * float64(p.N) * float64(p.N) * float64(p.N) }
