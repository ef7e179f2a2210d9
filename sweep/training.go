package sweep

import (
	"context"
	"errors"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

// Training is the training of one pack and nothing else: no ledger, no checkpoints. It is for whoever wants to time the steps of a
// sweep, or to look at cells on their way; Run is for whoever wants results.
type Training struct {
	job *job
	exe graph.Executable
	ran int // steps that were asked for since the beginning
}

// TrainingPrograms are the programs of the cells' pack: of a step, and of what is computed once for each seed; and its groups.
// Error: the cells do not fit into one pack.
func TrainingPrograms(cells []Cell) (step, setup *graph.Program, groups graph.Groups, err error) {
	plan, err := onePack(cells)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := plan.trainingPrograms()
	return p.Step, p.Setup, p.Groups, err
}

// PackPrograms is what the cells of one pack run.
type PackPrograms struct {
	Cells       []Cell
	Step, Setup *graph.Program // of a step of training; of what is computed once for each seed
	Groups      graph.Groups
}

// Programs plans the packs of cells, of at most so many, as Run does, and traces their programs. Error: the cell that cannot be.
func Programs(cells []Cell, most int) (all []PackPrograms, err error) {
	packs, err := planPacks(cells, most)
	if err != nil {
		return nil, err
	}
	for _, plan := range packs {
		p, err := plan.trainingPrograms()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// trainingPrograms traces what the pack trains with.
func (plan *packPlan) trainingPrograms() (p PackPrograms, err error) {
	capacity := plan.capacity()
	p = PackPrograms{Cells: plan.cells, Groups: graph.Groups{op.Seed: plan.seeds()}}
	if p.Step, err = plan.recipe.training(capacity); err == nil {
		p.Setup, err = plan.recipe.setup(capacity)
	}
	return p, err
}

// NewTraining makes a pack of the cells, in the same order, at their beginnings. Error: as TrainingPrograms, or the engine's.
func NewTraining(ctx context.Context, cells []Cell, e graph.Engine) (t *Training, err error) {
	plan, err := onePack(cells)
	if err != nil {
		return nil, err
	}
	j, err := plan.alone(e)
	if err != nil {
		return nil, err
	}
	t = &Training{job: j}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
			t = nil
		}
	}()
	if err = j.bind(); err != nil {
		return t, err
	}
	if err = j.once(ctx)(plan.recipe.setup(j.capacity)); err != nil {
		return t, err
	}
	step, err := plan.recipe.training(j.capacity)
	if err != nil {
		return t, err
	}
	t.exe, err = j.start(ctx, step)
	return t, err
}

// alone is the pack by itself on an engine, of no sweep.
func (plan *packPlan) alone(e graph.Engine) (j *job, err error) {
	j = &job{packPlan: plan, worker: &worker{runner: newRunner(Options{Engine: e}, nil), engine: e}, capacity: plan.capacity(), seeds: plan.seeds()}
	j.pack, err = e.NewPack(len(plan.cells), graph.Groups{op.Seed: j.seeds})
	return j, err
}

// onePack plans the only pack of the cells.
func onePack(cells []Cell) (*packPlan, error) {
	packs, err := planPacks(cells, max(1, len(cells)))
	switch {
	case err != nil:
		return nil, err
	case len(packs) != 1:
		return nil, fmt.Errorf("%d cells make %d packs; want cells of one", len(cells), len(packs))
	}
	for i, at := range packs[0].index {
		if i != at {
			return nil, fmt.Errorf("cell %d (%s) comes before a cell of smaller d; want the largest d first", at, cells[at].Name())
		}
	}
	return packs[0], nil
}

// Reset takes every cell back to its beginning.
func (t *Training) Reset(ctx context.Context) error {
	t.ran = 0
	return t.exe.Reset(ctx)
}

// Run trains every cell for so many steps more, but none beyond its Steps.
func (t *Training) Run(ctx context.Context, steps int) error {
	t.ran += steps
	return t.exe.Run(ctx, steps)
}

// Kernels tells what runs each node of a step.
func (t *Training) Kernels() []graph.KernelInfo { return t.exe.Kernels() }

// Steps is how many steps the cell has done since its beginning: fewer than it ran when its loss was not finite.
func (t *Training) Steps(cell int) (int, error) {
	w, err := t.job.word(stepDone, cell)
	return int(w), err
}

// Z is the cell's z, d entries, little endian.
func (t *Training) Z(cell int) ([]byte, error) {
	b := make([]byte, 4*t.job.capacity)
	err := t.job.pack.Read(zState, cell, b)
	return b[:4*t.job.cells[cell].Dim()], err
}

// Close gives the pack back.
func (t *Training) Close() (err error) {
	if t.exe != nil {
		err = t.exe.Close()
	}
	return errors.Join(err, t.job.pack.Close())
}
