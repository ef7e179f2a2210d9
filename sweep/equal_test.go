package sweep

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
)

// small is a card whose cells the laws alone train in seconds: all maps, all rules and schedules, mixed d.
const small = `
name = "small"
seeds = [1, 2]
steps = 7
batch = 9
data = {name = "digits"}
model = {layers = [{type = "linear", out = 5}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.1}
[[arms]]
name = "ternary"
map = {type = "ternary", d = "$d"}
axes = {d = [1, 3, 6, 8]}
[[arms]]
name = "gaussian"
map = {type = "gaussian", d = "$d"}
rule = {type = "adamw", lr = 0.1, wd = 0.1, schedule = {type = "cosine"}}
axes = {d = [2, 5]}
[[arms]]
name = "identity"
map = {type = "identity"}
rule = {type = "momentum", lr = "$lr", schedule = {type = "step", every = 3, gamma = 0.5}}
axes = {lr = [0.1, 0.01]}
[[arms]]
name = "projected"
map = {type = "parameters"}
rule = {type = "adamw", lr = 0.01, clip = 1, project = {onto = "$onto", k = 3}}
axes = {onto = ["top", "bulk"]}
`

func smallCells(t *testing.T) []Cell {
	t.Helper()
	card, err := ParseCard("small.toml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	// Seed 2 goes without the largest ternary d, so that its basis has pads that no cell of the pack owns; one cell stops early.
	cells = slices.DeleteFunc(cells, func(c Cell) bool { return c.Seed == 2 && c.Arm == "ternary" && c.Dim() > 3 })
	cells[1].Steps = 4
	return cells
}

// spy is an engine that poisons the pads of every ragged operand before each step, and notes what runs each node.
type spy struct {
	graph.Engine
	poison   bool
	poisoned int
	packs    int
	kernels  []graph.KernelInfo
}

type spyPack struct {
	graph.Pack
	spy   *spy
	cells int
	seeds []int
}

type spyExecutable struct {
	graph.Executable
	pack *spyPack
	p    *graph.Program
}

func (s *spy) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	s.packs++
	p, err := s.Engine.NewPack(cells, groups)
	return &spyPack{p, s, cells, groups[op.Seed]}, err
}

func (p *spyPack) Compile(prog *graph.Program) (graph.Executable, error) {
	x, err := p.Pack.Compile(prog)
	if err == nil {
		p.spy.kernels = append(p.spy.kernels, x.Kernels()...)
	}
	return &spyExecutable{x, p, prog}, err
}

func (x *spyExecutable) Run(ctx context.Context, steps int) error {
	for range steps {
		if x.pack.spy.poison {
			if err := x.poison(); err != nil {
				return err
			}
		}
		if err := x.Executable.Run(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// poison fills with NaN (ternary codes: with ones) what lies beyond d in z, in the rule's vectors, and in the basis beyond
// every d of its seed.
func (x *spyExecutable) poison() error {
	types := map[string]op.Type{}
	for _, in := range x.p.In {
		types[in.Name] = x.p.Types[in.V]
	}
	if _, ragged := types[dIn]; !ragged {
		return nil
	}
	for _, s := range x.p.State {
		if t := x.p.Types[s.In]; t.Rank == 2 && t.At(0) == 1 {
			types[s.Name] = t
		}
	}
	largest := map[int]uint32{}
	d := make([]uint32, x.pack.cells)
	for c := range d {
		b := make([]byte, 4)
		if err := x.pack.Read(dIn, c, b); err != nil {
			return err
		}
		d[c] = binary.LittleEndian.Uint32(b)
		largest[x.pack.seeds[c]] = max(largest[x.pack.seeds[c]], d[c])
	}
	for c := range d {
		for _, name := range []string{zState, "rule.m", "rule.v", basis} {
			t, ok := types[name]
			if !ok {
				continue
			}
			from := 4 * int(d[c])
			if name == basis {
				from = 4 * t.Words() / t.At(0) * int(largest[x.pack.seeds[c]])
			}
			b := make([]byte, 4*t.Words())
			if err := x.pack.Read(name, c, b); err != nil {
				return err
			}
			for i := from; i < len(b); i += 4 {
				x.pack.spy.poisoned++
				binary.LittleEndian.PutUint32(b[i:], 0xffffffff) // a NaN; all ternary codes -1
			}
			if err := x.pack.Write(name, c, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// One digest, whatever the packs, the threads, the variants and the pads. Under -tags purego only the laws are there.
func TestOneDigest(t *testing.T) {
	cells := smallCells(t)
	older := "" // of the cells without the arm that came later
	run := func(o cpu.Options, pack int, poison bool) (string, *spy) {
		t.Helper()
		engine, err := cpu.New(o)
		if err != nil {
			t.Fatal(err)
		}
		s := &spy{Engine: engine, poison: poison}
		results, err := Run(context.Background(), cells, Options{Engine: s, PackCells: pack})
		if err != nil {
			t.Fatal(err)
		}
		digest, err := Digest(results)
		if err != nil {
			t.Fatal(err)
		}
		older, err = Digest(slices.DeleteFunc(results, func(r Result) bool { return r.Arm == "projected" }))
		must(t, err)
		return digest, s
	}
	want, law := run(cpu.Options{Threads: 1, Variants: []string{cpu.Law}}, 1, false)
	t.Logf("the laws alone, one cell a pack: %s", want)
	if want != smallDigest || older != unprojectedDigest {
		t.Errorf("the laws alone give digests %s and %s; they were %s and %s", want, older, smallDigest, unprojectedDigest)
	}
	for _, k := range law.kernels {
		if k.Variant != cpu.Law {
			t.Errorf("with the law alone, %s ran %s", k.Variant, k.Op)
		}
	}
	for _, pack := range []int{1, 2, 7, 64} {
		for _, threads := range []int{1, 2} {
			for _, poison := range []bool{false, true} {
				got, s := run(cpu.Options{Threads: threads}, pack, poison)
				if got != want {
					t.Errorf("packs of %d, %d threads, poisoned pads %v: digest %s; want %s", pack, threads, poison, got, want)
				}
				if poison && pack > 1 && s.poisoned == 0 {
					t.Errorf("packs of %d: there was no pad to poison", pack)
				}
			}
		}
	}
	// Packs that do not fit are split, and a cell that does not fit alone is an error.
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &spy{Engine: engine}
	results, err := Run(context.Background(), cells, Options{Engine: s, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Digest(results); err != nil || got != want {
		t.Errorf("in 1 MiB: digest %s, %v; want %s", got, err, want)
	}
	if s.packs <= 3 {
		t.Errorf("%d packs in 1 MiB; want more than the 3 of unlimited memory", s.packs)
	}
	if _, err := Run(context.Background(), cells, Options{Engine: s, Memory: 1 << 10}); err == nil || !strings.Contains(err.Error(), "alone needs") {
		t.Errorf("in 1 KiB: %v", err)
	}
	if got, _ := run(cpu.Options{Threads: 2, NoFuse: true}, 64, true); got != want {
		t.Errorf("without fusion: digest %s; want %s", got, want)
	}
	if got, _ := run(cpu.Options{Threads: 2, Variants: cpu.Variants()}, 64, true); got != want {
		t.Errorf("all variants together: digest %s; want %s", got, want)
	}
	for _, v := range cpu.Variants() {
		if got, _ := run(cpu.Options{Threads: 2, Variants: []string{v}}, 64, true); got != want {
			t.Errorf("variant %s alone: digest %s; want %s", v, got, want)
		}
	}
}

// smallDigest is golden: a change of it is a change of the law.
const (
	smallDigest       = "0a25ce3495f76c06209780ed174c9c0bc2871822f11a484cc79ac102271b5401"
	unprojectedDigest = "b74936b04fdad20f22d6579f9dc8d6b88a7582f2a7ff7b2e3b20b7043bcf495b"
)

// A cell whose loss is not finite keeps the State before that step, and its neighbours do not notice.
func TestDivergedCellIsFrozen(t *testing.T) {
	cells := smallCells(t)
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Arm == "identity" })
	bad := slices.Clone(cells)
	bad[i].Rule.LR = mustDecimal(t, "1e38")
	run := func(cells []Cell) []Result {
		r, err := Run(context.Background(), cells, Options{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	good, with, without := run(cells), run(bad), run(slices.Delete(slices.Clone(cells), i, i+1))
	for k, r := range slices.Delete(slices.Clone(with), i, i+1) {
		if !reflect.DeepEqual(r, without[k]) {
			t.Errorf("cell (%s) gives something else in a pack without the diverging cell", r.Name())
		}
	}
	for k := range good {
		switch d := with[k].Declared; {
		case k != i && !reflect.DeepEqual(d, good[k].Declared):
			t.Errorf("cell %d changed beside a diverging one", k)
		case k == i && (!d.Diverged || d.Steps < 1 || d.Steps >= cells[i].Steps):
			t.Errorf("a learning rate of 1e38 gave %+v; want a diverged cell", d)
		case k == i:
			// Alone, stopped one step earlier, it has the same State.
			short := slices.Clone(bad[i : i+1])
			short[0].Steps = d.Steps
			if s := run(short)[0].Declared; s.Diverged || s.Z != d.Z {
				t.Errorf("frozen at step %d with z %s; stopped there by its steps: %+v", d.Steps, d.Z, s)
			}
		}
	}
}

// A cell whose last update blew it up has done its steps, but is worth nothing.
func TestLastUpdateTooFar(t *testing.T) {
	cells := smallCells(t)
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Arm == "identity" })
	cell := cells[i]
	cell.Rule.LR, cell.Steps = mustDecimal(t, "1e38"), 1
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(context.Background(), []Cell{cell}, Options{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	if r[0].Declared.Diverged || r[0].Derived.TestLoss != nil || r[0].Derived.Performance != 0 {
		t.Errorf("%+v, %+v; want a performance of 0 and no finite loss", r[0].Declared, r[0].Derived)
	}
	if text := Table(r); !strings.Contains(text, "loss not finite") {
		t.Errorf("the table does not tell:\n%s", text)
	}
}

func TestDigestIsOfDeclaredResults(t *testing.T) {
	a := Result{ID: fmt.Sprintf("%064x", 1), Law: 1, Declared: Declared{Steps: 3, TrainLoss: 0.5}}
	b := Result{ID: fmt.Sprintf("%064x", 2), Law: 1}
	digest := func(r ...Result) string {
		d, err := Digest(r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(a, b)
	if digest(b, a) != want {
		t.Error("the digest depends on the order of results")
	}
	c := a
	c.Arm, c.Derived.Performance = "other", 0.3
	if digest(c, b) != want {
		t.Error("the digest depends on what is not declared")
	}
	c.Declared.TrainLoss = 0.50000006
	if digest(c, b) == want {
		t.Error("the digest does not see a changed bit")
	}
	if _, err := Digest([]Result{a, a}); err == nil {
		t.Error("two results of one cell: no error")
	}
}

func mustDecimal(t *testing.T, s string) model.Decimal {
	t.Helper()
	d, err := model.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
