package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// difference is how much of a result changes with something that should not matter.
type difference struct {
	Case    string `json:"case"` // bits/WHAT/..
	Side    string `json:"side"`
	Of      int    `json:"of"`      // float32 words
	Words   int    `json:"words"`   // that differ
	Bits    int    `json:"bits"`    // that differ
	Against string `json:"against"` // what it is held against
}

// differ compares float32 words, little endian.
func differ(a, b []byte) (words, changed int, err error) {
	if len(a) != len(b) {
		return 0, 0, fmt.Errorf("%d words beside %d: they are not of the same thing", len(a)/4, len(b)/4)
	}
	for i := 0; i < len(a); i += 4 {
		if x := binary.LittleEndian.Uint32(a[i:]) ^ binary.LittleEndian.Uint32(b[i:]); x != 0 {
			words, changed = words+1, changed+bits.OnesCount32(x)
		}
	}
	return words, changed, nil
}

// classifier is a side that gives logits; trainer one that trains, too.
type classifier interface {
	logits(ctx context.Context, rows int) ([]byte, error)
}

type trainer interface {
	classifier
	train(ctx context.Context, w workload) (burst, prepared, error)
	after(ctx context.Context, w workload, steps int) ([]byte, error)
	job(ctx context.Context, j job) (seconds float64, accuracy [2]float64, err error)
}

// compareTraining trains the first cell in packs of several sizes, and on one thread, and tells how z differs after some steps.
func compareTraining(ctx context.Context, name string, all, single trainer, packs []int, emit func(any) error) error {
	for _, s := range spaces {
		alone, err := all.after(ctx, workload{s, packs[0]}, agree)
		if err != nil {
			return err
		}
		held := func(what string, against []byte, of string, t trainer, w workload) ([]byte, error) {
			z, err := t.after(ctx, w, agree)
			if err != nil {
				return nil, err
			}
			d := difference{Case: fmt.Sprintf("bits/%s/%s/cells=%d", what, s, w.Cells), Side: name, Of: len(z) / 4, Against: of}
			if against == nil {
				return z, nil
			}
			if d.Words, d.Bits, err = differ(z, against); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, d.Case, err)
			}
			return z, emit(d)
		}
		for _, n := range packs[1:] {
			z, err := held("pack", alone, "a pack of 1", all, workload{s, n})
			if err == nil && n == middle(packs) {
				_, err = held("threads", z, "the same on all threads", single, workload{s, n})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// middle is the size of the pack that is trained on one thread, too: 32 of 1, 8, 32, 128.
func middle(packs []int) int { return packs[len(packs)*2/3] }

// compareLogits classifies the test rows in batches of several sizes, and on one thread, and tells how the logits differ.
func compareLogits(ctx context.Context, name string, all, single classifier, total int, emit func(any) error) error {
	var alone []byte
	for _, rows := range []int{1, 7, 128, total} {
		got, err := all.logits(ctx, rows)
		if err != nil {
			return err
		}
		if alone == nil {
			alone = got
			continue
		}
		d := difference{Case: fmt.Sprintf("bits/batch/rows=%d", rows), Side: name, Of: len(got) / 4, Against: "batches of 1 row"}
		if d.Words, d.Bits, err = differ(got, alone); err != nil {
			return fmt.Errorf("%s, %s: %w", name, d.Case, err)
		}
		if err := emit(d); err != nil {
			return err
		}
		if rows < total {
			continue
		}
		onOne, err := single.logits(ctx, rows)
		if err != nil {
			return err
		}
		d = difference{Case: fmt.Sprintf("bits/threads/rows=%d", rows), Side: name, Of: len(got) / 4, Against: "the same on all threads"}
		if d.Words, d.Bits, err = differ(onOne, got); err != nil {
			return fmt.Errorf("%s, %s: %w", name, d.Case, err)
		}
		if err := emit(d); err != nil {
			return err
		}
	}
	return nil
}

// agreement is how near a peer's training is to lockstep's.
type agreement struct {
	Case     string  `json:"case"` // agree/SPACE
	Side     string  `json:"side"`
	Relative float64 `json:"relative"` // |peer's way from theta0 - lockstep's| / |lockstep's|, Euclidean norms
}

// near is the largest relative distance that rounding explains after so few steps: Adam's first steps are as long whatever the size
// of a gradient, so one near zero may change its sign, and its entry of z all of its way.
const near = 0.02

// checkAgreement trains the first cell on lockstep and on a peer: another result is another problem, and not to be timed.
func checkAgreement(ctx context.Context, name string, peer trainer, o *ours, emit func(any) error) error {
	theta0 := o.data.theta0.F()
	for _, s := range spaces {
		w := workload{s, 1}
		want, err := o.after(ctx, w, agree)
		if err != nil {
			return err
		}
		got, err := peer.after(ctx, w, agree)
		if err != nil {
			return err
		}
		if len(got) != len(want) {
			return fmt.Errorf("%s, %s: z has %d words, lockstep's %d", name, s, len(got)/4, len(want)/4)
		}
		var off, way float64
		for i := 0; i < len(want); i += 4 {
			g, z := float64(math.Float32frombits(binary.LittleEndian.Uint32(got[i:]))), float64(math.Float32frombits(binary.LittleEndian.Uint32(want[i:])))
			if s == full { // a peer's z is theta
				g -= float64(theta0[i/4])
			}
			off, way = off+(g-z)*(g-z), way+z*z
		}
		a := agreement{"agree/" + string(s), name, math.Sqrt(off / way)}
		if !(a.Relative < near) {
			return fmt.Errorf("%s, %s: after %d steps it is %.3g of lockstep's way away from where lockstep is; want less than %v: it trains something else", name, s, agree, a.Relative, near)
		}
		if err := emit(a); err != nil {
			return err
		}
	}
	return nil
}
