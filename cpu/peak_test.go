package cpu

import (
	"context"
	"testing"
)

// Peak's figures are of this machine: a matrix product on one thread cannot beat them, and nothing is missing.
func TestPeak(t *testing.T) {
	e, err := New(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Peak(context.Background())
	if err != nil || p.Copy < 1e8 || p.Copy > 1e13 || p.Cache < 1<<16 || p.Cells != 2 || hasAVX2 != (p.FMA > 0) || p.FMA > 1e13 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, v := range Variants() { // a variant without vectors has the peak of the default ones
		e, err := New(Options{Threads: 1, Variants: []string{v}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Peak(context.Background())
		if err != nil || hasAVX2 != (p.FMA > 0) || p.FMA > 1e13 {
			t.Errorf("%s: %+v, %v", v, p, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Peak(ctx); err == nil {
		t.Error("Peak goes on when it was cancelled")
	}
}
