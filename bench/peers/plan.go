package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"lockstep/bench"
)

// measureAll holds the sides against each other: first what they compute, then how fast.
func measureAll(ctx context.Context, o options, s *sides, w *watch, emit func(any) error, say func(string)) error {
	for name, p := range map[string]trainer{"jax": s.jax[0], "torch": s.torch[0]} {
		if err := checkAgreement(ctx, name, p, s.gaussian, emit); err != nil {
			return err
		}
	}
	if o.only.MatchString(bitsCase) {
		if err := compareAll(ctx, o, s, emit, say); err != nil {
			return err
		}
	}
	training, err := trainingCases(ctx, o, s, say)
	if err != nil {
		return err
	}
	matmul, err := matmulCases(ctx, o, s)
	if err != nil {
		return err
	}
	if err := rounds(ctx, o.rounds, append(training, matmul...), w, say, emit); err != nil {
		return err
	}
	if err := measureCurvature(ctx, o, s, w, emit, say); err != nil {
		return err
	}
	if err := rounds(ctx, (o.rounds+1)/2, jobCases(o, s), w, say, emit); err != nil {
		return err
	}
	q, err := w.report()
	if err != nil {
		return err
	}
	return emit(map[string]quiet{"quiet": q})
}

// compareAll tells what changes the bits of each side.
func compareAll(ctx context.Context, o options, s *sides, emit func(any) error, say func(string)) error {
	for _, t := range []struct {
		name        string
		all, single trainer
	}{{"lockstep", s.ternary, s.single}, {"lockstep gaussian", s.gaussian, s.gaussianSingle}, {"jax", s.jax[0], s.jax[1]}, {"torch", s.torch[0], s.torch[1]}} {
		say("bits of " + t.name)
		if err := compareTraining(ctx, t.name, t.all, t.single, o.packs, emit); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name        string
		all, single classifier
	}{{"lockstep", s.ternary, s.single}, {"jax", s.jax[0], s.jax[1]}, {"torch", s.torch[0], s.torch[1]}, {"openblas", s.numpy[0], s.numpy[1]}, {"gonum", s.gonum[0], s.gonum[1]}} {
		if err := compareLogits(ctx, c.name, c.all, c.single, s.ternary.data.testX.At(0), emit); err != nil {
			return err
		}
	}
	return nil
}

// trainingCases are the packs, in every space.
func trainingCases(ctx context.Context, o options, s *sides, say func(string)) (cases [][]*entry, err error) {
	self := os.Getpid()
	for _, sp := range spaces {
		for _, n := range o.packs {
			wl := workload{sp, n}
			if !o.wants(wl) {
				continue
			}
			say("making ready " + wl.String())
			var c []*entry
			for _, t := range []struct {
				name string
				is   trainer
				pid  int
			}{{"lockstep", s.ternary, self}, {"lockstep gaussian", s.gaussian, self}, {"jax", s.jax[0], s.jax[0].pid()}, {"torch", s.torch[0], s.torch[0].pid()}} {
				if sp == full && t.name == "lockstep gaussian" {
					continue // there is no basis
				}
				b, made, err := t.is.train(ctx, wl)
				if err != nil {
					return nil, fmt.Errorf("%v, %s: %w", wl, t.name, err)
				}
				c = append(c, rate(wl.String(), t.name, o.threads, t.pid, "cell-steps/s", 1, b, made, o.burst))
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// multiplier is a side that multiplies matrices.
type multiplier interface {
	matmul(ctx context.Context, m product) (burst, prepared, error)
}

// matmulCases are the products on all threads and on one, and before them the peak that they are held against.
func matmulCases(ctx context.Context, o options, s *sides) (cases [][]*entry, err error) {
	self := os.Getpid()
	for i, threads := range []int{o.threads, 1} {
		engine := []*ours{s.ternary, s.single}[i]
		if !slices.ContainsFunc(o.products, func(m product) bool { return o.wants(m) }) {
			continue
		}
		cases = append(cases, []*entry{{result{Case: "peak", Side: "lockstep", Threads: threads, Unit: "GMAC/s"}, self, func(ctx context.Context) (float64, error) {
			p, err := bench.Peak(ctx, engine.engine)
			return p.FMA / 1e9, err
		}}})
		for _, m := range o.products {
			if !o.wants(m) {
				continue
			}
			var c []*entry
			for _, t := range []struct {
				name string
				is   multiplier
				pid  int
			}{{"lockstep", engine, self}, {"openblas", s.numpy[i], s.numpy[i].pid()}, {"gonum", s.gonum[i], self}} {
				b, made, err := t.is.matmul(ctx, m)
				if err != nil {
					return nil, fmt.Errorf("%v, %s: %w", m, t.name, err)
				}
				c = append(c, rate(m.String(), t.name, threads, t.pid, "GMAC/s", 1e9, b, made, min(o.burst, 300*time.Millisecond)))
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// jobCases is the whole small sweep: cards to results on lockstep's side, compilation and basis included on all.
func jobCases(o options, s *sides) [][]*entry {
	if !o.wants(o.job) {
		return nil
	}
	var c []*entry
	for _, t := range []struct {
		name string
		is   trainer
		pid  int
	}{{"lockstep", s.ternary, os.Getpid()}, {"lockstep gaussian", s.gaussian, os.Getpid()}, {"jax", s.jax[0], s.jax[0].pid()}, {"torch", s.torch[0], s.torch[0].pid()}} {
		e := &entry{result: result{Case: o.job.String(), Side: t.name, Threads: o.threads, Unit: "s"}, pid: t.pid}
		e.measure = func(ctx context.Context) (float64, error) {
			seconds, accuracy, err := t.is.job(ctx, o.job)
			e.Accuracy = &accuracy
			return seconds, err
		}
		c = append(c, e)
	}
	return [][]*entry{c}
}
