package probe

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lockstep/graph"
	"lockstep/op"
	"lockstep/sweep"
)

// Point is a moment of the cells' trainings.
type Point struct {
	Name string // what results call it: its step; "end" where cells have different numbers of steps; "parameters" where these were given
	Step int    // -1: of no training
}

// Given is the only point of an estimation at given parameters.
const Given = "parameters"

// ParsePoints reads a list of steps, such as "0,100,end", of the trainings of cells: ascending, each once.
func ParsePoints(text string, cells []sweep.Cell) (points []Point, err error) {
	least, most := cells[0].Steps, cells[0].Steps
	for _, c := range cells {
		least, most = min(least, c.Steps), max(most, c.Steps)
	}
	for _, word := range strings.Split(text, ",") {
		p := Point{"end", most}
		if word = strings.TrimSpace(word); word != p.Name {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n > least {
				return nil, fmt.Errorf("%q is no step of these trainings; want numbers of 0 to %d, or end, with commas between them", word, least)
			}
			p = Point{strconv.Itoa(n), n}
		} else if least == most {
			p.Name = strconv.Itoa(most)
		}
		if !slices.Contains(points, p) {
			points = append(points, p)
		}
	}
	slices.SortStableFunc(points, func(a, b Point) int { return a.Step - b.Step })
	return points, nil
}

// Snapshot is what the models are at a point.
type Snapshot struct {
	At    string      `json:"at"`
	Steps []int       `json:"steps"`  // that each model's training has done: fewer than At where its loss was not finite; -1: of no training
	Theta [][]float32 `json:"-"`      // [models][D]
	Hash  []string    `json:"sha256"` // of each model's parameters, float32 little endian
	// Loss is each model's mean over the rows of the matrix; null where it is not finite. It is not declared.
	Loss []*float64 `json:"loss,omitempty"`
}

func (s *Snapshot) hash() {
	s.Hash = nil
	for _, t := range s.Theta {
		s.Hash = append(s.Hash, hashOf(op.Bytes(op.Float32s(op.S(len(t)), t...).W)))
	}
}

// trained is what training gave.
type trained struct {
	Snapshots []Snapshot `json:"snapshots"`
	Compared  string     `json:"compared,omitempty"` // what was held against a ledger
}

// train takes the cells to every point. recorded are the results of a finished sweep, by identity, against which every number that the trainings give is
// held; nil: there are none.
func train(ctx context.Context, cells []sweep.Cell, e graph.Engine, points []Point, recorded map[string]sweep.Result, told func(done, of int)) (t trained, err error) {
	t.Snapshots = make([]Snapshot, len(points))
	for i, p := range points {
		t.Snapshots[i] = Snapshot{At: p.Name, Steps: make([]int, len(cells)), Theta: make([][]float32, len(cells))}
	}
	place := map[string]int{}
	for i, c := range cells {
		place[c.ID()] = i
	}
	packs, err := sweep.Programs(cells, trainedAtOnce)
	if err != nil {
		return t, err
	}
	steps := points[len(points)-1].Step
	for i, p := range packs {
		w := &walk{engine: e, cells: p.Cells, place: place, recorded: recorded, told: func(done int) { told(i*steps+done, len(packs)*steps) }}
		if err := w.through(ctx, points, t.Snapshots); err != nil {
			return t, err
		}
	}
	for i := range t.Snapshots {
		t.Snapshots[i].hash()
	}
	switch {
	case recorded == nil:
	case !slices.ContainsFunc(cells, func(c sweep.Cell) bool { return steps < c.Steps }):
		t.Compared = "every declared result of the trained cells, their final training losses among them, is the ledger's, to the bit"
	default:
		t.Compared = fmt.Sprintf("the losses of the batches of the trainings' first %d steps are the ledger's, to the bit, as far as it keeps them", steps)
	}
	return t, nil
}

// Beginnings are the parameters at which the cells begin, [cells][D].
func Beginnings(ctx context.Context, cells []sweep.Cell, e graph.Engine) ([][]float32, error) {
	t, err := train(ctx, cells, e, []Point{{"0", 0}}, nil, func(int, int) {})
	if err != nil {
		return nil, err
	}
	return t.Snapshots[0].Theta, nil
}

const (
	trainedAtOnce = 64  // cells, as in a sweep
	stepsAtOnce   = 256 // of training, before progress is told
)

// walk is the training of one pack through all points.
type walk struct {
	engine   graph.Engine
	cells    []sweep.Cell
	place    map[string]int // of a cell among all
	recorded map[string]sweep.Result
	told     func(done int)
}

func (w *walk) through(ctx context.Context, points []Point, all []Snapshot) error {
	t, err := sweep.NewTraining(ctx, w.cells, w.engine)
	if err != nil {
		return err
	}
	defer t.Close()
	done := 0
	for i, p := range points {
		for done < p.Step {
			n := min(p.Step-done, stepsAtOnce)
			if err := t.Run(ctx, n); err != nil {
				return err
			}
			done += n
			w.told(done)
		}
		theta, err := t.Theta(ctx)
		if err != nil {
			return err
		}
		for k, c := range w.cells {
			at := w.place[c.ID()]
			all[i].Theta[at] = theta[k]
			if all[i].Steps[at], err = t.Steps(k); err != nil {
				return err
			}
		}
	}
	if w.recorded == nil {
		return nil
	}
	return w.compare(ctx, t, done)
}

// compare holds what the training has given after so many steps against the ledger.
func (w *walk) compare(ctx context.Context, t *sweep.Training, done int) error {
	results, err := t.Results(ctx)
	if err != nil {
		return err
	}
	for i, c := range w.cells {
		want, have := w.recorded[c.ID()].Declared, results[i].Declared
		if done < c.Steps { // what it ends with is not known; its losses are a part of the ledger's
			kept := want.Losses[:min(len(have.Losses), len(want.Losses))]
			want = have
			want.Losses = kept
		}
		differ, err := sweep.Differences(have, want)
		if err != nil {
			return err
		}
		if len(differ) > 0 {
			return fmt.Errorf("cell (%s), trained again, is not that of the ledger: %s (%d numbers differ); lockstep sweep verify tells which cells do", c.Name(), differ[0], len(differ))
		}
	}
	return nil
}
