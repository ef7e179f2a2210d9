//go:build cuda

package gpu

import (
	"context"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"

	"lockstep/graph"
	"lockstep/sweep"
)

// tight is an engine that leaves a pack just so much of the card's memory as its plan says, less `less`.
type tight struct {
	*Engine
	t       *testing.T
	need    map[int]int64 // planned bytes, by the number of cells
	less    int64
	ballast []uint64
	spare   int64 // the least that was left over
	packs   int
}

func (e *tight) Plan(ps []*graph.Program, cells int, groups graph.Groups) (graph.Memory, error) {
	m, err := e.Engine.Plan(ps, cells, groups)
	e.need[cells] = m.Bytes
	return m, err
}

func (e *tight) NewPack(cells int, groups graph.Groups) (graph.Pack, error) {
	e.packs++
	err := e.do(func() error {
		free, err := e.dev.available()
		if err == nil && free > e.need[cells]-e.less {
			var p uint64
			p, err = e.dev.alloc(free - (e.need[cells] - e.less))
			e.ballast = append(e.ballast, p)
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	p, err := e.Engine.NewPack(cells, groups)
	return &tightPack{p, e}, err
}

// drop gives the ballast back.
func (e *tight) drop() error {
	ballast := e.ballast
	e.ballast = nil
	return e.do(func() (err error) {
		for _, p := range ballast {
			if err = e.dev.free(p); err != nil {
				break
			}
		}
		return err
	})
}

type tightPack struct {
	graph.Pack
	e *tight
}

func (p *tightPack) Close() error {
	err := p.e.do(func() error {
		free, err := p.e.dev.available()
		p.e.spare = min(p.e.spare, free)
		return err
	})
	if err == nil {
		err = p.e.drop()
	}
	if err == nil {
		err = p.Pack.Close()
	}
	return err
}

// Every map, and what a sweep reads and writes: cells of several seeds, with and without data, with test rows.
const planned = `
name = "planned"
seeds = [1, 2]
steps = 3
batch = 9
data = {name = "digits"}
model = {layers = [{type = "linear", out = 5}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.1}
[[arms]]
name = "ternary"
map = {type = "ternary", d = "$d"}
axes = {d = [1, 6]}
[[arms]]
name = "gaussian"
map = {type = "gaussian", d = "$d"}
rule = {type = "adamw", lr = 0.1, wd = 0.1, schedule = {type = "cosine"}}
axes = {d = [2]}
[[arms]]
name = "identity"
map = {type = "identity"}
rule = {type = "momentum", lr = "$lr", schedule = {type = "step", every = 3, gamma = 0.5}}
axes = {lr = [0.1, 0.01]}
[[arms]]
name = "toy"
data = {name = "toy"}
batch = 1
model = {init = "zeros", layers = [{type = "group-sum", groups = 10, size = 100}]}
map = {type = "ternary", d = 5}
`

// A pack runs in the bytes of its plan, and not in much less.
func TestPlanIsWhatAPackTakes(t *testing.T) {
	device0(t)
	if variable := "LOCKSTEP_EMU_MEMORY"; os.Getenv(variable) == "" { // the emulator fills what is allocated: let that be little
		child := osexec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), variable+"=33554432")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	e := &tight{Engine: device0(t), t: t, need: map[int]int64{}, spare: 1 << 40}
	emulated(t, e.Engine)
	card, err := sweep.ParseCard("planned.toml", []byte(planned))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 3, 4} {
		for _, arm := range []string{"ternary", "gaussian", "identity", "toy"} {
			some := slices.DeleteFunc(slices.Clone(cells), func(c sweep.Cell) bool { return c.Arm != arm })
			if n > len(some) {
				continue
			}
			if _, err := sweep.Run(context.Background(), some[:n], sweep.Options{Engine: e}); err != nil {
				t.Errorf("%d cells of %s: %v", n, arm, err)
			}
		}
	}
	t.Logf("%d packs; at least %d planned bytes were not used", e.packs, e.spare)
	if most := int64(16 << 10); e.spare > most {
		t.Errorf("every plan was %d bytes too large; want at most %d", e.spare, most)
	}
	e.less = e.spare + 1
	_, err = sweep.Run(context.Background(), cells[:1], sweep.Options{Engine: e})
	if err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_OUT_OF_MEMORY") || !strings.Contains(err.Error(), "MB are free") {
		t.Errorf("in less than the plan's bytes: %v", err)
	}
	if err := e.drop(); err != nil {
		t.Error(err)
	}
	works(t, e.Engine)
}
