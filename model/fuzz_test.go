package model

import (
	"math/big"
	"testing"
)

// FuzzDecimal: a number that is taken has an exact value, and its float32 is the one next to it.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0.1", "-1e-8", "1.0000000596046447754", "1e400", "+.5", "1e-400", "340282356779733661637539395458142568447", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			return
		}
		want, _ := d.Rat().Float32()
		if got := d.F32(); got != want {
			t.Fatalf("%q is %x; its exact value rounds to %x", s, got, want)
		}
		one := new(big.Rat).Add(d.Rat(), new(big.Rat).Sub(big.NewRat(1, 1), d.Rat()))
		if one.Cmp(big.NewRat(1, 1)) != 0 || d.Cmp(d) != 0 {
			t.Fatalf("%q has no exact value", s)
		}
		d.OneMinus()
	})
}
