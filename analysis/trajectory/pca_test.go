package trajectory_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lockstep/analysis/trajectory"
)

// TestPCA: a path in a known plane has its components there.
func TestPCA(t *testing.T) {
	const T, n = 21, 50
	r := rand.New(rand.NewPCG(1, 1))
	a, b := make([]float64, n), make([]float64, n)
	for i := range a {
		a[i], b[i] = r.NormFloat64(), r.NormFloat64()
	}
	normalise := func(x []float64) {
		s := 0.
		for _, v := range x {
			s += v * v
		}
		for i := range x {
			x[i] /= math.Sqrt(s)
		}
	}
	normalise(a)
	ab := 0.
	for i := range a {
		ab += a[i] * b[i]
	}
	for i := range b {
		b[i] -= ab * a[i]
	}
	normalise(b)
	path := make([][]float32, T)
	for s := range path {
		path[s] = make([]float32, n)
		for i := range a { // the parts are orthogonal as functions of s, too: variances 4 and 1 times those of a cosine and a sine
			w := 2 * math.Pi * float64(s) / T
			path[s][i] = float32(7 + 2*math.Cos(w)*a[i] + math.Sin(w)*b[i])
		}
	}
	c, err := trajectory.PCA(path, 2)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.Shares[0]-0.8) > 1e-5 || math.Abs(c.Shares[1]-0.2) > 1e-5 || c.Rank(0.9) != 2 || c.Rank(0.79) != 1 {
		t.Errorf("shares %v, r90 %d; want 0.8, 0.2, and 2", c.Shares[:3], c.Rank(0.9))
	}
	for k, want := range [][]float64{a, b} {
		dot := 0.
		for i := range want {
			dot += want[i] * c.Directions[k][i]
		}
		if math.Abs(math.Abs(dot)-1) > 1e-5 {
			t.Errorf("direction %d makes the cosine %v with the true one", k, dot)
		}
	}
	for name, path := range map[string][][]float32{"one snapshot": path[:1], "a path that rests": {path[0], path[0]}, "two lengths": {path[0], path[1][:3]},
		"infinite": {{1, 2}, {float32(math.Inf(1)), 2}}} {
		if _, err := trajectory.PCA(path, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRandomWalk: six components hold 90 % of the variance of a random walk, the first 60.8 %; of one with momentum 0.9 between snapshots, three of 201
// snapshots, and two of 41.
func TestRandomWalk(t *testing.T) {
	walk, err := trajectory.RandomWalk(41, 2000, 1, 0, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(walk.Rank-6) > 0.5 || math.Abs(walk.First-6/(math.Pi*math.Pi)) > 0.02 {
		t.Errorf("a random walk has r90 %.2f and %.3f in its first component; want 6 and 0.608", walk.Rank, walk.First)
	}
	for T, want := range map[int]float64{41: 2, 201: 3} {
		ball, err := trajectory.RandomWalk(T, 2000, 1, 0.9, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(ball.Rank-want) > 0.5 {
			t.Errorf("with momentum 0.9 and %d snapshots r90 is %.2f; want %v", T, ball.Rank, want)
		}
	}
	if _, err := trajectory.RandomWalk(1, 5, 1, 0, 1, 1); err == nil {
		t.Error("a walk of one snapshot: no error")
	}
}

// TestStepMatchedWalk: a walk has the components of its steps' lengths. Random directions of many dimensions are orthogonal, so they are those of a path that goes
// along one axis after the other.
func TestStepMatchedWalk(t *testing.T) {
	for name, c := range map[string]struct {
		length func(k int) float64
		rank   float64 // that is known otherwise
	}{
		"steps alike":                     {func(int) float64 { return 7 }, 6},
		"one long step":                   {func(k int) float64 { return map[bool]float64{true: 100, false: 1}[k == 13] }, 1},
		"fast first":                      {func(k int) float64 { return math.Exp(-float64(k) / 4) }, 0},
		"slow first, and of another size": {func(k int) float64 { return 1e30 * float64(k*k) }, 0},
	} {
		const T = 41
		var lengths []float64
		path := [][]float32{make([]float32, T)}
		for k := range T - 1 {
			lengths = append(lengths, c.length(k))
			next := append([]float32{}, path[k]...)
			next[k] += float32(c.length(k))
			path = append(path, next)
		}
		if got := trajectory.Lengths(path); len(got) != T-1 || math.Abs(got[13]-lengths[13]) > 1e-6*lengths[13] {
			t.Errorf("%s: %d lengths, the 14th %v; want %v", name, len(got), got[13], lengths[13])
		}
		exact, err := trajectory.PCA(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		null, err := trajectory.StepMatchedWalk(lengths, 4000, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		if want := float64(exact.Rank(0.9)); math.Abs(null.Rank-want) > 0.5 || math.Abs(null.First-exact.Shares[0]) > 0.02 || c.rank > 0 && want != c.rank {
			t.Errorf("%s: r90 %.2f, and %.3f in the first component; want %v and %.3f", name, null.Rank, null.First, want, exact.Shares[0])
		}
	}
	// Shares know no unit: steps that are hardly float32 numbers have those of others.
	alike, err := trajectory.StepMatchedWalk([]float64{1, 2, 4}, 50, 3, 1)
	small, err2 := trajectory.StepMatchedWalk([]float64{0x1p-148, 0x1p-147, 0x1p-146}, 50, 3, 1)
	if err != nil || err2 != nil || small != alike {
		t.Errorf("walks of small steps have %+v, %v; want %+v, %v", small, err2, alike, err)
	}
	// Of few dimensions it has no more components than these.
	if null, err := trajectory.StepMatchedWalk([]float64{1, 1, 1, 1, 1, 1, 1, 1}, 2, 5, 1); err != nil || null.Rank > 2 || null.Rank <= 1 {
		t.Errorf("in a plane r90 is %v, %v", null.Rank, err)
	}
	for name, lengths := range map[string][]float64{"no step": nil, "steps that rest": {0, 0}, "a negative one": {1, -1}, "one that is none": {1, math.NaN()}, "an infinite one": {math.Inf(1)}} {
		if _, err := trajectory.StepMatchedWalk(lengths, 5, 1, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
