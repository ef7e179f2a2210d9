package curvature

import "lockstep/model"

// Fitted over the mean cross-entropy of the rows is how far a product of a Hessian or a Gauss-Newton matrix with a random vector may be off, in units of |M| |v|:
// see "How exact products are".
const Fitted = 1e-8

// Inexact is how far products of a kind of matrix may be off besides rounding, in units of the matrix, where the mean loss of the rows is such; 0 where only
// rounding is known of.
func Inexact(loss model.Loss, kind Kind, mean float64) float64 {
	if loss != model.CrossEntropy || kind != Hessian && kind != GaussNewton || !(mean > 0) {
		return 0
	}
	return Fitted / mean
}
