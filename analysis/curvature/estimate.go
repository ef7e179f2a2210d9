package curvature

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is a mean over independent samples.
type Estimate struct {
	Mean    float64
	Error   float64 // standard error of the mean; NaN of one sample
	Samples int
}

func newEstimate(samples []float64) Estimate {
	mean, se := meanAndError(samples)
	return Estimate{mean, se, len(samples)}
}

// Interval is the confidence interval of Student's t for the mean, such as 0.95 of them hold.
func (e Estimate) Interval(confidence float64) (lo, hi float64) {
	if e.Samples < 2 {
		return math.Inf(-1), math.Inf(1)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(e.Samples - 1)}.Quantile(0.5 + confidence/2)
	return e.Mean - t*e.Error, e.Mean + t*e.Error
}

func meanAndError(x []float64) (mean, se float64) {
	if len(x) < 2 {
		return stat.Mean(x, nil), math.NaN()
	}
	mean, sd := stat.MeanStdDev(x, nil)
	return mean, sd / math.Sqrt(float64(len(x)))
}

// deviation is the standard error of the mean of n numbers with the given sum and sum of squares.
func deviation(sum, squares, n float64) float64 {
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(max(0, squares-sum*sum/n) / (n - 1) / n)
}

// ratio is the root of a / b; 0 of nothing.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return math.Sqrt(a / b)
}
