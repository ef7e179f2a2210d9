package analysis

import (
	"math"
	"strings"
	"testing"
)

func constant(d int, scores ...float64) Point { return Point{d, scores} }

// TestCrossing: the threshold 0.9 lies halfway between the means 0.8 and 1.0 at d = 16 and 64, so halfway in log d: 32.
func TestCrossing(t *testing.T) {
	points := []Point{constant(4, 0.2, 0.4), constant(16, 0.7, 0.9), constant(64, 1, 1), constant(256, 0.5, 0.5)}
	r, err := IntrinsicDimension(points, []float64{1, 1}, 0.9, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Reached || r.AtFirst || r.D != 64 || math.Abs(r.Interpolated-32) > 1e-9 || r.Threshold != 0.9 || r.Baseline != 1 {
		t.Errorf("got %+v; want d = 64, interpolated 32", r)
	}
	// Of the four draws of two seeds, a quarter gives 0.9 at d = 16 itself, a quarter 0.7: 16 * 4^(2/3).
	if math.Abs(r.Lo-16) > 1e-9 || math.Abs(r.Hi-16*math.Pow(4, 2.0/3)) > 1e-9 {
		t.Errorf("interval [%v, %v]; want [16, %v]", r.Lo, r.Hi, 16*math.Pow(4, 2.0/3))
	}
	if again, _ := IntrinsicDimension(points, []float64{1, 1}, 0.9, 1); again != r {
		t.Errorf("a second time: %+v; want %+v", again, r)
	}
	if got, want := r.String(), "32 [16, 40], grid 64"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestCrossingEnds(t *testing.T) {
	for _, c := range []struct {
		points []Point
		base   []float64
		want   string
	}{
		{[]Point{constant(4, 0.1), constant(8, 0.2)}, []float64{1}, "not reached"},
		{[]Point{constant(4, 0.95), constant(8, 1)}, []float64{1}, "<= 4"},
		{[]Point{constant(4, 0.5), constant(8, 0.9)}, []float64{1}, "8 [8, 8], grid 8"},                  // the threshold itself reaches it
		{[]Point{constant(4, 0, 0), constant(8, 2, 0.5)}, []float64{1, 1}, "7 [5, not reached], grid 8"}, // a quarter of the draws never does
		{[]Point{constant(4, 0, 0), constant(8, 0.5, 0.9)}, []float64{0.5, 0.9}, "7 [7, 7], grid 8"},     // the baseline is drawn with the points
	} {
		r, err := IntrinsicDimension(c.points, c.base, 0.9, 7)
		if err != nil || r.String() != c.want {
			t.Errorf("%v: %s, %v; want %s", c.points, r, err, c.want)
		}
	}
}

// TestBootstrapCoverage: for many seeds the interval of a mean is near the normal one. All points but the crossing's are
// certain, so the interpolated dimension is a known function of one mean.
func TestBootstrapCoverage(t *testing.T) {
	var high, base []float64
	for i := range 400 {
		high = append(high, 1+0.2*math.Sin(float64(i*i)))
		base = append(base, 1)
	}
	low := make([]float64, 400)
	r, err := IntrinsicDimension([]Point{{10, low}, {100, high}}, base, 0.9, 3)
	if err != nil {
		t.Fatal(err)
	}
	var mean, square float64
	for _, h := range high {
		mean += h / 400
	}
	for _, h := range high {
		square += (h - mean) * (h - mean) / 400
	}
	deviation := math.Sqrt(square / 400)
	for _, c := range []struct{ got, mean float64 }{{r.Lo, mean + 1.96*deviation}, {r.Interpolated, mean}, {r.Hi, mean - 1.96*deviation}} {
		if want := 10 * math.Pow(10, 0.9/c.mean); math.Abs(math.Log(c.got/want)) > 0.005 { // the interval's half width is 0.04
			t.Errorf("got %v; want about %v", c.got, want)
		}
	}
}

func TestIntrinsicRefused(t *testing.T) {
	ok := []float64{1, 1}
	for _, c := range []struct {
		points   []Point
		base     []float64
		fraction float64
		want     string
	}{
		{nil, ok, 0.9, "no points"},
		{[]Point{constant(0, 1, 1)}, ok, 0.9, "point 0 has d = 0"},
		{[]Point{constant(4, 1, 1), constant(4, 1, 1)}, ok, 0.9, "d = 4 follows d = 4"},
		{[]Point{constant(4, 1)}, ok, 0.9, "d = 4 has 1 scores and the baseline 2"},
		{[]Point{constant(4)}, nil, 0.9, "d = 4 has 0 scores"},
		{[]Point{constant(4, 1, math.NaN())}, ok, 0.9, "d = 4: score 1 is NaN"},
		{[]Point{constant(4, 1, 1)}, []float64{1, math.Inf(1)}, 0.9, "baseline: score 1 is +Inf"},
		{[]Point{constant(4, 1, 1)}, []float64{0, 0}, 0.9, "mean score is 0"},
		{[]Point{constant(4, 1, 1)}, ok, 0, "fraction 0"},
		{[]Point{constant(4, 1, 1)}, ok, math.NaN(), "fraction NaN"},
	} {
		if r, err := IntrinsicDimension(c.points, c.base, c.fraction, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, %v; want an error with %q", r, err, c.want)
		}
	}
}
