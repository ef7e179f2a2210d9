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
package curvature
