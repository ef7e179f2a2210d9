package op

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strings"
	"testing"
)

// primitives are the primitive functions, each with a float64 reference whose relative error is below 1e-15, bounds of the
// errors in ULP over all arguments and over those with a normal result (optest/ulp measures them), and the SHA-256 of TestFunctionGolden.
var primitives = []struct {
	name        string
	law         func(float32) float32
	ref         func(float64) float64
	ulp, normal float64
	golden      string
}{
	{"exp", Exp32, math.Exp, 0.765, 0.655,
		"4963b2db0c59e2594eb6d6ab04ab216526af442b470ea3f8ea373f9143df9c3c"},
	{"log", Log32, math.Log, 0.590, 0.590,
		"a49fe8b47df4e3ccc0ef500a7512fd84ebff8d58d69eb6977c6628b8b4f0123e"},
	{"tanh", Tanh32, math.Tanh, 0.960, 0.960,
		"af06838ee5fafdfe7a61aaeccca7d460ee58358c50c06c562941477688670e29"},
	{"sinpi", SinPi32, func(x float64) float64 { return math.Copysign(1, x) * turn(x, 0) }, 0.965, 0.965,
		"6419480bd2e605b9977e54a1e790f9d4cc6798f68993aac0ddccd211cc9fee9f"},
	{"cospi", CosPi32, func(x float64) float64 { return turn(x, 1) }, 0.689, 0.689,
		"5ef5f469c20c7d7fe5edd942470b3ad8dc51091b71366a4dce213849ecc62d7e"},
	{"sqrt", Sqrt32, math.Sqrt, 0.5, 0.5,
		"5016735de36059e9728e222b65bde7ec4ff4be494b3179697e40eb388aa0be40"},
}

// turn is sin(pi (|x| + quarters/2)) in float64. The reduction is exact.
func turn(x float64, quarters int) float64 {
	z := math.Mod(math.Abs(x), 2)
	n := math.RoundToEven(2 * z)
	r := math.Pi * (z - n/2)
	switch (int(n) + quarters) % 4 {
	case 1:
		return math.Cos(r)
	case 2:
		return -math.Sin(r)
	case 3:
		return -math.Cos(r)
	}
	return math.Sin(r)
}

// sweep is what a sweep over arguments found: the largest error and its argument, over all and over normal results, and
// an argument at which the law is NaN, infinite or zero and the correctly rounded result is not, or the other way round.
type sweep struct {
	ulp, normal         float64
	ulpAt, normalAt     float32
	wrong               bool
	wrongAt, wrongValue float32
}

// measure sweeps the arguments whose bits are from, from + stride, .., below to. The unit is the distance of neighbouring
// binary32 in the binade of the exact result, 2^-149 at least.
func measure(law func(float32) float32, ref func(float64) float64, from, to, stride uint64) (s sweep) {
	for b := from; b < to; b += stride {
		x := math.Float32frombits(uint32(b))
		y, want := law(x), ref(float64(x))
		rounded := float32(want)
		switch {
		case y != y || rounded != rounded || y-y != 0 || rounded-rounded != 0 || (y == 0) != (rounded == 0):
			if y != rounded && (y == y || rounded == rounded) {
				s.wrong, s.wrongAt, s.wrongValue = true, x, y
			}
			continue
		}
		exponent := max(int(math.Float64bits(want)>>52&0x7ff)-1023, -126) // of a float64 that is 0 or normal
		e := math.Abs(float64(y)-want) * math.Float64frombits(uint64(1023+23-exponent)<<52)
		if e > s.ulp {
			s.ulp, s.ulpAt = e, x
		}
		if e > s.normal && math.Abs(want) >= 0x1p-126 {
			s.normal, s.normalAt = e, x
		}
	}
	return s
}

// TestFunctionError sweeps a prime stride over all bit patterns: 1.4 million arguments of each function.
func TestFunctionError(t *testing.T) {
	for _, f := range primitives {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := measure(f.law, f.ref, 0, 1<<32, 3001)
			if s.wrong {
				t.Errorf("%s(%x) = %v, want %v", f.name, s.wrongAt, s.wrongValue, float32(f.ref(float64(s.wrongAt))))
			}
			if s.ulp > f.ulp || s.normal > f.normal {
				t.Errorf("error %.4f ULP at %x, %.4f at %x among normal results; at most %.3f and %.3f are published",
					s.ulp, s.ulpAt, s.normal, s.normalAt, f.ulp, f.normal)
			}
			if s.ulp < 0.49 {
				t.Errorf("error %.4f ULP: less than rounding alone makes, so the reference follows the law", s.ulp)
			}
		})
	}
}

// TestFunctionGolden pins the bits of 261,000 results of each function, with NaN as 7fc00000, each little endian. A change
// of a hash is a change of the law: a new Version.
func TestFunctionGolden(t *testing.T) {
	for _, f := range primitives {
		h := sha256.New()
		var word [4]byte
		for b := uint64(0); b < 1<<32; b += 16411 {
			y := f.law(math.Float32frombits(uint32(b)))
			bits := math.Float32bits(y)
			if y != y {
				bits = 0x7fc00000
			}
			binary.LittleEndian.PutUint32(word[:], bits)
			h.Write(word[:])
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != f.golden {
			t.Errorf("%s: SHA-256 %s, want %s", f.name, got, f.golden)
		}
	}
}

func TestFunctionSpecials(t *testing.T) {
	inf, nan, minus := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	const tiny, huge, least = 0x1p-149, math.MaxFloat32, 0x1p-126
	for _, f := range []struct {
		name string
		law  func(float32) float32
		rows [][2]float32
	}{
		{"Exp32", Exp32, [][2]float32{
			{0, 1}, {minus, 1}, {tiny, 1}, {-tiny, 1}, {1, 0x1.5bf0a8p+1}, {inf, inf}, {-inf, 0}, {nan, nan}, {huge, inf},
			{-huge, 0}, {0x1.62e42ep+6, 0x1.ffff08p+127}, {0x1.62e430p+6, inf}, {-0x1.5d589ep+6, 0x1.00004cp-126},
			{-0x1.9d1d9ep+6, tiny}, {-0x1.9fe368p+6, tiny}, {-0x1.9fe36ap+6, 0},
		}},
		{"Log32", Log32, [][2]float32{
			{0, -inf}, {minus, -inf}, {1, 0}, {-1, nan}, {-tiny, nan}, {-huge, nan}, {-inf, nan}, {inf, inf}, {nan, nan},
			{2, 0x1.62e430p-1}, {huge, 0x1.62e430p+6}, {least, -0x1.5d58a0p+6}, {0x1.fffffcp-127, -0x1.5d58a0p+6},
			{tiny, -0x1.9d1da0p+6}, {0x1.000002p+0, 0x1.fffffep-24}, {0x1.fffffep-1, -0x1p-24},
		}},
		{"Tanh32", Tanh32, [][2]float32{
			{0, 0}, {minus, minus}, {inf, 1}, {-inf, -1}, {huge, 1}, {-huge, -1}, {nan, nan}, {tiny, tiny}, {-tiny, -tiny},
			{least, least}, {0x1.fffffcp-127, 0x1.fffffcp-127}, {0x1.205966p+3, 0x1.fffffep-1}, {0x1.205968p+3, 1},
			{8, 0x1.fffff8p-1},
		}},
		{"SinPi32", SinPi32, [][2]float32{
			{0, 0}, {minus, minus}, {inf, nan}, {-inf, nan}, {nan, nan}, {1, 0}, {-1, minus}, {2, 0}, {-2, minus}, {3, 0},
			{0.5, 1}, {-0.5, -1}, {1.5, -1}, {-1.5, 1}, {2.5, 1}, {0.25, 0x1.6a09e6p-1}, {0x1p+22, 0}, {0x1p+22 + 0.5, 1},
			{-0x1p+22 - 1.5, 1}, {0x1p+23 - 0.5, -1}, {0x1p+23 + 1, 0}, {-0x1p+23 - 1, minus}, {0x1p+24 - 1, 0},
			{0x1p+24 + 2, 0}, {0x1.fffffep+47, 0}, {huge, 0}, {-huge, minus}, {tiny, 3 * tiny}, {-tiny, -3 * tiny},
		}},
		{"CosPi32", CosPi32, [][2]float32{
			{0, 1}, {minus, 1}, {inf, nan}, {-inf, nan}, {nan, nan}, {1, -1}, {-1, -1}, {2, 1}, {3, -1}, {0.5, 0},
			{-0.5, 0}, {1.5, 0}, {-1.5, 0}, {2.5, 0}, {0.25, 0x1.6a09e6p-1}, {0x1p+22 + 0.5, 0}, {0x1p+23 - 0.5, 0},
			{0x1p+23 + 1, -1}, {0x1p+23 + 2, 1}, {0x1p+24 - 1, -1}, {0x1p+24, 1}, {0x1p+24 + 2, 1}, {0x1.fffffep+47, 1},
			{huge, 1}, {-huge, 1}, {tiny, 1},
		}},
		{"Sqrt32", Sqrt32, [][2]float32{
			{0, 0}, {minus, minus}, {inf, inf}, {-inf, nan}, {-1, nan}, {nan, nan}, {4, 2}, {tiny, 0x1.6a09e6p-75},
			{0x1.fffffep-1, 0x1.fffffep-1}, {0x1.000002p+0, 1},
		}},
	} {
		for _, r := range f.rows {
			got := f.law(r[0])
			if math.Float32bits(got) != math.Float32bits(r[1]) && !(got != got && r[1] != r[1]) {
				t.Errorf("%s(%x) = %x, want %x", f.name, r[0], got, r[1])
			}
		}
	}
}

// TestMonotonic walks over neighbouring arguments where the laws change their way: at powers of two, at the borders of the
// reduction, at Tanh32's split, and next to overflow and underflow.
func TestMonotonic(t *testing.T) {
	half := func(k float64) float32 { return float32((k + 0.5) * math.Ln2) }
	for _, f := range []struct {
		name string
		law  func(float32) float32
		at   []float32
	}{

		{"exp", Exp32, []float32{0x1p-24, 0x1p-12, half(0), half(1), half(2), half(63), half(126), half(127), expMax, -0x1p-24, -0x1p-12,
			half(-1), half(-2), half(-126), half(-127), half(-149), half(-150), expMin}},
		{"log", Log32, []float32{0x1p-149, 0x1p-126, 0x1p-64, 2. / 3, 1, 4. / 3, 2, 8. / 3, 0x1p+64, math.MaxFloat32}},
		{"tanh", Tanh32, []float32{0x1p-126, 0x1p-12, half(0) / 2, half(1) / 2, tanhSplit, half(5), 9, tanhMax, -tanhSplit}},
	} {
		for _, at := range f.at {
			first := math.Float32bits(at) - min(math.Float32bits(at)&^signBit, 20_000)
			for b := first; b < first+40_000; b++ {
				x, next := math.Float32frombits(b), math.Float32frombits(b+1)
				if x < 0 {
					x, next = next, x
				}
				if f.law(x) > f.law(next) {
					t.Fatalf("%s(%x) = %x is more than %s(%x) = %x", f.name, x, f.law(x), f.name, next, f.law(next))
				}
			}
		}
	}
}

// TestSymmetry: tanh and sinpi are odd and cospi is even, bit for bit, and sinpi(x + 1/2) = cospi(x) where the sum is exact.
func TestSymmetry(t *testing.T) {
	for b := uint32(0); b < 0x7f800000; b += 10007 {
		x := math.Float32frombits(b)
		if Tanh32(-x) != -Tanh32(x) || SinPi32(-x) != -SinPi32(x) || CosPi32(-x) != CosPi32(x) {
			t.Fatalf("at %x: tanh %x and %x, sinpi %x and %x, cospi %x and %x", x, Tanh32(x), Tanh32(-x), SinPi32(x), SinPi32(-x),
				CosPi32(x), CosPi32(-x))
		}
		if h := x + 0.5; h-0.5 == x && h-x == 0.5 && SinPi32(h) != CosPi32(x) {
			t.Fatalf("sinpi(%x) = %x, cospi(%x) = %x", h, SinPi32(h), x, CosPi32(x))
		}
	}
}

// TestConstants: the list for the generators names every constant of constants.go once, the split ones sum up to more digits
// than binary32 has, and no bit has changed: a last bit of a high coefficient moves too few results for TestFunctionGolden.
func TestConstants(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "constants.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				missing[strings.ToUpper(s.(*ast.ValueSpec).Names[0].Name)] = true
			}
		}
	}
	bits, h := map[string]uint32{}, sha256.New()
	for _, c := range Constants() {
		name := strings.ReplaceAll(c.Name, "_", "")
		if !missing[name] {
			t.Errorf("%s of %s is not a constant of constants.go, or it is listed twice", c.Name, c.Func)
		}
		delete(missing, name)
		fmt.Fprintf(h, "%s %08x\n", c.Name, c.Bits)
		bits[c.Name] = c.Bits
	}
	for name := range missing {
		t.Errorf("constant %s is not listed", name)
	}
	value := func(name string) float64 { return float64(math.Float32frombits(bits[name])) }
	for _, s := range []struct {
		name string
		sum  float64
		want float64
	}{
		{"ln 2", value("LN2_HI") + value("LN2_LO"), math.Ln2},
		{"pi", value("SIN_PI") + value("SIN_PI_LO"), math.Pi},
		{"-pi^2/2", value("COS_HI") + value("COS_LO"), -math.Pi * math.Pi / 2},
	} {
		if math.Abs(s.sum/s.want-1) > 0x1p-42 {
			t.Errorf("%s: the parts sum up to %.17g, want %.17g", s.name, s.sum, s.want)
		}
	}
	const golden = "99c8c38ac798cb40077237f6fb494ca7573e691f3c02cc3f094c62a7f888ffa1"
	if got := hex.EncodeToString(h.Sum(nil)); got != golden {
		t.Errorf("SHA-256 of the list %s, want %s", got, golden)
	}
}
