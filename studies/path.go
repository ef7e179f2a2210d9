package studies

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lockstep/analysis/trajectory"
	"lockstep/graph"
	"lockstep/internal/files"
	"lockstep/model"
	"lockstep/sweep"
)

// PathFile is where a study keeps what it measured of its cells' paths, in its folder.
const PathFile = "paths.json"

// CellPath is what was measured of the path of a cell. Declared hashes its declared numbers (commutators, gradients, entropies); all else is
// derived from them and from the snapshots.
type CellPath struct {
	ID       string       `json:"id"`
	Measured sweep.Path   `json:"measured"`
	Steps    []int        `json:"steps"`
	Matrices []MatrixPath `json:"matrices"`
	Moments  []Moment     `json:"moments"`
	// The nulls: paths of as many snapshots without direction, the second with momentum 0.9 from one snapshot to the next.
	Walk     trajectory.Null `json:"random_walk"`
	Ball     trajectory.Null `json:"random_walk_with_momentum"`
	Declared string          `json:"declared"`
}

// MatrixPath is the path of one matrix, from where it began.
type MatrixPath struct {
	Name   string    `json:"name"`   // as in model.Spec.Blocks, such as 1.wq
	Matrix string    `json:"matrix"` // wq
	Layer  int       `json:"layer"`  // among the attention layers, from 0
	R90    int       `json:"r90"`
	Shares []float64 `json:"shares"` // of the variance, of the first components
}

// Moment is what was measured at a snapshot: means over the pairs of batches, but for Defect.
type Moment struct {
	Step    int     `json:"step"`
	Defect  float64 `json:"defect"`  // median of |commutator| / (|g_A| |g_B|)
	Share   float64 `json:"share"`   // of the commutator's norm, in the span of the matrices' first components
	Random  float64 `json:"random"`  // in random bases confined to the same matrices, mean over the trials
	Entropy float64 `json:"entropy"` // of the last attention layer at the last position, nats
}

// nullWalks and nullSize are those of the nulls: of more dimensions nothing changes.
const nullWalks, nullSize = 20, 2048

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
	for i, c := range cells {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(have, func(p CellPath) bool { return p.ID == c.ID() && p.Measured == *card.Path })
		if at >= 0 {
			all = append(all, have[at])
			continue
		}
		steps, thetas, err := sweep.ReadSnapshots(dir, c)
		if err != nil {
			return nil, err
		}
		p, err := measurePath(ctx, e, *card.Path, c, steps, thetas, func(part int) {
			if progress != nil {
				progress(i*len(thetas)+part, len(cells)*len(thetas))
			}
		})
		if err != nil {
			return nil, fmt.Errorf("cell (%s): %w", c.Name(), err)
		}
		all = append(all, p)
		text, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			return nil, err
		}
		if err := files.WriteWhole(filepath.Join(dir, PathFile), text); err != nil {
			return nil, err
		}
	}
	return all, nil
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

func measurePath(ctx context.Context, e graph.Engine, how sweep.Path, c sweep.Cell, steps []int, thetas [][]float32, progress func(part int)) (p CellPath, err error) {
	p = CellPath{ID: c.ID(), Measured: how, Steps: steps}
	blocks := attentionMatrices(c.Model)
	if len(blocks) == 0 {
		return p, errors.New("its model has no attention, of whose matrices the path is measured")
	}
	var spans []directionsIn
	for _, b := range blocks {
		path := make([][]float32, len(thetas))
		for t, theta := range thetas {
			path[t] = theta[b.Offset : b.Offset+b.Size()]
		}
		pc, err := trajectory.PCA(path, how.Components)
		if err != nil {
			return p, fmt.Errorf("matrix %s: %w", b.Name, err)
		}
		b.R90, b.Shares = pc.Rank(0.9), pc.Shares[:min(8, len(pc.Shares))]
		p.Matrices = append(p.Matrices, b.MatrixPath)
		spans = append(spans, directionsIn{b.Block, pc.Directions})
	}
	if p.Walk, err = trajectory.RandomWalk(len(thetas), nullSize, 1, 0, nullWalks, c.Seed); err != nil {
		return p, err
	}
	if p.Ball, err = trajectory.RandomWalk(len(thetas), nullSize, 1, 0.9, nullWalks, c.Seed); err != nil {
		return p, err
	}
	x, y := c.TrainingRows()
	probe := trajectory.Probe{Model: c.Model, Loss: c.Loss(), X: x, Y: y, Batch: c.Batch, Pairs: how.Pairs, Seed: c.Seed}
	random := randomSpans(blocks, how, c.Seed)
	h, done := sha256.New(), 0
	for from := 0; from < len(thetas); {
		to := min(len(thetas), from+8) // so that commutators are held for a few snapshots at a time
		moments, err := probe.MeasureFrom(ctx, e, thetas[from:to], from)
		if err != nil {
			return p, err
		}
		for i, m := range moments {
			p.Moments = append(p.Moments, momentOf(steps[from+i], m, spans, random))
			hashMoment(h.Write, m)
			done++
			progress(done)
		}
		from = to
	}
	p.Declared = hex.EncodeToString(h.Sum(nil))
	return p, nil
}

// hashMoment writes the bits of what is declared.
func hashMoment(write func([]byte) (int, error), m trajectory.Moment) {
	for _, list := range append(slices.Clone(m.Commutators), m.GradientA, m.GradientB, []float32{m.Entropy}) {
		for _, v := range list {
			write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))) // a hash never fails
		}
	}
}

// matrixBlock is an attention matrix of a model.
type matrixBlock struct {
	model.Block
	MatrixPath
	Name string
}

func attentionMatrices(s model.Spec) (all []matrixBlock) {
	layers := []string{}
	for _, b := range s.Blocks() {
		layer, matrix, ok := strings.Cut(b.Name, ".")
		if !ok || !slices.Contains(sweep.PathMatrices(), matrix) {
			continue
		}
		if !slices.Contains(layers, layer) {
			layers = append(layers, layer)
		}
		all = append(all, matrixBlock{b, MatrixPath{Name: b.Name, Matrix: matrix, Layer: len(layers) - 1}, b.Name})
	}
	return all
}

// directionsIn is orthonormal directions within a block of the parameters.
type directionsIn struct {
	model.Block
	directions [][]float64
}

// share is the share of a vector's norm in the spans, which are orthogonal to each other, as their blocks do not meet.
func share(v []float32, spans []directionsIn) float64 {
	inside, whole := 0., 0.
	for _, x := range v {
		whole += float64(x) * float64(x)
	}
	for _, s := range spans {
		for _, d := range s.directions {
			dot := 0.
			for i, x := range d {
				dot += x * float64(v[s.Offset+i])
			}
			inside += dot * dot
		}
	}
	if whole == 0 {
		return 0
	}
	return math.Sqrt(inside / whole)
}

func momentOf(step int, m trajectory.Moment, spans []directionsIn, random [][]directionsIn) Moment {
	out := Moment{Step: step, Entropy: float64(m.Entropy)}
	var defects []float64
	for k, v := range m.Commutators {
		norm := 0.
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		defects = append(defects, math.Sqrt(norm)/(float64(m.GradientA[k])*float64(m.GradientB[k])))
		out.Share += share(v, spans) / float64(len(m.Commutators))
		for _, r := range random {
			out.Random += share(v, r) / float64(len(m.Commutators)*len(random))
		}
	}
	slices.Sort(defects)
	out.Defect = defects[len(defects)/2]
	return out
}

// randomSpans are bases of as many random directions in each matrix, orthonormal.
func randomSpans(blocks []matrixBlock, how sweep.Path, seed uint64) (all [][]directionsIn) {
	r := rand.New(rand.NewPCG(seed, 0x6d616e69)) // derived numbers: any generator will do
	for range how.Trials {
		var trial []directionsIn
		for _, b := range blocks {
			s := directionsIn{b.Block, nil}
			for range min(how.Components, b.Size()) {
				d := make([]float64, b.Size())
				for i := range d {
					d[i] = r.NormFloat64()
				}
				for range 2 { // twice is enough
					for _, e := range s.directions {
						dot := 0.
						for i := range d {
							dot += d[i] * e[i]
						}
						for i := range d {
							d[i] -= dot * e[i]
						}
					}
				}
				norm := 0.
				for _, v := range d {
					norm += v * v
				}
				for i := range d {
					d[i] /= math.Sqrt(norm)
				}
				s.directions = append(s.directions, d)
			}
			trial = append(trial, s)
		}
		all = append(all, trial)
	}
	return all
}
