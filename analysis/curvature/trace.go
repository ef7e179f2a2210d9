package curvature

import (
	"context"
	"fmt"

	"lockstep/graph"
	"lockstep/op"
)

// Samples are the quadratic forms of random vectors of a model, v^T A v, in the order of the vectors. They are declared.
type Samples []float32

// Estimate is the mean of the samples and its standard error: with Rademacher vectors, of the trace (Hutchinson 1990, A Stochastic Estimator
// of the Trace of the Influence Matrix).
func (s Samples) Estimate() Estimate {
	x := make([]float64, len(s))
	for i, v := range s {
		x[i] = float64(v)
	}
	return newEstimate(x)
}

const (
	hutchinsonAt    = "hutchinson.at"      // u32[] vectors done
	hutchinsonForms = "hutchinson.forms"   // f32[rounds, 1]
	diagonalSum     = "hutchinson.sum"     // f32[1, N] of v * (A v)
	diagonalSquares = "hutchinson.squares" // f32[1, N] of its square
)

// Hutchinson multiplies rounds random vectors of entries +-1 in each cell: so models' vectors number rounds * Vectors. It gives each model's samples.
func (s *Session) Hutchinson(ctx context.Context, rounds int) ([]Samples, error) {
	forms, _, err := s.hutchinson(ctx, rounds, false)
	return forms, err
}

// Diagonal is an estimate of a matrix's diagonal.
type Diagonal struct {
	Mean, Error []float64 // [N]; standard errors, NaN of one sample
	Trace       Estimate  // of the same products
	// Declared: the quadratic forms of the same products; of each of the session's vectors the sum of v * (A v) over its rounds, and of its square.
	Samples      Samples
	Sum, Squares [][]float32 // [Vectors][N]
}

// Diagonal estimates the diagonals by the means of v * (A v) over random vectors of entries +-1 (Bekas, Kokiopoulou and Saad 2007, An
// Estimator for the Diagonal of a Matrix).
func (s *Session) Diagonal(ctx context.Context, rounds int) ([]Diagonal, error) {
	forms, sums, err := s.hutchinson(ctx, rounds, true)
	if err != nil {
		return nil, err
	}
	all := make([]Diagonal, s.Models)
	for m := range all {
		d := Diagonal{Mean: make([]float64, s.N), Error: make([]float64, s.N), Trace: forms[m].Estimate(), Samples: forms[m]}
		for v := range s.Vectors {
			at := (m*s.Vectors + v) * s.N
			d.Sum, d.Squares = append(d.Sum, sums[0][at:at+s.N]), append(d.Squares, sums[1][at:at+s.N])
		}
		n := float64(rounds * s.Vectors)
		for i := range d.Mean {
			sum, squares := 0., 0.
			for v := range s.Vectors {
				sum, squares = sum+float64(d.Sum[v][i]), squares+float64(d.Squares[v][i])
			}
			d.Mean[i] = sum / n
			d.Error[i] = deviation(sum, squares, n)
		}
		all[m] = d
	}
	return all, nil
}

func (s *Session) hutchinson(ctx context.Context, rounds int, diagonal bool) (forms []Samples, sums [2][]float32, err error) {
	if rounds < 1 || rounds >= 1<<24 {
		return nil, sums, fmt.Errorf("curvature: %d rounds of random vectors; want 1 to 2^24 - 1", rounds)
	}
	name := fmt.Sprintf("hutchinson of %d rounds, diagonal %v", rounds, diagonal)
	step, err := s.program(name, func(b *graph.Builder) {
		key, first, apart := s.probes(b)
		at, t := b.State(hutchinsonAt, b.FillU(0), op.Cell), b.State("hutchinson.vector", first, op.Cell)
		q := b.State(Vector, Rademacher.draw(b, s.N, key, first), op.Cell)
		each := b.Do(op.Mul, q, s.result(b))
		all := b.State(sized(hutchinsonForms, rounds), b.Fill(0, rounds, 1), op.Cell)
		b.Next(all, b.Do(op.PutRow{}, all, b.Do(op.Sum{Axes: op.List(1)}, each), at))
		if diagonal {
			sum, squares := b.State(diagonalSum, b.Fill(0, 1, s.N), op.Cell), b.State(diagonalSquares, b.Fill(0, 1, s.N), op.Cell)
			b.Next(sum, b.Do(op.Add, sum, each))
			b.Next(squares, b.Do(op.Add, squares, b.Do(op.Mul, each, each)))
		}
		next := b.Do(op.IAdd{}, t, apart)
		b.Next(t, next)
		b.Next(q, Rademacher.draw(b, s.N, key, next))
		b.Next(at, b.Do(op.IAdd{}, at, b.FillU(1)))
	})
	if err != nil {
		return nil, sums, err
	}
	if err = s.each(ctx, name, rounds, step); err != nil {
		return nil, sums, err
	}
	if forms, err = s.samples(sized(hutchinsonForms, rounds), rounds); err != nil || !diagonal {
		return forms, sums, err
	}
	for i, name := range []string{diagonalSum, diagonalSquares} {
		if sums[i], err = s.read(name, s.N); err != nil {
			return nil, sums, err
		}
	}
	return forms, sums, nil
}

// each runs a loop of rounds products, with a step of a program after each.
func (s *Session) each(ctx context.Context, name string, rounds int, x graph.Executable) error {
	return s.run(ctx, loop{name, rounds, x.Reset, func(ctx context.Context, _ int) error {
		if err := s.multiply(ctx); err != nil {
			return err
		}
		return x.Run(ctx, 1)
	}})
}

// samples are rounds numbers of each cell, those of a model in the order of the vectors' numbers.
func (s *Session) samples(name string, rounds int) ([]Samples, error) {
	x, err := s.read(name, rounds)
	if err != nil {
		return nil, err
	}
	all := make([]Samples, s.Models)
	for m := range all {
		for r := range rounds {
			for v := range s.Vectors {
				all[m] = append(all[m], x[(m*s.Vectors+v)*rounds+r])
			}
		}
	}
	return all, nil
}
