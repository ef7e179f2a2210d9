package curvature

import (
	"context"
	"fmt"
	"math"

	"lockstep/graph"
	"lockstep/op"
)

// PlusPlus is an estimate of a trace by Hutch++ in one cell.
type PlusPlus struct {
	Known   float32   // the trace in the subspace of the sketch, exact but for rounding
	Samples []float32 // quadratic forms of vectors orthogonal to it
}

// Value is the estimate: what is known, and the mean of the rest.
func (p PlusPlus) Value() float64 { return float64(p.Known) + Samples(p.Samples).Estimate().Mean }

// Estimates are those of the cells of one model.
type Estimates []PlusPlus

// Check is an error for estimates of a matrix that is too small or too large, by its quadratic forms: the rows of its sketch are not of unit length, or there
// are none.
func (all Estimates) Check() error {
	size := 0.
	for _, p := range all {
		size = max(size, math.Abs(float64(p.Known)))
		for _, x := range p.Samples {
			size = max(size, math.Abs(float64(x)))
		}
	}
	if size > largest {
		return fmt.Errorf("curvature: quadratic forms of up to %.3g; above 2^60 sums of squares of a matrix's products may be infinite: scale the loss by a power of two", size)
	}
	return measurable(size)
}

// Estimate is the mean over the cells; its standard error is from their spread, or, of one cell, from that of its rest; and 2^-20 of what is known in the
// subspaces, for the rounding of products, without which a sketch of the whole matrix would have none.
func (all Estimates) Estimate() Estimate {
	e, known := all.estimate(), 0.
	for _, p := range all {
		known += math.Abs(float64(p.Known)) / float64(len(all))
	}
	e.Error = math.Hypot(e.Error, rounding*known)
	return e
}

func (all Estimates) estimate() Estimate {
	if len(all) == 1 {
		e := Samples(all[0].Samples).Estimate()
		e.Mean = all[0].Value()
		return e
	}
	var each []float64
	for _, p := range all {
		each = append(each, p.Value())
	}
	return newEstimate(each)
}

const (
	sketchRows  = "hutchpp.sketch" // f32[sketch, N] orthonormal rows
	sketchAt    = "hutchpp.at"     // u32[] of the loop at hand
	sketchKnown = "hutchpp.known"  // f32[1, 1]
	sketchRest  = "hutchpp.rest"   // f32[rest, 1]
)

// HutchPlusPlus estimates traces by Hutch++ (Meyer, Musco, Musco and Woodruff 2021, arXiv 2010.09649, algorithm 1), independently in each cell: sketch
// products with vectors of entries +-1 span a subspace, sketch more give the trace in it, and rest samples of Hutchinson's give what is orthogonal to it. It takes 2
// sketch + rest products, and for matrices with a few large eigenvalues is much nearer than Hutchinson's with as many.
//
// The estimate of a model is that of Estimates.
func (s *Session) HutchPlusPlus(ctx context.Context, sketch, rest int) ([]Estimate, [][]PlusPlus, error) {
	if sketch < 1 || sketch > s.N || rest < 1 || rest >= 1<<24 {
		return nil, nil, fmt.Errorf("curvature: Hutch++ with %d vectors of a sketch and %d of the rest, of a matrix of size %d; want 1 to %d, and at least 1", sketch, rest, s.N, s.N)
	}
	name := fmt.Sprintf("hutch++ with %d and %d", sketch, rest)
	parts := []struct {
		steps int
		trace func(b *graph.Builder)
	}{
		{sketch, func(b *graph.Builder) { s.sketch(b, sketch) }},
		{sketch, func(b *graph.Builder) { s.known(b, sketch) }},
		{rest, func(b *graph.Builder) { s.rest(b, sketch, rest) }},
	}
	var programs []graph.Executable
	for i, p := range parts {
		x, err := s.program(fmt.Sprintf("%s, part %d", name, i), p.trace)
		if err != nil {
			return nil, nil, err
		}
		programs = append(programs, x)
	}
	err := s.run(ctx, loop{name, 2*sketch + rest, programs[0].Reset, func(ctx context.Context, i int) error {
		part := 0
		for i >= parts[part].steps {
			i -= parts[part].steps
			part++
		}
		if part > 0 && i == 0 {
			if err := programs[part].Reset(ctx); err != nil {
				return err
			}
		}
		if err := s.multiply(ctx); err != nil {
			return err
		}
		return programs[part].Run(ctx, 1)
	}})
	if err != nil {
		return nil, nil, err
	}
	known, err := s.read(sketchKnown, 1)
	if err != nil {
		return nil, nil, err
	}
	forms, err := s.read(sized(sketchRest, rest), rest)
	if err != nil {
		return nil, nil, err
	}
	estimates, all := make([]Estimate, s.Models), make([][]PlusPlus, s.Models)
	for m := range all {
		for v := range s.Vectors {
			c := m*s.Vectors + v
			all[m] = append(all[m], PlusPlus{known[c], forms[c*rest : (c+1)*rest]})
		}
		estimates[m] = Estimates(all[m]).Estimate()
	}
	return estimates, all, nil
}

// sketch emits a step of the first part: Product, made orthogonal to the rows so far and of unit length, becomes a row; a product in their span
// becomes a row of +0, which counts for nothing.
func (s *Session) sketch(b *graph.Builder, sketch int) {
	key, first, apart := s.probes(b)
	at, t := b.State(sketchAt, b.FillU(0), op.Cell), b.State("hutchpp.vector", first, op.Cell)
	q := b.State(Vector, Rademacher.draw(b, s.N, key, first), op.Cell)
	rows := b.State(sized(sketchRows, sketch), b.Fill(0, sketch, s.N), op.Cell)
	w := s.result(b)
	whole := norm(b, w)
	w = orthogonal(b, w, rows, at)
	left := norm(b, w)
	broad := func(v op.Value) op.Value { return b.Do(op.Broadcast{To: op.S(1, s.N)}, v) }
	none := b.Do(op.Le, left, b.Do(op.Mul, b.Fill(breakdown, 1, 1), whole))
	w = b.Do(op.Select{}, broad(none), b.Fill(0, 1, s.N), b.Do(op.Div, w, broad(left)))
	b.Next(rows, b.Do(op.PutRow{}, rows, w, at))
	next := b.Do(op.IAdd{}, t, apart)
	b.Next(t, next)
	b.Next(q, Rademacher.draw(b, s.N, key, next))
	b.Next(at, b.Do(op.IAdd{}, at, b.FillU(1)))
}

// known emits a step of the second part: the trace in the subspace, row by row.
func (s *Session) known(b *graph.Builder, sketch int) {
	rows := b.Input(sized(sketchRows, sketch), op.T(op.F32, op.Cell, sketch, s.N))
	row := func(at op.Value) op.Value {
		return b.Do(op.Gather{}, rows, b.Do(op.Reshape{To: op.S(1)}, at)) // beyond the last row +0
	}
	at := b.State(sketchAt, b.FillU(0), op.Cell)
	q := b.State(Vector, row(b.FillU(0)), op.Cell)
	known := b.State(sketchKnown, b.Fill(0, 1, 1), op.Cell)
	b.Next(known, b.Do(op.Add, known, dot(b, q, s.result(b))))
	next := b.Do(op.IAdd{}, at, b.FillU(1))
	b.Next(q, row(next))
	b.Next(at, next)
}

// rest emits a step of the third part: quadratic forms of random vectors less their part in the subspace. Their numbers go on where the sketch's ended.
func (s *Session) rest(b *graph.Builder, sketch, rest int) {
	key, first, apart := s.probes(b)
	rows, all := b.Input(sized(sketchRows, sketch), op.T(op.F32, op.Cell, sketch, s.N)), b.FillU(uint32(sketch))
	begin := b.Do(op.IAdd{}, first, b.FillU(uint32(sketch*s.Vectors)))
	outside := func(t op.Value) op.Value { return orthogonal(b, Rademacher.draw(b, s.N, key, t), rows, all) }
	at, t := b.State(sketchAt, b.FillU(0), op.Cell), b.State("hutchpp.vector", begin, op.Cell)
	q := b.State(Vector, outside(begin), op.Cell)
	forms := b.State(sized(sketchRest, rest), b.Fill(0, rest, 1), op.Cell)
	b.Next(forms, b.Do(op.PutRow{}, forms, dot(b, q, s.result(b)), at))
	next := b.Do(op.IAdd{}, t, apart)
	b.Next(t, next)
	b.Next(q, outside(next))
	b.Next(at, b.Do(op.IAdd{}, at, b.FillU(1)))
}
