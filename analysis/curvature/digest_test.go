package curvature_test

import (
	"math"
	"testing"

	"lockstep/analysis/curvature"
)

// TestDigest: it tells apart whatever differs, and is what it was.
func TestDigest(t *testing.T) {
	a, b := curvature.Declared{Name: "a", Values: []float32{1, -0.5}}, curvature.Declared{Name: "b", Values: []float32{2}}
	seen := map[string]int{}
	for i, parts := range [][]curvature.Declared{
		{a, b}, {b, a}, {a}, {}, {{Name: "ab", Values: []float32{1, -0.5, 2}}}, {{Name: "a", Values: []float32{1}}, {Name: "", Values: []float32{-0.5}}, b},
		{{Name: "a", Values: []float32{0}}}, {{Name: "a", Values: []float32{float32(math.Copysign(0, -1))}}}, {{Name: "a"}}, {{Name: "a"}, {}},
	} {
		d := curvature.Digest(parts...)
		if j, again := seen[d]; again {
			t.Errorf("parts %d and %d have one digest", i, j)
		}
		seen[d] = i
	}
	// By Python's struct and hashlib, from what the function's comment says.
	const want = "24e4fbf30c1e42087ab2c4463c9e714c3c7e67779d5f48ffbc6e5a56a90caafe"
	if d := curvature.Digest(a, b); d != want {
		t.Errorf("digest %s; want %s", d, want)
	}
}
