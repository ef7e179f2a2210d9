package model

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is a number kept as the decimal text that a card gave. Every constant of a card becomes float32 by ONE
// rounding of that text; by way of float64 it would be rounded twice, and 1.0000000596046447754 would come out one unit
// too low. The zero Decimal is the number 0.
type Decimal struct{ text string }

// Limits that keep a hostile number from costing memory: a big.Rat of 1e999999999 has a gigabit numerator.
const (
	maxDecimalText     = 400
	maxDecimalExponent = 400
)

// ParseDecimal reads a decimal number such as 12, -0.5 or 1e-8. Errors: not a number, infinity and NaN, more than 400
// characters, a decimal exponent beyond 400.
func ParseDecimal(s string) (Decimal, error) {
	if len(s) > maxDecimalText {
		return Decimal{}, fmt.Errorf("a number of %d characters; at most %d", len(s), maxDecimalText)
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	digits := 0
	for i, c := range mantissa {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && strings.Count(mantissa, ".") == 1:
		case (c == '-' || c == '+') && i == 0:
		default:
			return Decimal{}, fmt.Errorf("%q is not a decimal number such as 12, -0.5 or 1e-8", s)
		}
	}
	if digits == 0 {
		return Decimal{}, fmt.Errorf("%q is not a decimal number such as 12, -0.5 or 1e-8", s)
	}
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil {
			return Decimal{}, fmt.Errorf("%q is not a decimal number: its exponent is %q", s, exponent)
		}
		if e < -maxDecimalExponent || e > maxDecimalExponent {
			return Decimal{}, fmt.Errorf("%q has an exponent beyond %d", s, maxDecimalExponent)
		}
	}
	return Decimal{strings.TrimPrefix(s, "+")}, nil
}

// Dec is ParseDecimal for constants in programs; it panics on bad text, which is a programmer's mistake.
func Dec(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic("model.Dec: " + err.Error())
	}
	return d
}

// String is the text.
func (d Decimal) String() string {
	if d.text == "" {
		return "0"
	}
	return d.text
}

// Rat is the exact value.
func (d Decimal) Rat() *big.Rat {
	r, _ := new(big.Rat).SetString(d.String()) // ParseDecimal accepts nothing that SetString refuses
	return r
}

// F32 is the number rounded once to float32, to nearest even; an infinity where that overflows.
func (d Decimal) F32() float32 {
	x, _ := strconv.ParseFloat(d.String(), 32) // on overflow: the infinity and an error
	return float32(x)
}

// OneMinus is 1 - d: the exact decimal difference rounded once to float32 (the c1 = 1 - b1 of Adam; LAW, Optimisers).
func (d Decimal) OneMinus() float32 {
	x, _ := new(big.Rat).Sub(big.NewRat(1, 1), d.Rat()).Float32()
	return x
}

// Int is the number as an integer in [lo, hi]; ok is false when it has a fraction or lies outside.
func (d Decimal) Int(lo, hi int64) (n int64, ok bool) {
	r := d.Rat()
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	n = r.Num().Int64()
	return n, lo <= n && n <= hi
}

// Cmp compares the exact values: -1, 0 or +1.
func (d Decimal) Cmp(e Decimal) int { return d.Rat().Cmp(e.Rat()) }
