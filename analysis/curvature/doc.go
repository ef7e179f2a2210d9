// Package curvature estimates spectra, traces and solutions of symmetric matrices that are known by their products with vectors: the
// Hessian of a loss, its Gauss-Newton matrix and its Fisher matrices, of one model or of a pack of models at once.
//
// # Conventions
//
// A loss over N rows is the mean of the rows' losses; so are all matrices: they are sums over rows divided by N, once, at the end.
// Vectors are flattened parameters, in layer order, W [in, out] row-major, then b (vec by rows). Rows are taken in batches of a fixed
// size, in the order of the data; the sums of batches are added in ascending order, so the size of a batch is part of what a result is.
//
// # What is declared and what is derived
//
// Products, tridiagonal matrices and quadratic forms are float32 with declared bits: every engine, pack and number of threads gives the
// same, and Digest hashes them. What float64 arithmetic makes of them on the host (eigenvalues of the small matrices, densities, means,
// errors) is derived.
//
// Every estimate is a function of the matrix, the seed and the options. Random vector number i of a seed is element block t = i of the
// stream "probe", whoever draws it.
//
// # How exact products are
//
// A product is off by some 1e-7 of |M| |v|, as float32 arithmetic is, while the losses of rows are not small. Of a model that knows its rows, softmax's derivative
// y (g - sum(y g)) subtracts nearly equal numbers where y is near 1; so the products of the Hessian and of the Gauss-Newton matrix of cross-entropy, which are of
// the size of the loss themselves, are off by some Fitted / loss of |M| |v|, and along eigenvectors of the largest eigenvalues by up to some fourteen times as
// much: errors hold twenty times. At a loss of 1e-4 that is 1e-4 to 1e-3. The same happens, and no loss tells it, to rows of which a model is sure and wrong:
// their y are as near 0 and 1. And a block that the loss does not depend on, such as the biases of keys under a softmax, has a matrix of rounding alone. Where
// less is wanted, soften the targets or decay the weights, or take the matrix where the loss is larger. Automatic differentiation in float32 elsewhere has the
// same bound.
//
// # What errors and intervals hold
//
// Eigenvalues have bounds of their distance from those of the matrix that the products give (Ritz.Error); how far that is from the exact one, see above. Means
// over random vectors have the standard error of their spread; where each vector's own value is known by quadrature only, as of an effective dimension, it has
// bounds, and intervals go from the lower ones to the upper ones (Quadrature). Densities have their spread alone.
//
// Sums of squares of products are float32, too: estimators refuse matrices of a size below 2^-50, or above some 2^60.
package curvature
