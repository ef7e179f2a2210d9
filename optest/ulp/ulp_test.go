package ulp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTruths holds the float64 functions against the 400 bits: what Measure takes their relative errors to be is no less than they are.
func TestTruths(t *testing.T) {
	for _, f := range Functions {
		r := rand.New(rand.NewPCG(1, 2))
		worst, at, compared := 0., float32(0), 0
		for range 3000 {
			x := math.Float32frombits(r.Uint32())
			if r.IntN(2) == 0 { // where most functions are not constant
				x = (1 - 2*float32(r.IntN(2))) * float32(math.Exp(-4+9*r.Float64()))
			}
			y := f.real(float64(x))
			if x-x != 0 || y-y != 0 || math.Abs(y) < 0x1p-151 || y == math.Trunc(y) && math.Abs(y) <= 1 {
				continue
			}
			exact := f.exact(number(float64(x)))
			relative, _ := quo(sub(number(y), exact), exact).Float64()
			compared++
			if relative = math.Abs(relative); relative > worst {
				worst, at = relative, x
			}
		}
		if worst > math.Ldexp(1, -f.bits) || compared < 100 {
			t.Errorf("%s: relative error 2^%.1f at %x, of %d arguments; it is taken for 2^-%d", f.Name, math.Log2(worst), at, compared, f.bits)
		}
		t.Logf("%s: relative error 2^%.1f at %x, of %d arguments", f.Name, math.Log2(worst), at, compared)
	}
}

// FuzzParse: no text panics, and what is read of known functions is written and read again.
func FuzzParse(f *testing.F) {
	f.Add(errorsText)
	f.Add(header + "\nexp 0.5 0x1p-3 0.5 inf 3 -4\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(text)
		if err != nil {
			return
		}
		if _, err := Parse(Format(all)); err != nil {
			t.Fatalf("%q is read, and what is made of it is not: %v", text, err)
		}
	})
}
