package curvature_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
)

// TestTraceIntervals: of 100 seeds at least 90 have the trace in their intervals of 95 %, by Hutchinson's method and by Hutch++, which is nearer.
func TestTraceIntervals(t *testing.T) {
	want := decaying(60)
	a := dense(t, rotated(7, want))
	e := engine(t, cpu.Options{Threads: 2})
	covered, width := [2]int{}, [2]float64{}
	for seed := range uint64(100) {
		s := sessionOn(t, e, a, curvature.Options{Seed: seed, Vectors: 8})
		forms, err := s.Hutchinson(context.Background(), 5)
		if err != nil {
			t.Fatal(err)
		}
		plus, _, err := s.HutchPlusPlus(context.Background(), 8, 16)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range []curvature.Estimate{forms[0].Estimate(), plus[0]} {
			lo, hi := e.Interval(0.95)
			if lo <= sum(want) && sum(want) <= hi {
				covered[i]++
			}
			width[i] += (hi - lo) / 100
		}
	}
	t.Logf("the trace is in %v of 100 intervals, whose mean widths are %.3g", covered, width)
	if covered[0] < 90 || covered[1] < 90 {
		t.Errorf("the trace is in %v of 100 intervals of 95 %%; want at least 90", covered)
	}
	if !(width[1] < width[0]/10) {
		t.Errorf("intervals of %v; Hutch++ knows the large eigenvalues and should be ten times as narrow", width)
	}
}

// TestSessionAgain: estimations of other sizes, and the same again, in one session are those of sessions of their own.
func TestSessionAgain(t *testing.T) {
	a := dense(t, rotated(7, decaying(30)))
	once := session(t, a, curvature.Options{Seed: 1})
	for _, m := range []int{5, 9, 5} {
		got, err := once.Lanczos(context.Background(), m, curvature.Normal)
		if err != nil {
			t.Fatal(err)
		}
		want, err := session(t, a, curvature.Options{Seed: 1}).Lanczos(context.Background(), m, curvature.Normal)
		if err != nil || !slices.Equal(got[0].Alpha, want[0].Alpha) || !slices.Equal(got[0].Beta, want[0].Beta) {
			t.Errorf("%d steps in a session that did others: %v; by themselves %v, error %v", m, got, want, err)
		}
		forms, err := once.Hutchinson(context.Background(), m)
		if err != nil || len(forms[0]) != m {
			t.Errorf("%d rounds: %v, error %v", m, forms, err)
		}
	}
}

// TestHutchPlusPlusIsExact for a matrix of small rank, and one cell's error comes from its rest.
func TestHutchPlusPlusIsExact(t *testing.T) {
	want := make([]float64, 50)
	want[0], want[1], want[2] = 5, 2, -1
	s := session(t, dense(t, rotated(8, want)), curvature.Options{})
	e, all, err := s.HutchPlusPlus(context.Background(), 6, 4)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e[0].Mean-6) > 1e-5*5 || e[0].Samples != 4 || len(all[0][0].Samples) != 4 {
		t.Errorf("%+v; want 6 of 4 samples", e[0])
	}
}

func TestDiagonal(t *testing.T) {
	a := rotated(9, decaying(40))
	s := session(t, dense(t, a), curvature.Options{Vectors: 4, Seed: 5})
	d, err := s.Diagonal(context.Background(), 200)
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	for i, v := range d[0].Mean {
		if math.Abs(v-a.At(i, i)) > 2*d[0].Error[i] {
			outside++
		}
		if !(d[0].Error[i] < 0.2) {
			t.Errorf("entry %d has an error of %v", i, d[0].Error[i])
		}
	}
	if outside > 6 { // of 40, 5 % are expected: more than 6 has a probability of 0.3 %
		t.Errorf("%d of 40 entries are more than two standard errors off", outside)
	}
	if e := d[0].Trace; math.Abs(e.Mean-sum(decaying(40))) > 4*e.Error {
		t.Errorf("trace %v +- %v; want %v", e.Mean, e.Error, sum(decaying(40)))
	}
}

// TestVectorsDoNotMatter: random vector number i is one and the same, however many are drawn at a time and in whatever pack.
func TestVectorsDoNotMatter(t *testing.T) {
	a, b, c := rotated(1, decaying(33)), rotated(2, decaying(33)), rotated(3, decaying(33))
	forms := func(o curvature.Operator, how curvature.Options, rounds int, e cpu.Options) []curvature.Samples {
		s := sessionOn(t, engine(t, e), o, how)
		f, err := s.Hutchinson(context.Background(), rounds)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	one := forms(dense(t, b), curvature.Options{Seed: 1}, 12, cpu.Options{Threads: 1})[0]
	for _, v := range []int{2, 3, 12} {
		if got := forms(dense(t, b), curvature.Options{Seed: 1, Vectors: v}, 12/v, cpu.Options{Threads: 2})[0]; !slices.Equal(got, one) {
			t.Errorf("%d vectors at a time give %v; one at a time %v", v, got, one)
		}
	}
	pack := forms(dense(t, a, b, c), curvature.Options{Seed: 1, Vectors: 4}, 3, cpu.Options{Threads: 2})
	if !slices.Equal(pack[1], one) || slices.Equal(pack[0], one) {
		t.Errorf("in a pack of three models %v; alone %v", pack[1], one)
	}
}
