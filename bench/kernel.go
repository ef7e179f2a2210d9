package bench

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"lockstep/graph"
	"lockstep/op"
)

const (
	mostSets   = 32   // copies of the case in a step
	rotate     = 4    // the operands of all sets are to be so many times as large as the cache
	burstSteps = 8    // a burst is to have at least so many steps: an engine that takes a cell through all of them keeps its data at hand
	spread     = 4099 // words by which two slots' data differ at most in where they begin, see pool
)

// open makes a case of operands ready on an engine.
func (c *Case) open(ctx context.Context, o *Options, peak graph.Peak) (w *workload, err error) {
	if e, ok := o.Engine.(graph.Chooser); ok { // launches of the kernel itself are timed, on the whole card
		before, err := e.Choose("stream")
		if err != nil {
			return nil, err
		}
		defer e.Choose(before)
	}
	w = &workload{sets: mostSets}
	if w.work, err = c.work(); err != nil {
		return nil, err
	}
	atOnce := w.work.Bytes
	if peak.Cells > 0 {
		atOnce = w.work.Bytes / int64(c.Cells) * int64(min(c.Cells, peak.Cells))
	}
	if o.Quick {
		w.sets = 2
	} else if atOnce > 0 {
		w.sets = int(min(mostSets, 1+rotate*peak.Cache/atOnce))
	}
	timed, err := c.fitting(o, w)
	if err != nil {
		return nil, err
	}
	pack, err := o.Engine.NewPack(c.Cells, c.groups())
	if err != nil {
		return nil, err
	}
	w.close = pack.Close
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
			w = nil
		}
	}()
	pool := newPool(c)
	first, one, err := c.compile(pack, pool, nil, 1, true)
	if err != nil {
		return w, err
	}
	w.close = func() error { return errors.Join(first.Close(), pack.Close()) }
	took, err := probe(ctx, first, o.Time, o.now())
	if err != nil {
		return w, err
	}
	if most := o.Time / mostBursts / burstSteps / max(took, 1); int(most) < w.sets {
		w.sets = int(max(1, most))
		if timed, err = c.program(w.sets, false); err != nil {
			return w, err
		}
	}
	w.cached = atOnce*int64(w.sets) < peak.Cache
	if err := c.check(ctx, o, w, pack, pool, one); err != nil {
		return w, err
	}
	exe, _, err := c.compile(pack, pool, timed, w.sets, false)
	if err != nil {
		return w, err
	}
	w.close = func() error { return errors.Join(exe.Close(), first.Close(), pack.Close()) }
	w.run, w.kernels = exe.Run, exe.Kernels()
	for _, k := range w.kernels {
		if k.Once && !strings.HasPrefix(k.Op, op.Fill{}.Name()) {
			return w, fmt.Errorf("%s: %s runs once, and not in each step: nothing would be measured", c.Name, k.Op)
		}
	}
	return w, nil
}

// probe is roughly how long a step takes: the second, unless the first took long.
func probe(ctx context.Context, x graph.Executable, budget time.Duration, now func() time.Time) (took time.Duration, err error) {
	for range 2 {
		start := now()
		if err := x.Run(ctx, 1); err != nil {
			return 0, err
		}
		if took = now().Sub(start); took > budget/mostBursts {
			break
		}
	}
	return took, nil
}

// fitting is the program of as many sets as the memory holds, at most w.sets. Error: a Skip if it does not hold one.
func (c *Case) fitting(o *Options, w *workload) (*graph.Program, error) {
	whole, err := c.program(1, true)
	if err != nil {
		return nil, err
	}
	for {
		p, err := c.program(w.sets, false)
		if err != nil {
			return nil, err
		}
		need, err := o.Engine.Plan([]*graph.Program{p, whole}, c.Cells, c.groups())
		switch w.bytes = need.Bytes; {
		case errors.Is(err, graph.ErrNoKernel):
			return nil, &Skip{err.Error()}
		case err != nil:
			return nil, err
		case w.bytes <= o.Memory:
			return p, nil
		case w.sets == 1:
			return nil, &Skip{fmt.Sprintf("it needs %.1f MB; there are %.1f MB", float64(w.bytes)/1e6, float64(o.Memory)/1e6)}
		}
		w.sets = (w.sets + 1) / 2
	}
}

// compile binds the operands of sets that are not bound yet and compiles a program of so many; nil is made here.
func (c *Case) compile(pack graph.Pack, pool *pool, p *graph.Program, sets int, whole bool) (graph.Executable, *graph.Program, error) {
	var err error
	if p == nil {
		if p, err = c.program(sets, whole); err != nil {
			return nil, nil, err
		}
	}
	for s := range sets {
		for i, o := range c.in {
			if o.Domain != op.Cell {
				if err := pack.Put(operandName(s, i), o.Type, 0, pool.at(s, i, 0)); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	x, err := pack.Compile(p)
	if err != nil {
		return nil, nil, err
	}
	for s := range sets {
		for i, o := range c.in {
			for cell := 0; o.Domain == op.Cell && cell < c.Cells; cell++ {
				if err := pack.Write(operandName(s, i), cell, pool.at(s, i, pool.cell+cell)); err != nil {
					return nil, nil, errors.Join(err, x.Close())
				}
			}
		}
	}
	return x, p, nil
}

// pool holds random operands. Slots and sets begin at different words of it, so that their data differ, yet are drawn once.
type pool struct {
	data [][]byte // by operand
	size []int    // bytes of each
	cell int      // the number of the pack's first cell
	cut  [][]byte // by operand, instead of it: the rows of a part; see check
}

func newPool(c *Case) *pool {
	p := &pool{}
	seed := fnv.New64a()
	seed.Write([]byte(c.Name))
	r := rand.New(rand.NewPCG(seed.Sum64(), 1))
	for _, o := range c.in {
		w := make([]uint32, o.Words()+spread)
		for i := range w {
			w[i] = o.word(r)
		}
		p.data, p.size = append(p.data, op.Bytes(w)), append(p.size, 4*o.Words())
	}
	return p
}

// at is operand i of a set for a slot.
func (p *pool) at(set, i, slot int) []byte {
	if p.cut != nil && p.cut[i] != nil {
		return p.cut[i]
	}
	from := 4 * ((slot*mostSets + set) * 61 % spread)
	return p.data[i][from : from+p.size[i]]
}
