package studies

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"lockstep/analysis/trajectory"
	"lockstep/graph"
	"lockstep/internal/files"
	"lockstep/sweep"
)

// PathFile is where a study keeps what it measured of its cells' paths, in its folder.
const PathFile = "paths.json"

// CellPath is what was measured of the path of a cell. Declared hashes its declared numbers (commutators, gradients, entropies, tridiagonal matrices,
// scores); all else is derived from them and from the snapshots.
type CellPath struct {
	ID       string       `json:"id"`
	Point    string       `json:"point"` // arm and axes: where in the card it stands, but for the seed
	Measured sweep.Path   `json:"measured"`
	Every    int          `json:"every"` // so many steps there is a snapshot
	Steps    []int        `json:"steps"`
	Matrices []MatrixPath `json:"matrices,omitempty"` // where components are measured
	Moments  []Moment     `json:"moments"`
	// The plain nulls: paths of as many snapshots without direction, the second with momentum 0.9 from one snapshot to the next. Those that have a matrix's own
	// lengths of steps are in Matrices.
	Walk     trajectory.Null `json:"random_walk"`
	Ball     trajectory.Null `json:"random_walk_with_momentum"`
	Declared string          `json:"declared"`
}

// Moment is what was measured at a snapshot: means over the pairs of batches, but for Defect and Norm.
type Moment struct {
	Step    int    `json:"step"`
	Defect  Number `json:"defect"`           // median of |commutator| / (|g_A| |g_B|)
	Norm    Number `json:"norm"`             // median of |commutator|
	Share   Number `json:"share,omitempty"`  // of the commutator's norm, in the span of the matrices' first components
	Random  Number `json:"random,omitempty"` // in random bases confined to the same matrices, mean over the trials
	Entropy Number `json:"entropy"`          // of the last attention layer at the last position, nats; 0 without attention

	Eigenvalues []Eigenvalue  `json:"eigenvalues,omitempty"` // the largest first
	Scores      *sweep.Scores `json:"scores,omitempty"`
}

// Number is a float64 that JSON has as null where it is not finite, as of parameters that lead nowhere.
type Number float64

func (x Number) MarshalJSON() ([]byte, error) {
	if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

func (x *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*x = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(x))
}

// Eigenvalue is one of the Hessian: one of the true ones is not farther from Value than Error, as curvature.Ritz has it.
type Eigenvalue struct {
	Value Number `json:"value"`
	Error Number `json:"error"`
}

// TrainAccuracy is NaN where scores are not measured; so is TestAccuracy, and where there are no test rows.
func (m Moment) TrainAccuracy() float64 {
	if m.Scores == nil {
		return math.NaN()
	}
	return float64(m.Scores.TrainCorrect) / float64(m.Scores.TrainRows)
}

func (m Moment) TestAccuracy() float64 {
	if m.Scores == nil {
		return math.NaN()
	}
	return float64(m.Scores.TestCorrect) / float64(m.Scores.TestRows)
}

// pointOf names the point of a card at which a cell stands.
func pointOf(c sweep.Cell) string {
	if len(c.Axes) == 0 {
		return c.Arm
	}
	return c.Arm + ", " + name(c.Axes)
}

// MeasurePaths measures the paths of the cells whose snapshots lie in dir, and keeps what it has after each cell in PathFile there; what that file holds
// already is not measured again. progress is told of the parts done of a whole; it may be nil.
func MeasurePaths(ctx context.Context, e graph.Engine, card *sweep.Card, cells []sweep.Cell, dir string, progress func(part, whole int)) ([]CellPath, error) {
	if card.Path == nil {
		return nil, nil
	}
	have, err := ReadPaths(dir)
	if err != nil {
		return nil, err
	}
	var all []CellPath
	done, whole := 0, 0
	for _, c := range cells {
		whole += c.Steps/card.Snapshots + 1
	}
	for i, c := range cells {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if at := measured(have, c, card); at >= 0 {
			all = append(all, have[at])
			done += len(have[at].Steps)
			continue
		}
		steps, thetas, err := sweep.ReadSnapshots(dir, c, card.Snapshots)
		if err != nil {
			return nil, err
		}
		p, err := measurePath(ctx, e, *card.Path, c, steps, thetas, func(part int) {
			if progress != nil {
				progress(done+part, whole)
			}
		})
		p.Every = card.Snapshots
		done += len(thetas)
		if err != nil {
			return nil, fmt.Errorf("cell (%s): %w", c.Name(), err)
		}
		all = append(all, p)
		text, err := json.MarshalIndent(append(all[:len(all):len(all)], later(have, cells[i+1:], card)...), "", " ")
		if err != nil {
			return nil, err
		}
		if err := files.WriteWhole(filepath.Join(dir, PathFile), text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// measured is where a cell's path, as a card has it measured, is among those that a folder has; -1: nowhere.
func measured(have []CellPath, c sweep.Cell, card *sweep.Card) int {
	return slices.IndexFunc(have, func(p CellPath) bool {
		return p.ID == c.ID() && p.Point == pointOf(c) && p.Measured == *card.Path && p.Every == card.Snapshots
	})
}

// later are the paths that a folder has of cells whose turn has not come.
func later(have []CellPath, cells []sweep.Cell, card *sweep.Card) (all []CellPath) {
	for _, c := range cells {
		if at := measured(have, c, card); at >= 0 {
			all = append(all, have[at])
		}
	}
	return all
}

// ReadPaths reads what a folder keeps of its cells' paths; none if it keeps nothing.
func ReadPaths(dir string) (all []CellPath, err error) {
	path := filepath.Join(dir, PathFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to have it measured again", path, err)
	}
	return all, nil
}

// atOnce is how many snapshots are measured together: their commutators and Lanczos vectors are in memory at once.
const atOnce = 8

func measurePath(ctx context.Context, e graph.Engine, how sweep.Path, c sweep.Cell, steps []int, thetas [][]float32, progress func(part int)) (p CellPath, err error) {
	p = CellPath{ID: c.ID(), Point: pointOf(c), Measured: how, Steps: steps}
	var spans []directionsIn
	var random [][]directionsIn
	if how.Components > 0 {
		if p.Matrices, spans, err = componentsOf(c.Model, how, thetas, c.Seed); err != nil {
			return p, err
		}
		random = randomSpans(spans, how, c.Seed)
		if p.Walk, err = trajectory.RandomWalk(len(thetas), nullSize, 1, 0, nullWalks, c.Seed); err != nil {
			return p, err
		}
		if p.Ball, err = trajectory.RandomWalk(len(thetas), nullSize, 1, 0.9, nullWalks, c.Seed); err != nil {
			return p, err
		}
	}
	x, y := c.TrainingRows()
	probe := trajectory.Probe{Model: c.Model, Loss: c.Loss(), X: x, Y: y, Batch: c.Batch, Pairs: how.Pairs, Seed: c.Seed}
	h := sha256.New()
	for from := 0; from < len(thetas); from += atOnce {
		to := min(len(thetas), from+atOnce)
		moments, err := probe.MeasureFrom(ctx, e, thetas[from:to], from)
		if err != nil {
			return p, err
		}
		for i, m := range moments {
			p.Moments = append(p.Moments, momentOf(steps[from+i], m, spans, random))
			hashMoment(h, m)
		}
		some := p.Moments[from:to]
		if how.Eigenvalues > 0 {
			if err := eigenvalues(ctx, e, how, c, thetas[from:to], some, h); err != nil {
				return p, err
			}
		}
		if how.Scores {
			scores, err := c.Evaluate(ctx, e, thetas[from:to])
			if err != nil {
				return p, err
			}
			for i, s := range scores {
				some[i].Scores = &s
				fmt.Fprintf(h, "%x %d %x %d\n", math.Float32bits(float32(s.TrainLoss)), s.TrainCorrect, math.Float32bits(float32(s.TestLoss)), s.TestCorrect)
			}
		}
		progress(to)
	}
	p.Declared = hex.EncodeToString(h.Sum(nil))
	return p, nil
}

// hashMoment writes the bits of what is declared.
func hashMoment(h io.Writer, m trajectory.Moment) {
	for _, list := range append(slices.Clone(m.Commutators), m.GradientA, m.GradientB, []float32{m.Entropy}) {
		hashFloats(h, list)
	}
}

func hashFloats(h io.Writer, list []float32) {
	for _, v := range list {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))) // a hash never fails
	}
}

func momentOf(step int, m trajectory.Moment, spans []directionsIn, random [][]directionsIn) Moment {
	out := Moment{Step: step, Entropy: Number(m.Entropy)}
	var defects, norms []float64
	for k, v := range m.Commutators {
		norm := 0.
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		norms = append(norms, math.Sqrt(norm))
		defects = append(defects, math.Sqrt(norm)/(float64(m.GradientA[k])*float64(m.GradientB[k])))
		out.Share += Number(share(v, spans) / float64(len(m.Commutators)))
		for _, r := range random {
			out.Random += Number(share(v, r) / float64(len(m.Commutators)*len(random)))
		}
	}
	slices.Sort(defects)
	slices.Sort(norms)
	out.Defect, out.Norm = Number(defects[len(defects)/2]), Number(norms[len(norms)/2])
	return out
}
