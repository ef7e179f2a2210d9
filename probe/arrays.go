package probe

import (
	"math"

	"lockstep/data"
	"lockstep/op"
)

// WriteEigenvectors writes the eigenvectors of every point and model to an NPY file, f32[points, models, k, N] without axes of one point or model: of the
// largest eigenvalues first, the largest before the others, and then of the smallest. They are NaN of a model that has a problem.
func (r *Results) WriteEigenvectors(path string) error {
	var all []uint32
	size, k := 0, r.View.Top+r.View.Bottom
	for _, u := range r.Units {
		size = u.Size
		for _, m := range u.Models {
			w := make([]uint32, k*size)
			op.PutWords(w, m.Declared.Eigenvectors)
			if m.Problem != "" {
				for i := range w {
					w[i] = math.Float32bits(float32(math.NaN()))
				}
			}
			all = append(all, w...)
		}
	}
	return data.WriteNPY(path, op.Words32(op.F32, op.S(append(r.axes(), k, size)...), all...))
}

// axes are those of points and of models, without such of one.
func (r *Results) axes() (dims []int) {
	for _, n := range []int{len(r.Units), len(r.Models)} {
		if n > 1 {
			dims = append(dims, n)
		}
	}
	return dims
}

// Diagonals are the diagonals of every point and model and their standard errors, f32[points, models, N] without axes of one: of an estimation that asked
// for them. Errors are NaN of one round of one vector.
func (r *Results) Diagonals() (means, errors op.Tensor) {
	of := func(d declared) []byte { return d.Diagonal }
	means = r.diagonals(of)
	of = func(d declared) []byte { return d.Errors }
	return means, r.diagonals(of)
}

func (r *Results) diagonals(of func(d declared) []byte) op.Tensor {
	var all []uint32
	size := 0
	for _, u := range r.Units {
		size = u.Size
		for _, m := range u.Models {
			w := make([]uint32, u.Size)
			op.PutWords(w, of(m.Declared))
			all = append(all, w...)
		}
	}
	return op.Words32(op.F32, op.S(append(r.axes(), size)...), all...)
}

// WriteDiagonals writes Diagonals to an NPY file, and their standard errors to another; "": they are not wanted.
func (r *Results) WriteDiagonals(path, errors string) error {
	means, errs := r.Diagonals()
	err := data.WriteNPY(path, means)
	if err == nil && errors != "" {
		err = data.WriteNPY(errors, errs)
	}
	return err
}
