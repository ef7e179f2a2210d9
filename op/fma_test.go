package op

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA is a*b + c for finite operands, by exact arithmetic and one rounding. The exponents of a*b + c span 2^-298 to
// 2^256, so 600 bits hold every sum.
func exactFMA(a, b, c float32) float32 {
	var p, s big.Float
	p.SetPrec(64).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
	s.SetPrec(600).Add(&p, big.NewFloat(float64(c)))
	y, _ := s.Float32()
	return y
}

func TestFMA32Specials(t *testing.T) {
	inf, nan, tiny, huge := float32(math.Inf(1)), float32(math.NaN()), float32(math.SmallestNonzeroFloat32), float32(math.MaxFloat32)
	zero := float32(0)
	for _, c := range []struct{ a, b, c, want float32 }{
		{24929, 673, 0x1p-40, 16777218}, // float64 loses the addend and leaves a tie
		{24929, 673, -0x1p-40, 16777216},
		{-24929, 673, 0x1p-40, -16777216},
		{1 + 0x1p-23, 1 - 0x1p-23, -1, -0x1p-46},
		{inf, 1, -huge, inf}, {-1, inf, huge, -inf}, {1, 1, -inf, -inf},
		{inf, 0, 1, nan}, {0, -inf, nan, nan}, {inf, 1, -inf, nan}, {nan, 1, 1, nan}, {1, nan, 1, nan}, {1, 1, nan, nan},
		{huge, 2, 0, inf}, {huge, 2, -huge, huge}, {huge, huge, -inf, -inf}, {huge, 1, 0x1p+103, inf},
		{huge, 1, math.Nextafter32(0x1p+103, 0), huge}, {0x1p+103, 1 - 0x1p-24, huge, huge},
		{tiny, 0.5, 0, 0}, {tiny, -0.5, 0, zero}, {tiny, 0.75, 0, tiny}, {tiny, 0.5, tiny, 2 * tiny}, {tiny, tiny, tiny, tiny},
		{0x1p-127, 1 + 0x1p-22, 0x1p-149, 0x1.000008p-127}, {0x1p-75, 0x1p-75, tiny, 2 * tiny}, {0x1p-75, -0x1p-75, tiny, 0},
		{0, 1, 0, 0}, {-1, 1, 1, 0}, {0, 5, 3, 3},
	} {
		got := FMA32(c.a, c.b, c.c)
		if got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("FMA32(%x, %x, %x) = %x, want %x", c.a, c.b, c.c, got, c.want)
		}
	}
	minus := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		a, b, c float32
		neg     bool
	}{
		{0, 1, minus, false}, {minus, 1, minus, true}, {minus, 1, 0, false},
		{tiny, -tiny, 0, true}, {tiny, -tiny, minus, true}, {1, 1, -1, false},
	} {
		if got := FMA32(c.a, c.b, c.c); got != 0 || math.Signbit(float64(got)) != c.neg {
			t.Errorf("FMA32(%x, %x, %x) = %x, want a zero with negative = %v", c.a, c.b, c.c, got, c.neg)
		}
	}
}

// TestFMA32Trap shows that the operands of the trap tell FMA32 from the obvious wrong implementations.
func TestFMA32Trap(t *testing.T) {
	a, b, c := float32(24929), float32(673), float32(0x1p-40)
	want := FMA32(a, b, c)
	if twice := float32(math.FMA(float64(a), float64(b), float64(c))); twice == want {
		t.Errorf("float32(math.FMA(%v, %v, %v)) = %v rounds once, or FMA32 rounds twice", a, b, c, twice)
	}
	if unfused := float32(a*b) + c; unfused == want {
		t.Errorf("%v * %v + %v = %v with two roundings, the same as FMA32", a, b, c, unfused)
	}
}

// TestFMA32Exact holds FMA32 against exact arithmetic where a wrong rounding is likely; random operands would not find one.
func TestFMA32Exact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pow := func(lo, hi int) float32 { return float32(math.Ldexp(1, lo+r.IntN(hi-lo+1))) }
	sig := func() float32 { return float32(1+r.Uint32N(1<<24-1)) * float32(1-2*r.IntN(2)) }
	// nearOdd returns factors whose product is an odd number less a little: n (1 + i 2^-s) (1 - i 2^-s).
	nearOdd := func() (a, b float32) {
		n, d := float32(2*r.IntN(8)+1), float32(r.IntN(4))*pow(-20, -12)
		return n * (1 + d), 1 - d
	}
	for _, family := range []struct {
		name string
		wild bool // double rounding must go wrong somewhere, or the family is too tame
		draw func() (a, b, c float32)
	}{
		{"any bits", false, func() (a, b, c float32) {
			return math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		}},
		{"a product of 25 bits and a tiny addend", true, func() (a, b, c float32) {
			e := pow(-165, 80)
			return float32(1<<12 + 2*r.Uint32N(1<<11) + 1), float32(1<<12+2*r.Uint32N(1<<11)+1) * e, sig() * e * pow(-60, -20)
		}},
		{"a product near a half-way of the addend", true, func() (a, b, c float32) {
			a, b = nearOdd()
			e := pow(-100, 80)
			return a, b * e * 0.5, sig() * e
		}},
		{"a subnormal product near a half-way of the addend", true, func() (a, b, c float32) {
			a, b = nearOdd()
			return a * 0x1p-75, b * 0x1p-75, float32(int32(r.Uint32())>>(8+r.IntN(16))) * 0x1p-149
		}},
		{"cancellation", false, func() (a, b, c float32) {
			a, b = sig()*pow(-90, 40), sig()*pow(-90, 40)
			return a, b, math.Nextafter32(-a*b, float32(r.NormFloat64()))
		}},
		{"subnormal results", false, func() (a, b, c float32) {
			return sig() * pow(-110, -60), sig() * pow(-110, -60), float32(int32(r.Uint32())>>(r.IntN(31))) * 0x1p-149
		}},
		{"few bits", false, func() (a, b, c float32) {
			return float32(r.IntN(64)-32) * pow(-80, 60), float32(r.IntN(64)-32) * pow(-80, 60), float32(r.IntN(64)-32) * pow(-149, 100)
		}},
	} {
		t.Run(family.name, func(t *testing.T) {
			fusedTwice, finite := 0, func(x float32) bool { return x-x == 0 }
			for range 300_000 {
				a, b, c := family.draw()
				if !finite(a) || !finite(b) || !finite(c) {
					continue
				}
				got, want := FMA32(a, b, c), exactFMA(a, b, c)
				if math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("FMA32(%x, %x, %x) = %x, want %x", a, b, c, got, want)
				}
				if float32(math.FMA(float64(a), float64(b), float64(c))) != want {
					fusedTwice++
				}
			}
			if family.wild && fusedTwice == 0 {
				t.Error("float32(math.FMA(a, b, c)) is right for all operands; the family should catch double rounding")
			}
			t.Logf("float32(math.FMA(a, b, c)) is wrong for %d operands", fusedTwice)
		})
	}
}

func TestExtrema(t *testing.T) {
	inf, nan, minus := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b }
	for _, c := range []struct{ a, b, lo, hi float32 }{
		{1, 2, 1, 2}, {-1, -2, -2, -1}, {minus, 0, minus, 0}, {minus, minus, minus, minus}, {0, 0, 0, 0}, {-inf, inf, -inf, inf},
		{nan, 1, nan, nan}, {nan, inf, nan, nan}, {nan, -inf, nan, nan}, {nan, nan, nan, nan}, {0x1p-149, 0, 0, 0x1p-149},
	} {
		for range 2 {
			if got := Max32(c.a, c.b); !same(got, c.hi) {
				t.Errorf("Max32(%v, %v) = %v, want %v", c.a, c.b, got, c.hi)
			}
			if got := Min32(c.a, c.b); !same(got, c.lo) {
				t.Errorf("Min32(%v, %v) = %v, want %v", c.a, c.b, got, c.lo)
			}
			c.a, c.b = c.b, c.a
		}
	}
	for _, c := range [][2]float32{{1, 1}, {-1, 0}, {0, 0}, {minus, 0}, {inf, inf}, {-inf, 0}, {nan, nan}, {0x1p-149, 0x1p-149}} {
		if got := Relu32(c[0]); !same(got, c[1]) {
			t.Errorf("Relu32(%v) = %v, want %v", c[0], got, c[1])
		}
	}
}
