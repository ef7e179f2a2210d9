package bench

import (
	"context"
	"math"
	"testing"
	"time"

	"lockstep/graph"
)

// On a clock that goes on by a millisecond whenever it is read, a burst takes one: time, rate and share of the peak are then known.
func TestMeasureByAKnownClock(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		name        string
		peak        graph.Peak
		rate, share float64
		bound       string
	}{
		{"matmul/128x64x32/cells=1", graph.Peak{FMA: 1e11, Copy: 1e12}, 128 * 64 * 32 / 1e6, 2.62144e-3, "fma"},
		{"matmul/128x64x32/cells=1", graph.Peak{FMA: 1e11, Copy: 1e9}, 128 * 64 * 32 / 1e6, 5.7344e-2, "memory"},
		{"add/128x128/cells=1", graph.Peak{FMA: 1e11, Copy: 1e10}, 4 * 3 * 128 * 128 / 1e6, 1.96608e-2, "memory"},
	} {
		o, clock := options(t, e), time.Time{}
		o.Time = mostBursts * time.Millisecond
		o.Now = func() time.Time {
			clock = clock.Add(time.Millisecond)
			return clock
		}
		r, err := Measure(context.Background(), named(t, c.name), o, c.peak)
		if err != nil || r.NS != 1e6 || r.Q1 != 1e6 || r.Q3 != 1e6 || r.Steps != 1 || r.Sets != 1 || r.Bound != c.bound {
			t.Fatalf("%+v, %v", r, err)
		}
		near := func(got, want float64) bool { return math.Abs(got-want) < 1e-9*want }
		if !near(r.Roofline, c.share) || !near(r.Rate, c.rate) {
			t.Errorf("%s: %v of the peak and %v %s; want %v and %v", c.name, r.Roofline, r.Rate, r.Unit, c.share, c.rate)
		}
	}
}
