package sweep

import (
	"math"
	"sync"
	"testing"

	"lockstep/cpu"
)

// What a cell ended with gives, evaluated alone, the scores of its result, and other parameters others.
func TestEvaluate(t *testing.T) {
	cells := smallCells(t)
	e, err := cpu.New(cpu.Options{Threads: 2})
	must(t, err)
	t.Cleanup(func() { e.Close() })
	var mu sync.Mutex
	last, first := map[string][]float32{}, map[string][]float32{}
	keep := func(c Cell, step int, theta []float32) error {
		mu.Lock()
		defer mu.Unlock()
		if last[c.ID()] = theta; step == 0 {
			first[c.ID()] = theta
		}
		return nil
	}
	results, err := Run(t.Context(), cells, Options{Engine: e, Snapshots: &Snapshots{1, keep}})
	must(t, err)
	for i, c := range cells {
		d := results[i].Declared
		got, err := c.Evaluate(t.Context(), e, [][]float32{first[c.ID()], last[c.ID()]})
		must(t, err)
		same := func(a, b Hex) bool { return math.Float32bits(float32(a)) == math.Float32bits(float32(b)) }
		s := got[1]
		if !same(s.TrainLoss, d.TrainLoss) || !same(s.TestLoss, d.TestLoss) || s.TrainCorrect != d.TrainCorrect || s.TestCorrect != d.TestCorrect {
			t.Errorf("cell (%s) gives %+v; its result is %+v", c.Name(), s, d)
		}
		if same(got[0].TrainLoss, s.TrainLoss) || s.TrainRows+s.TestRows != c.set.N || s.TestRows != c.set.Test() {
			t.Errorf("cell (%s) began with %+v and ended with %+v", c.Name(), got[0], s)
		}
		if _, err := c.Evaluate(t.Context(), e, [][]float32{{1, 2}}); err == nil {
			t.Error("parameters of another size are no error")
		}
	}
}
