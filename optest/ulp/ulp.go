// Package ulp measures how far the results of functions are from the exact ones, in units in the last place.
//
// The unit of a real number y is the distance of neighbouring float32 in its binade: 2^(e-23) where 2^e <= |y| < 2^(e+1), and
// 2^-149 where that is more (Muller et al., Handbook of Floating-Point Arithmetic, 2nd edition, chapter 2, after Goldberg). The error of a result is
// its distance from the exact y in units of y; a correctly rounded one has at most 0.5.
//
// The exact y is taken from float64 functions, whose errors are a 2^-20th of such a unit and less (see Functions). Where that does not tell to which
// float32 y rounds, and for the largest error that is published, it is computed with 400 bits.
package ulp

import (
	"fmt"
	"math"
)

// Error is what was found of a function's results.
type Error struct {
	Largest    float64 // in units
	At         float32 // the lowest bits of an argument with it
	Normal     float64 // the largest where argument and result are normal numbers
	NormalAt   float32
	Misrounded int64 // how many are not the float32 next to the exact result
	Zeros      int64 // how many are zero where the next float32 is not, or the other way round
}

// Merge adds what was found of results for higher arguments.
func (e *Error) Merge(o Error) {
	if o.Largest > e.Largest {
		e.Largest, e.At = o.Largest, o.At
	}
	if o.Normal > e.Normal {
		e.Normal, e.NormalAt = o.Normal, o.NormalAt
	}
	e.Misrounded += o.Misrounded
	e.Zeros += o.Zeros
}

const smallest = 0x1p-126 // normal number

// Measure finds the errors of the results y[i] for the arguments of bits first + i; both have the form in which tensors are stored. Error: a result
// that is a NaN or infinite and must not be, or the other way round.
func (f Function) Measure(first uint32, y []uint32) (e Error, err error) {
	uncertain := math.Ldexp(1, -f.bits)
	for i, word := range y {
		x, got := math.Float32frombits(first+uint32(i)), math.Float32frombits(word)
		exact := f.real(float64(x))
		want := float32(exact)
		if got-got != 0 || want-want != 0 { // one is no finite number
			if got != want && (got == got || want == want) {
				return e, fmt.Errorf("%s(%x) is %x; the float32 next to the exact result is %x", f.Name, x, got, want)
			}
			continue
		}
		units := unitsOf(exact)
		scaled := math.Abs(exact) * units // exact, and below 2^24
		if tie := math.Abs(scaled - float64(int64(scaled)) - 0.5); tie <= scaled*uncertain {
			want = f.Round(x)
		}
		if got != want {
			e.Misrounded++
			if got == 0 || want == 0 {
				e.Zeros++
			}
		}
		off := math.Abs(float64(got)-exact) * units
		if off > e.Largest {
			e.Largest, e.At = off, x
		}
		if off > e.Normal && math.Abs(exact) >= smallest && math.Abs(float64(x)) >= smallest {
			e.Normal, e.NormalAt = off, x
		}
	}
	return e, nil
}

// unitsOf is how many units of y are 1. y is 0 or so large that its unit is that of the number that it stands for.
func unitsOf(y float64) float64 {
	exponent := max(int(math.Float64bits(y)>>52&0x7ff)-1023, -126)
	return math.Float64frombits(uint64(23-exponent+1023) << 52)
}

// Round is the float32 next to the exact result for x; both must be finite and not zero.
func (f Function) Round(x float32) float32 {
	y, _ := f.exact(number(float64(x))).Float32()
	return y
}

// Distance is the error of the result y for x, from 400 bits; x and the exact result must be finite and not zero.
func (f Function) Distance(x, y float32) float64 {
	exact := f.exact(number(float64(x)))
	exponent := max(exact.MantExp(nil)-1, -126) // MantExp's mantissa is below 1
	d, _ := scale(number(0).Abs(sub(number(float64(y)), exact)), 23-exponent).Float64()
	return d
}

// Named is the function of that name.
func Named(name string) (f Function, ok bool) {
	for _, f := range Functions {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
