package optest

import (
	"math"
	"math/rand/v2"

	"lockstep/op"
)

// flavour is a rule for float32 values.
type flavour struct {
	name string
	draw func(r *rand.Rand, i int) float32 // element i
}

// specials are the float32 at which implementations differ.
var specials = []float32{
	0, negZero, 1, -1, 0.5, -2.5, 1.5, math.Pi, 0x1p-149, -0x1p-149, 0x1.fffffcp-127, -0x1.fffffcp-127, 0x1p-126, -0x1p-126,
	1 + 0x1p-23, 1 - 0x1p-24, 0x1p+23 + 0.5, 0x1p+24, 0x1p+24 - 1, -0x1p+31, 0x1p+31, 0x1p+32, 127.5, -128.5, math.MaxFloat32, -math.MaxFloat32,
	inf, -inf, nan, 88.72284, -103.97208, // where exp overflows and where it becomes zero
}

var (
	inf     = float32(math.Inf(1))
	nan     = float32(math.NaN())
	negZero = float32(math.Copysign(0, -1))
)

// sign is +1 or -1.
func sign(r *rand.Rand) float32 { return float32(1 - 2*r.IntN(2)) }

// scaled draws magnitudes from 2^lo to 2^(hi+1) of both signs, evenly over the exponents.
func scaled(lo, hi int) func(r *rand.Rand, i int) float32 {
	return func(r *rand.Rand, _ int) float32 {
		return sign(r) * float32(math.Ldexp(1+r.Float64(), lo+r.IntN(hi-lo+1)))
	}
}

func anyBits(r *rand.Rand, _ int) float32 { return math.Float32frombits(r.Uint32()) }

var (
	gauss = flavour{"standard normal values", func(r *rand.Rand, _ int) float32 { return float32(r.NormFloat64()) }}
	wide  = flavour{"a mix of huge and small values", scaled(-40, 40)}
	bits  = flavour{"any bits", anyBits}
	// Sums of these meet ties: odd integers of 24 bits, their halves, and powers of two around them.
	ties = flavour{"ties", func(r *rand.Rand, i int) float32 {
		x := []float32{1, 0x1p+24, 0x1p-24, float32(1<<23 + 2*r.Uint32N(1<<22) + 1)}[i%4]
		return sign(r) * x
	}}
	// Neighbours cancel up to the last bits.
	cancel = flavour{"cancellations", func(r *rand.Rand, i int) float32 {
		x := float32(1000 + i/2%7)
		if i%2 == 1 {
			x = -x * (1 + float32(r.IntN(3)-1)*0x1p-23)
		}
		return x
	}}
	// Products of these are subnormal or underflow, sums of them change sign: a chunk can end in -0.
	under     = flavour{"products that underflow", scaled(-78, -72)}
	vanishing = flavour{"products that are rounded to zeros", scaled(-80, -77)}
	over      = flavour{"sums and products that overflow", scaled(60, 127)}
	subnormal = flavour{"subnormal values", func(r *rand.Rand, _ int) float32 {
		return sign(r) * math.Float32frombits(r.Uint32()>>(9+r.IntN(20)))
	}}
	zeros   = flavour{"zeros of both signs", func(r *rand.Rand, _ int) float32 { return negZero * float32(r.IntN(2)) * sign(r) }}
	special = flavour{"special values", func(r *rand.Rand, _ int) float32 { return specials[r.IntN(len(specials))] }}
	// One in forty is not finite, so that most results are.
	rare = flavour{"rare infinities and NaNs", func(r *rand.Rand, _ int) float32 {
		if r.IntN(40) == 0 {
			return []float32{inf, -inf, nan}[r.IntN(3)]
		}
		return float32(r.NormFloat64())
	}}
	ramp = flavour{"small integers", func(_ *rand.Rand, i int) float32 { return float32(i%17 - 8) }}
)

var flavours = []flavour{gauss, wide, ties, cancel, under, over, subnormal, zeros, special, rare, bits, ramp}

// f32 is a float32 operand.
func f32(f flavour, dims ...int) operand {
	return operand{op.T(op.F32, op.Shared, dims...), func(r *rand.Rand, t op.Tensor) {
		for i := range t.W {
			t.SetF(i, f.draw(r, i))
		}
	}}
}

// words is an operand of a one-word element type whose words draw gives.
func words(d op.DType, draw func(r *rand.Rand) uint32, dims ...int) operand {
	return operand{op.T(d, op.Shared, dims...), func(r *rand.Rand, t op.Tensor) {
		for i := range t.W {
			t.W[i] = draw(r)
		}
	}}
}

// below is a U32 operand with values below n.
func below(n uint32, dims ...int) operand {
	return words(op.U32, func(r *rand.Rand) uint32 { return r.Uint32N(n) }, dims...)
}

// about is a U32 operand of indices into n places, of which one in eight lies outside.
func about(n uint32, dims ...int) operand {
	return words(op.U32, func(r *rand.Rand) uint32 {
		if r.IntN(8) == 0 || n == 0 {
			return []uint32{n, n + 1, math.MaxUint32, 1 << 31}[r.IntN(4)]
		}
		return r.Uint32N(n)
	}, dims...)
}

// exactly is the scalar U32 n.
func exactly(n int) operand { return words(op.U32, func(*rand.Rand) uint32 { return uint32(n) }) }

// integers is a U32 or I32 operand in which the ends of the ranges are frequent.
func integers(d op.DType, dims ...int) operand {
	return words(d, func(r *rand.Rand) uint32 {
		ends := []uint32{0, 1, math.MaxUint32, 1 << 31, 1<<31 - 1, 1<<24 + 1, 1<<24 + 3, 0xffffff7f, 0xffffff80, 0xffffff81, 127, 128}
		if k := r.IntN(2 * len(ends)); k < len(ends) {
			return ends[k]
		}
		return r.Uint32()
	}, dims...)
}

// flags is a Bool operand.
func flags(dims ...int) operand {
	return words(op.Bool, func(r *rand.Rand) uint32 { return r.Uint32N(2) }, dims...)
}

// oneWord is an operand of a one-word element type with values fit for copying.
func oneWord(d op.DType, dims ...int) operand {
	switch d {
	case op.F32:
		return f32(bits, dims...)
	case op.Bool:
		return flags(dims...)
	}
	return integers(d, dims...)
}

// int8s is an I8 operand. The unused bytes of its last word are 0, as the type demands.
func int8s(draw func(r *rand.Rand) int8, dims ...int) operand {
	return operand{op.T(op.I8, op.Shared, dims...), func(r *rand.Rand, t op.Tensor) {
		for i := range t.Len() {
			t.SetInt8(i, draw(r))
		}
	}}
}

func anyInt8(r *rand.Rand) int8 { return int8(r.Uint32()) }

// codes is a ternary matrix of any bits: zeros with either sign bit, and garbage in the pads of its rows.
func codes(rows, cols int) operand {
	return words(op.T2, func(r *rand.Rand) uint32 { return r.Uint32() }, rows, cols)
}

// pads puts NaN into the places of a float32 operand that lie at klen or beyond along an axis: nothing may read them.
func pads(t op.Tensor, axis int, klen uint32) {
	inner := 1
	for d := axis + 1; d < int(t.Rank); d++ {
		inner *= t.At(d)
	}
	for i := range t.W {
		if i/inner%t.At(axis) >= int(klen) {
			t.W[i] = op.NaN
		}
	}
}
