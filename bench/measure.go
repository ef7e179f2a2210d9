package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"lockstep/graph"
)

// Options choose the engine, and how long and how carefully it is measured.
type Options struct {
	Engine    graph.Engine
	Time      time.Duration    // for each case, beside what makes it ready
	Quick     bool             // two sets of operands a step
	Memory    int64            // bytes that a case may take on the engine
	Check     graph.Engine     // whose results must have the same bits; nil: none are compared
	CheckName string           // what Check is called: "law", "cpu"
	CheckWork int64            // the most that it is given to do: multiply-adds, codes and bytes of a cell
	Clocks    func() Clocks    // of the device, read after each case; may be nil
	Now       func() time.Time // nil: the host's clock
}

// Result is what was measured of a case. Times are in nanoseconds for one execution of the case by all its cells.
type Result struct {
	Case     string   `json:"case"`
	Cells    int      `json:"cells"`
	Skipped  string   `json:"skipped,omitempty"` // why it was not measured: then there is nothing else
	Failed   string   `json:"failed,omitempty"`  // what went wrong: then there is nothing else
	NS       float64  `json:"ns"`                // the median of the bursts
	Q1       float64  `json:"ns_q1"`             // their quartiles
	Q3       float64  `json:"ns_q3"`
	Bursts   int      `json:"bursts"`
	Steps    int      `json:"steps"` // of a burst
	Sets     int      `json:"sets"`  // of operands: how many times a step does the case
	Work              // of one execution
	Rate     float64  `json:"rate"`
	Unit     string   `json:"unit"`
	Roofline float64  `json:"roofline"`        // the least time that the machine's peaks allow / the median; 0: no roof is known
	Bound    string   `json:"bound,omitempty"` // which peak that is: "fma" or "memory"
	Cached   bool     `json:"cached"`          // the operands fit into a cache: memory is no roof
	Kernels  []string `json:"kernels"`         // variants that ran
	Checked  string   `json:"checked"`         // the engine whose results have the same bits, and if only a part was compared, which; "": nothing was
	Share    float64  `json:"checked_share"`   // of the last cell's results, that were compared
	Planned  int64    `json:"memory"`          // bytes that the engine planned with
	Clocks   Clocks   `json:"clocks,omitempty"`
}

func (o *Options) now() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Peak measures the engine's machine; zeros where the engine cannot.
func Peak(ctx context.Context, e graph.Engine) (graph.Peak, error) {
	if m, ok := e.(graph.Meter); ok {
		return m.Peak(ctx)
	}
	return graph.Peak{}, nil
}

// Measure times a case. A case that the machine cannot do gives a Result that says why.
func Measure(ctx context.Context, c *Case, o *Options, peak graph.Peak) (r Result, err error) {
	r = Result{Case: c.Name, Cells: c.Cells, Unit: c.Unit}
	w, err := c.ready(ctx, o, peak)
	var skip *Skip
	if errors.As(err, &skip) {
		r.Skipped = skip.Reason
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	steps, took, err := bursts(ctx, w, o.Time, o.now())
	if err != nil {
		return r, err
	}
	ns := w.each(took, steps)
	r.NS, r.Q1, r.Q3 = Quantile(ns, 0.5), Quantile(ns, 0.25), Quantile(ns, 0.75)
	r.Bursts, r.Steps, r.Sets, r.Work, r.Cached, r.Checked, r.Planned = len(ns), steps, w.sets, w.work, w.cached, w.checked, w.bytes
	r.Share = w.share
	u := units[c.Unit]
	r.Rate = float64(u.count(c, w.work)) / u.scale / (r.NS * 1e-9)
	var floor float64
	floor, r.Bound = w.work.Floor(peak, w.cached)
	r.Roofline = floor / (r.NS * 1e-9)
	used := map[string]bool{}
	for _, k := range w.kernels {
		if !k.Once {
			used[k.Variant] = true
		}
	}
	r.Kernels = slices.Sorted(maps.Keys(used))
	if o.Clocks != nil {
		r.Clocks = o.Clocks()
	}
	return r, nil
}

// patience is how many times --time the least time of one execution may be.
const patience = 10

// ready makes a case ready, unless it would take much too long.
func (c *Case) ready(ctx context.Context, o *Options, peak graph.Peak) (*workload, error) {
	if c.train != nil {
		return c.openTraining(ctx, o, peak)
	}
	if c.sweep != nil {
		return c.openSweep(ctx, o)
	}
	if c.hvp != nil {
		return c.openCurvature(ctx, o, peak)
	}
	work, err := c.work()
	if err != nil {
		return nil, err
	}
	if floor, bound := work.Floor(peak, false); floor > patience*o.Time.Seconds() {
		return nil, &Skip{fmt.Sprintf("one execution takes at least %.3g s by the machine's peak (%s); it has %v", floor, bound, o.Time)}
	}
	return c.open(ctx, o, peak)
}

const (
	mostBursts  = 21
	leastBursts = 5 // 3 if these take more than four times the budget
)

// each is the time of one execution in nanoseconds, by burst of so many steps, sorted.
func (w *workload) each(took []time.Duration, steps int) []float64 {
	ns := make([]float64, len(took))
	for i, t := range took {
		ns[i] = float64(t.Nanoseconds()) / float64(steps) / float64(w.sets)
	}
	slices.Sort(ns)
	return ns
}

// bursts warms up, finds how many steps fill a burst, and times bursts of so many: 21, or as many as the time allows, but 5.
func bursts(ctx context.Context, w *workload, budget time.Duration, now func() time.Time) (steps int, took []time.Duration, err error) {
	once := func() (time.Duration, error) {
		if w.begin != nil {
			if err := w.begin(ctx); err != nil {
				return 0, err
			}
		}
		start := now()
		err := w.run(ctx, steps)
		took := now().Sub(start)
		if err == nil && w.end != nil {
			err = w.end(steps)
		}
		return took, err
	}
	steps = 1
	if _, err = once(); err != nil { // the first step records, and touches memory for the first time
		return 0, nil, err
	}
	burst := budget / mostBursts
	for {
		t, err := once()
		if err != nil {
			return 0, nil, err
		}
		if t >= burst*2/3 || steps >= longest/2 {
			break
		}
		more := float64(burst) / float64(max(t, time.Microsecond))
		steps = max(steps+1, int(float64(steps)*min(more, 10)))
	}
	begun := now()
	for spent := time.Duration(0); len(took) < 3 || len(took) < leastBursts && spent < 4*budget || len(took) < mostBursts && spent < budget; spent = now().Sub(begun) {
		t, err := once()
		if err != nil {
			return 0, nil, err
		}
		took = append(took, t)
	}
	return steps, took, nil
}

// Quantile of sorted values, by linear interpolation between neighbours.
func Quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// need is what a pack of programs takes. Error: a *Skip where the engine has no kernel for one, or not the memory; or the engine's.
func (o Options) need(ps []*graph.Program, cells int, groups graph.Groups) (graph.Memory, error) {
	need, err := o.Engine.Plan(ps, cells, groups)
	switch {
	case errors.Is(err, graph.ErrNoKernel):
		return need, &Skip{err.Error()}
	case err == nil && need.Bytes > o.Memory:
		return need, &Skip{fmt.Sprintf("it needs %.1f MB; there are %.1f MB", float64(need.Bytes)/1e6, float64(o.Memory)/1e6)}
	}
	return need, err
}
