package studies

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"lockstep/analysis/trajectory"
	"lockstep/model"
	"lockstep/sweep"
)

// MatrixPath is the path of one matrix, from where it began.
type MatrixPath struct {
	Name   string    `json:"name"`   // as in model.Spec.Blocks, such as 1.wq
	Matrix string    `json:"matrix"` // wq
	Layer  int       `json:"layer"`  // among the attention layers, from 0
	R90    int       `json:"r90"`
	Shares []float64 `json:"shares"` // of the variance, of the first components
	// Matched is the null of its own steps: of random walks whose steps are as long as those between its snapshots.
	Matched trajectory.Null `json:"step_matched_random_walk"`
}

// nullWalks and nullSize are those of the nulls: of more dimensions nothing changes.
const nullWalks, nullSize = 20, 2048

// componentsOf are the principal components of the snapshots of each attention matrix of a model, with their step-matched nulls by a seed, and the span of the
// first ones.
func componentsOf(s model.Spec, how sweep.Path, thetas [][]float32, seed uint64) (all []MatrixPath, spans []directionsIn, err error) {
	layers := []string{}
	for _, b := range s.Blocks() {
		layer, matrix, ok := strings.Cut(b.Name, ".")
		if !ok || !slices.Contains(sweep.PathMatrices(), matrix) {
			continue
		}
		if !slices.Contains(layers, layer) {
			layers = append(layers, layer)
		}
		path := make([][]float32, len(thetas))
		for t, theta := range thetas {
			path[t] = theta[b.Offset : b.Offset+b.Size()]
		}
		pc, err := trajectory.PCA(path, how.Components)
		if err != nil {
			return nil, nil, fmt.Errorf("matrix %s: %w", b.Name, err)
		}
		matched, err := trajectory.StepMatchedWalk(trajectory.Lengths(path), min(b.Size(), nullSize), nullWalks, seed+uint64(b.Offset)<<32) // each matrix has walks of its own
		if err != nil {
			return nil, nil, fmt.Errorf("matrix %s: %w", b.Name, err)
		}
		all = append(all, MatrixPath{b.Name, matrix, len(layers) - 1, pc.Rank(0.9), pc.Shares[:min(8, len(pc.Shares))], matched})
		spans = append(spans, directionsIn{b, pc.Directions})
	}
	if len(all) == 0 {
		return nil, nil, errors.New("its model has no attention, of whose matrices the components are measured")
	}
	return all, spans, nil
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

// randomSpans are bases of as many random directions in each matrix, orthonormal.
func randomSpans(spans []directionsIn, how sweep.Path, seed uint64) (all [][]directionsIn) {
	r := rand.New(rand.NewPCG(seed, 0x6d616e69)) // derived numbers: any generator will do
	for range how.Trials {
		var trial []directionsIn
		for _, b := range spans {
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
