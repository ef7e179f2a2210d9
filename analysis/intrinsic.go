// Package analysis makes numbers and pictures of results. What it computes is derived: float64 on the host, for reading,
// never part of a digest.
package analysis

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Point is what training in d dimensions gave: one score per seed, in an order of seeds that is the same in all points.
// A score is the performance, such as test accuracy in [0, 1]; higher is better.
type Point struct {
	D      int
	Scores []float64 // [seeds]
}

// Mean is the mean score over the seeds.
func (p Point) Mean() float64 { return stat.Mean(p.Scores, nil) }

// Intrinsic is an intrinsic dimension: d_int90 for a fraction of 0.9.
type Intrinsic struct {
	Baseline  float64 // mean score of the baseline
	Threshold float64 // fraction * Baseline
	Reached   bool    // whether a point's mean score reaches the threshold; the fields below mean nothing if not
	D         int     // the smallest d of the grid whose mean score does
	AtFirst   bool    // D is the smallest d of all: the dimension is D or less, and nothing can be interpolated
	// Interpolated is where the straight line from the point before D to D, in (log d, mean score), meets the threshold.
	Interpolated float64
	// Lo and Hi bound the interpolated dimension: the 2.5 % and 97.5 % quantiles over bootstrap resamples of the seeds. Hi
	// is +Inf where so many resamples never reach the threshold.
	Lo, Hi float64
}

const (
	resamples  = 2000
	confidence = 0.95
)

// IntrinsicDimension finds the smallest d at which training in a random subspace of d dimensions reaches the given
// fraction of the baseline's mean score (Li et al. 2018, arXiv 1804.08838, section 2: d_int90 at 0.9; the interpolation and
// the interval are ours).
//
// The interval is the percentile bootstrap (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13) with
// 2,000 resamples. It draws seeds, for all points and the baseline together, because the cells of one seed share the
// initial parameters, the order of the data and the basis. It is narrow for few seeds: three have only ten different
// resamples. The draws hang on seed alone.
//
// Errors: no points, d below 1 or not ascending, numbers of seeds that differ, scores that are not finite, a fraction
// outside (0, 1], a baseline whose mean is not above 0.
func IntrinsicDimension(points []Point, baseline []float64, fraction float64, seed uint64) (Intrinsic, error) {
	if err := checkPoints(points, baseline, fraction); err != nil {
		return Intrinsic{}, fmt.Errorf("intrinsic dimension: %w", err)
	}
	all := make([]int, len(baseline))
	for i := range all {
		all[i] = i
	}
	r := crossing(points, baseline, fraction, all)
	if !r.Reached {
		return r, nil
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	found, draw := make([]float64, resamples), make([]int, len(baseline))
	for i := range found {
		for j := range draw {
			draw[j] = rng.IntN(len(draw))
		}
		found[i] = math.Inf(1)
		if c := crossing(points, baseline, fraction, draw); c.Reached {
			found[i] = c.Interpolated
		}
	}
	slices.Sort(found)
	r.Lo = stat.Quantile((1-confidence)/2, stat.Empirical, found, nil)
	r.Hi = stat.Quantile((1+confidence)/2, stat.Empirical, found, nil)
	return r, nil
}

func checkPoints(points []Point, baseline []float64, fraction float64) error {
	if len(points) == 0 {
		return errors.New("no points")
	}
	if !(fraction > 0 && fraction <= 1) {
		return fmt.Errorf("fraction %v; it must be in (0, 1]", fraction)
	}
	for i, p := range points {
		switch {
		case p.D < 1:
			return fmt.Errorf("point %d has d = %d; it must be 1 or more", i, p.D)
		case i > 0 && p.D <= points[i-1].D:
			return fmt.Errorf("d = %d follows d = %d; the points must ascend", p.D, points[i-1].D)
		case len(p.Scores) != len(baseline) || len(baseline) == 0:
			return fmt.Errorf("d = %d has %d scores and the baseline %d; both need one for each seed", p.D, len(p.Scores), len(baseline))
		}
		if err := checkScores(p.Scores); err != nil {
			return fmt.Errorf("d = %d: %w", p.D, err)
		}
	}
	if err := checkScores(baseline); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	if m := stat.Mean(baseline, nil); m <= 0 {
		return fmt.Errorf("the baseline's mean score is %v; it must be above 0", m)
	}
	return nil
}

func checkScores(scores []float64) error {
	for i, s := range scores {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return fmt.Errorf("score %d is %v; it must be finite (a cell that diverged scores 0)", i, s)
		}
	}
	return nil
}

// crossing is the intrinsic dimension without its interval, over the given seeds, which may repeat.
func crossing(points []Point, baseline []float64, fraction float64, seeds []int) (r Intrinsic) {
	mean := func(scores []float64) float64 {
		sum := 0.0
		for _, s := range seeds {
			sum += scores[s]
		}
		return sum / float64(len(seeds))
	}
	r.Baseline = mean(baseline)
	r.Threshold = fraction * r.Baseline
	before := 0.0 // mean score of the point before, below the threshold
	for i, p := range points {
		score := mean(p.Scores)
		if score < r.Threshold {
			before = score
			continue
		}
		r.Reached, r.D, r.AtFirst, r.Interpolated = true, p.D, i == 0, float64(p.D)
		if i > 0 {
			lo, hi := math.Log(float64(points[i-1].D)), math.Log(float64(p.D))
			r.Interpolated = math.Exp(lo + (hi-lo)*(r.Threshold-before)/(score-before))
		}
		return r
	}
	return r
}

// String is the dimension for tables: "112 [108, 121], grid 125"; "<= 10" or "not reached" at the ends of the grid.
func (r Intrinsic) String() string {
	switch {
	case !r.Reached:
		return "not reached"
	case r.AtFirst:
		return fmt.Sprintf("<= %d", r.D)
	case math.IsInf(r.Hi, 1):
		return fmt.Sprintf("%.0f [%.0f, not reached], grid %d", r.Interpolated, r.Lo, r.D)
	}
	return fmt.Sprintf("%.0f [%.0f, %.0f], grid %d", r.Interpolated, r.Lo, r.Hi, r.D)
}
