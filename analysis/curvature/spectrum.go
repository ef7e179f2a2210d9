package curvature

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Ritz is an eigenvalue of T, which is near one of A.
type Ritz struct {
	Value float64
	// Error: an eigenvalue of A is not farther from Value, if products are exact to 2^-20 of Scale: the norm of the residual of its vector (Parlett 1998,
	// section 13.2), what was left of the vectors at which the process began again among it, and that rounding. Where products are less exact, see Fitted,
	// it may be farther by as much.
	Error float64
	// Weight is the squared first entry of its unit vector: how much of the first vector of the process lies in its direction.
	Weight float64
	// Vector [m] is its unit vector in the basis of the process.
	Vector []float64
}

// smallest is the size of the smallest matrices that estimators take: of the products of smaller ones, float32 sums of squares lose bits. Of too large
// ones they are infinite.
const smallest = 0x1p-50

// largest is the size of quadratic forms up to which such sums are finite.
const largest = 0x1p60

// measurable is an error for a matrix that is too small, by a number of its size.
func measurable(size float64) error {
	if size != 0 && size < smallest {
		return fmt.Errorf("curvature: the matrix is of a size of %.3g; below 2^-50 float32 sums of squares of its products lose bits: scale the loss by a power of two", size)
	}
	return nil
}

// rounding is what products and the process lose, in units of Scale: as measured, up to 2^-21 along eigenvectors of the largest eigenvalues (TestErrorsOfFittedSpectra).
const rounding = 0x1p-20

// Ritz gives the eigenvalues of T, the largest first. They are derived: float64, by the QR method of gonum. Errors: products, or
// sums of their squares, that were not finite; a matrix whose size, Scale, is below 2^-50, whose T float32 arithmetic spoils.
func (t Tridiagonal) Ritz() ([]Ritz, error) {
	m := len(t.Alpha)
	for _, v := range slices.Concat(t.Alpha, t.Beta, []float32{t.Scale}) {
		if v-v != 0 {
			return nil, fmt.Errorf("curvature: a tridiagonal matrix with an entry %v: products, or sums of their squares, were not finite", v)
		}
	}
	if err := measurable(float64(t.Scale)); err != nil {
		return nil, err
	}
	alpha, beta := make([]float64, m), make([]float64, m-1)
	var broke []int // where the process began again
	for i, v := range t.Alpha {
		alpha[i] = float64(v)
		if i+1 < m {
			beta[i] = float64(t.Beta[i])
		}
		if t.Beta[i] == 0 {
			broke = append(broke, i)
		}
	}
	values, vectors, err := tridiagonalEigen(alpha, beta)
	if err != nil {
		return nil, err
	}
	all := make([]Ritz, m)
	for i, v := range values {
		u := mat.Col(nil, i, vectors)
		left := math.Abs(float64(t.Beta[m-1])*u[m-1]) + rounding*float64(t.Scale)
		for _, b := range broke {
			left += math.Abs(u[b]) * float64(breakdown) * float64(t.Scale)
		}
		all[m-1-i] = Ritz{v, left, u[0] * u[0], u}
	}
	return all, nil
}

// tridiagonalEigen are the eigenvalues of a tridiagonal matrix with diagonals alpha [m] and beta [m-1], ascending, and its unit vectors as columns [m, m].
func tridiagonalEigen(alpha, beta []float64) (values []float64, vectors *mat.Dense, err error) {
	m := len(alpha)
	a := mat.NewSymDense(m, nil)
	for i, v := range alpha {
		a.SetSym(i, i, v)
		if i+1 < m {
			a.SetSym(i, i+1, beta[i])
		}
	}
	var e mat.EigenSym
	if !e.Factorize(a, true) {
		return nil, nil, fmt.Errorf("curvature: the eigenvalues of a tridiagonal matrix of size %d are not found", m)
	}
	vectors = new(mat.Dense)
	e.VectorsTo(vectors)
	return e.Values(nil), vectors, nil
}

// Density is a spectral density phi: the share of eigenvalues per unit, smoothed by a normal density of standard deviation Sigma (Lin, Saad and
// Yang 2016, arXiv 1308.5467; Ghorbani, Krishnan and Xiao 2019, arXiv 1901.10159, algorithm 1).
type Density struct {
	At     []float64
	Phi    []float64
	Error  []float64 // standard error of Phi over the processes; NaN of one
	Sigma  float64
	Number int // of processes
}

// NewDensity is stochastic Lanczos quadrature: the mean of the processes' densities, each the sum of its Ritz values' weights times the normal
// density round them, at points points that hold all but 1e-4 of it. sigma is a share of the range of the Ritz values.
func NewDensity(processes []Tridiagonal, points int, sigma float64) (Density, error) {
	if len(processes) == 0 || points < 2 || !(sigma > 0) {
		return Density{}, fmt.Errorf("curvature: a density of %d processes at %d points with sigma %v; want at least 1, 2, and above 0", len(processes), points, sigma)
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	var all [][]Ritz
	for _, t := range processes {
		r, err := t.Ritz()
		if err != nil {
			return Density{}, err
		}
		all, lo, hi = append(all, r), min(lo, r[len(r)-1].Value), max(hi, r[0].Value)
	}
	width := hi - lo
	if width == 0 {
		width = max(1, math.Abs(hi))
	}
	d := Density{Sigma: sigma * width, Number: len(all)}
	lo, hi = lo-4*d.Sigma, hi+4*d.Sigma
	for i := range points {
		x := lo + (hi-lo)*float64(i)/float64(points-1)
		var each []float64
		for _, r := range all {
			phi := 0.
			for _, v := range r {
				z := (x - v.Value) / d.Sigma
				phi += v.Weight * math.Exp(-z*z/2) / (d.Sigma * math.Sqrt(2*math.Pi))
			}
			each = append(each, phi)
		}
		mean, se := meanAndError(each)
		d.At, d.Phi, d.Error = append(d.At, x), append(d.Phi, mean), append(d.Error, se)
	}
	return d, nil
}
