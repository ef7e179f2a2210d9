package curvature

import "lockstep/model"

// Fitted over the mean cross-entropy of the rows is how far a product of a Hessian or a Gauss-Newton matrix with a random vector may be off, in units of |M| |v|:
// see "How exact products are".
const Fitted = 1e-8

// alongTop is how many times as far products may be off along eigenvectors of the largest eigenvalues, where Lanczos processes end: as measured, up to some fourteen.
const alongTop = 20

// Inexact is how far products of a kind of matrix with any vector may be off besides rounding, in units of the matrix, where the mean loss of the rows is such; 0
// where only rounding is known of. It is an estimate: see "How exact products are" for what it does not hold.
func Inexact(loss model.Loss, kind Kind, mean float64) float64 {
	if loss != model.CrossEntropy || kind != Hessian && kind != GaussNewton || !(mean > 0) {
		return 0
	}
	return alongTop * Fitted / mean
}
