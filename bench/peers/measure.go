package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"lockstep/bench"
)

// result is what was measured of one side on one case.
type result struct {
	Case     string      `json:"case"` // train/SPACE/cells=N, matmul/NxNxN/cells=N or job/STEPS
	Side     string      `json:"side"`
	Threads  int         `json:"threads"`
	Unit     string      `json:"unit"`               // of its values: cell-steps/s, GMAC/s, or s
	Values   []float64   `json:"values"`             // by round
	Median   float64     `json:"median"`             // of them
	Q1       float64     `json:"q1"`                 // their quartiles
	Q3       float64     `json:"q3"`                 //
	Way      string      `json:"way,omitempty"`      // how it does it
	Compile  float64     `json:"compile,omitempty"`  // seconds that made it ready, which are in no rate
	Accuracy *[2]float64 `json:"accuracy,omitempty"` // of a job, on the test set: of the baselines, of the largest d
}

// summarise fills in the median and the quartiles.
func (r *result) summarise() {
	v := slices.Sorted(slices.Values(r.Values))
	r.Q1, r.Median, r.Q3 = bench.Quantile(v, 0.25), bench.Quantile(v, 0.5), bench.Quantile(v, 0.75)
}

// entry is one side of a case, to be measured round by round.
type entry struct {
	result
	pid     int // of the process that works
	measure func(ctx context.Context) (value float64, err error)
}

// rate is an entry that measures bursts, in units of so many a second.
func rate(name, side string, threads, pid int, unit string, scale float64, b burst, made prepared, length time.Duration) *entry {
	return &entry{result{Case: name, Side: side, Threads: threads, Unit: unit, Way: made.Way, Compile: made.Seconds}, pid, func(ctx context.Context) (float64, error) {
		done, took, err := b(ctx, length)
		return done / took.Seconds() / scale, err
	}}
}

// settle is the pause between two measurements, in which threads that spin for work fall asleep.
const settle = 50 * time.Millisecond

// rounds measures all entries n times: in each round case by case the sides one after the other, so that what the machine does
// beside meets all alike; the side that begins changes from round to round. What was measured of a case so far is emitted after each
// round of it: a run that is killed loses no more than that.
func rounds(ctx context.Context, n int, cases [][]*entry, w *watch, say func(string), emit func(any) error) error {
	for r := range n {
		for _, sides := range cases {
			text := fmt.Sprintf("round %d of %d: %s:", r+1, n, sides[0].Case)
			for i := range sides {
				e := sides[(i+r)%len(sides)]
				if err := ctx.Err(); err != nil {
					return err
				}
				time.Sleep(settle)
				w.begin(e.pid)
				v, err := e.measure(ctx)
				w.end(e.pid)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", e.Case, e.Side, err)
				}
				e.Values = append(e.Values, v)
				text += fmt.Sprintf(" %s/%d %.4g", e.Side, e.Threads, v)
			}
			say(text + " " + sides[0].Unit)
			for _, e := range sides {
				e.summarise()
				if err := emit(e.result); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// watch looks at the processors while something is measured: the sides that wait are to take nothing of them, and what others on
// the machine take is recorded.
type watch struct {
	idle       map[int]*idle // by process
	name       map[int]string
	taken, all time.Duration // of the machine, while something was measured
	own        time.Duration // of these, by the processes that are watched
	from       [2]time.Duration
	ownFrom    time.Duration
}

func newWatch(peers ...*process) *watch {
	w := &watch{idle: map[int]*idle{os.Getpid(): {}}, name: map[int]string{os.Getpid(): "lockstep"}}
	for _, p := range peers {
		w.idle[p.pid()], w.name[p.pid()] = &idle{}, fmt.Sprintf("%s/%d", p.name, p.threads)
	}
	return w
}

func (w *watch) ownTime() (t time.Duration) {
	for pid := range w.idle {
		t += processorTime(pid)
	}
	return t
}

func (w *watch) begin(working int) {
	for pid, i := range w.idle {
		if pid != working {
			i.begin(pid)
		}
	}
	w.ownFrom = w.ownTime()
	w.from[0], w.from[1] = busy()
}

func (w *watch) end(working int) {
	taken, all := busy()
	w.taken, w.all = w.taken+taken-w.from[0], w.all+all-w.from[1]
	w.own += w.ownTime() - w.ownFrom
	for pid, i := range w.idle {
		if pid != working {
			i.end(pid)
		}
	}
}

// quiet is what the watch saw.
type quiet struct {
	Idle      map[string]float64 `json:"idle"`      // by side: the share of one processor that it took while others were measured
	Elsewhere float64            `json:"elsewhere"` // the share of all processors that other programs took
}

// spins is the share of a processor that no idle side may take, beside a little: what a runtime clears up once, and ticks rounded up.
const (
	spins  = 0.05
	little = 10 * tick
)

// report tells what was seen. Error: a side did not rest while others were measured.
func (w *watch) report() (q quiet, err error) {
	q.Idle = map[string]float64{}
	for pid, i := range w.idle {
		s := math.Round(i.share()*1e4) / 1e4
		q.Idle[w.name[pid]] = s
		if i.taken > little+time.Duration(spins*float64(i.wall)) && err == nil {
			err = fmt.Errorf("%s took %.0f %% of a processor while other sides were measured; want less than %.0f %%", w.name[pid], 100*s, 100*spins)
		}
	}
	if w.all > 0 {
		q.Elsewhere = math.Round(max(0, (w.taken-w.own).Seconds())/w.all.Seconds()*1e4) / 1e4
	}
	return q, err
}
