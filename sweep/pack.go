package sweep

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"lockstep/data"
	"lockstep/graph"
	"lockstep/model"
	"lockstep/op"
	"lockstep/subspace"
)

// packPlan is a pack to be: cells of one recipe.
type packPlan struct {
	recipe *recipe
	set    *data.Set
	cells  []Cell
	index  []int // of each cell in the sweep
	lost   error // of an engine that was lost while it worked on these cells; nil: none was
	// snapshots tells that their parameters are shown along the training.
	snapshots bool
}

// recipeOf collects what shapes a cell's programs.
func recipeOf(c Cell) (*recipe, error) {
	m := subspace.Named(c.Map.Type)
	if m == nil {
		return nil, fmt.Errorf("no map is called %q", c.Map.Type)
	}
	set := c.set
	shape := model.Rule{Type: c.Rule.Type, Schedule: model.Schedule{Type: c.Rule.Schedule.Type, Every: c.Rule.Schedule.Every}, Project: c.Rule.Project}
	if c.Rule.Clips() {
		shape.Clip = model.Dec("1") // that it clips; at what is an input
	}
	return &recipe{
		model: c.Model, rule: shape, subspace: m, loss: model.Loss(set.Loss()), batch: c.Batch,
		in: set.In, out: set.Out(), train: set.N - set.Test(), test: set.Test(), together: max(1, set.Together),
	}, nil
}

// planPacks groups cells whose programs, traced without d, are the same, and cuts the groups into packs. Within a pack the
// cells with most work come first, so that threads finish together.
func planPacks(cells []Cell, most int) ([]*packPlan, error) {
	if most < 1 {
		return nil, fmt.Errorf("packs of %d cells; want at least 1", most)
	}
	groups := map[string]*packPlan{}
	var order []*packPlan
	keys := keyring{}
	for i, c := range cells {
		r, err := recipeOf(c)
		if err != nil {
			return nil, fmt.Errorf("cell %s: %w", c.Name(), err)
		}
		key, err := keys.of(r, c.set)
		if err != nil {
			return nil, fmt.Errorf("cell %s: %w", c.Name(), err)
		}
		if groups[key] == nil {
			groups[key] = &packPlan{recipe: r, set: c.set}
			order = append(order, groups[key])
		}
		groups[key].cells = append(groups[key].cells, c)
		groups[key].index = append(groups[key].index, i)
	}
	var packs []*packPlan
	for _, g := range order {
		byWork := make([]int, len(g.cells))
		for i := range byWork {
			byWork[i] = i
		}
		slices.SortStableFunc(byWork, func(a, b int) int { return cmp.Compare(g.cells[b].Dim(), g.cells[a].Dim()) })
		for part := range slices.Chunk(byWork, most) {
			p := &packPlan{recipe: g.recipe, set: g.set}
			for _, i := range part {
				p.cells, p.index = append(p.cells, g.cells[i]), append(p.index, g.index[i])
			}
			packs = append(packs, p)
		}
	}
	return packs, nil
}

// keyring remembers the keys of recipes, so that each is traced once, however many cells it has.
type keyring map[string]string

// of names the programs of a recipe without d, and the data that they run on.
func (k keyring) of(r *recipe, set *data.Set) (key string, err error) {
	text := fmt.Sprintf("%x %#v", set.Hash, *r)
	key, known := k[text]
	if !known {
		key, err = r.key(set)
		k[text] = key
	}
	return key, err
}

func (r *recipe) key(set *data.Set) (string, error) {
	capacity := r.capacity(1)
	setup, err := r.setup(capacity)
	if err != nil {
		return "", err
	}
	training, err := r.training(capacity)
	if err != nil {
		return "", err
	}
	a, b := setup.Hash(), training.Hash()
	return hex.EncodeToString(slices.Concat(set.Hash[:], a[:], b[:])), nil
}

// fit cuts packs in halves until the engine's plan of each needs at most limit bytes. Error: a cell that needs more alone.
func fit(packs []*packPlan, engine graph.Engine, limit int64) (fitting []*packPlan, err error) {
	for len(packs) > 0 {
		p := packs[0]
		packs = packs[1:]
		programs, err := p.programs()
		if err != nil {
			return nil, err
		}
		need, err := engine.Plan(programs, len(p.cells), graph.Groups{op.Seed: p.seeds()})
		switch half := len(p.cells) / 2; {
		case err != nil:
			return nil, err
		case need.Bytes <= limit:
			fitting = append(fitting, p)
		case half == 0:
			return nil, fmt.Errorf("cell (%s) alone needs %.1f MB on the %s engine; there are %.1f MB",
				p.cells[0].Name(), megabytes(need.Bytes), engine.Name(), megabytes(limit))
		default:
			packs = append(p.halves(), packs...)
		}
	}
	return fitting, nil
}

// halves cuts a pack in two.
func (p *packPlan) halves() []*packPlan {
	a, b, half := *p, *p, len(p.cells)/2
	a.cells, a.index = p.cells[:half], p.index[:half]
	b.cells, b.index = p.cells[half:], p.index[half:]
	return []*packPlan{&a, &b}
}

// spread cuts the packs with most cells in halves until there are n packs, or none has two cells.
func spread(packs []*packPlan, n int) []*packPlan {
	for len(packs) < n {
		most := 0
		for i, p := range packs {
			if len(p.cells) > len(packs[most].cells) {
				most = i
			}
		}
		if len(packs) == 0 || len(packs[most].cells) < 2 {
			break
		}
		packs = slices.Replace(packs, most, most+1, packs[most].halves()...)
	}
	return packs
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// seeds is the slot of each cell's seed.
func (p *packPlan) seeds() (slots []int) {
	slot := map[uint64]int{}
	for _, c := range p.cells {
		if _, ok := slot[c.Seed]; !ok {
			slot[c.Seed] = len(slot)
		}
		slots = append(slots, slot[c.Seed])
	}
	return slots
}

// capacity is the number of entries that the pack's z are padded to.
func (p *packPlan) capacity() int {
	largest := 1
	for _, c := range p.cells {
		largest = max(largest, c.Dim())
	}
	return p.recipe.capacity(largest)
}

// programs are those that the pack runs.
func (p *packPlan) programs() (all []*graph.Program, err error) {
	add := func(prog *graph.Program, e error) {
		all = append(all, prog)
		if err == nil {
			err = e
		}
	}
	capacity := p.capacity()
	add(p.recipe.training(capacity))
	add(p.recipe.setup(capacity))
	if p.snapshots {
		add(p.recipe.parameters(capacity))
	}
	theta := p.recipe.trained(capacity)
	add(p.recipe.evaluation("train", p.recipe.train, min(evalRows, p.recipe.train), theta))
	add(summary("train", p.recipe.train))
	if p.recipe.test > 0 {
		add(p.recipe.evaluation("test", p.recipe.test, min(evalRows, p.recipe.test), theta))
		add(summary("test", p.recipe.test))
	}
	return all, err
}
