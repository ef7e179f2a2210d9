package sweep

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Reporter is a Progress on a screen or in a log; Close it when the sweep has ended.
type Reporter interface {
	Progress
	io.Closer
}

// NewProgress reports a sweep of the given cells on w: a bar where w is a terminal, else a plain line every five seconds.
func NewProgress(w *os.File, cells []Cell) Reporter {
	c := newCounter(cells)
	// mpb draws nothing on a terminal that does not tell its size.
	terminal := cupwriter.New(w, false)
	if width, _, err := terminal.GetTermSize(); !terminal.IsTerminal() || err != nil || width == 0 || os.Getenv("TERM") == "dumb" {
		return &plain{counter: c, w: w, last: time.Now()}
	}
	return newBar(w, c)
}

// counter is how far a sweep is.
type counter struct {
	cells, done int
	total, did  int // cell-steps
	best        float64
	start       time.Time
	first       time.Time // when the first steps had been done
	firstDid    int       // how many they were
}

// advance notes steps that were done. Rates count from the first ones on: before that there was planning.
func (c *counter) advance(cellSteps int) {
	c.did += cellSteps
	if c.first.IsZero() {
		c.first, c.firstDid = time.Now(), c.did
	}
}

func newCounter(cells []Cell) counter {
	c := counter{cells: len(cells), start: time.Now()}
	for _, cell := range cells {
		c.total += cell.Steps
	}
	return c
}

func (c *counter) Done(r Result) error {
	c.done++
	c.best = max(c.best, r.Derived.Performance)
	return nil
}

func (c *counter) Skip(cells, cellSteps int, best float64) {
	c.done += cells
	c.total -= cellSteps
	c.best = max(c.best, best)
}

func (c *counter) Saved(int) {}

func (c *counter) Trouble(error) {}

// rate is the cell-steps per second so far.
func (c *counter) rate() float64 {
	if c.did == c.firstDid {
		return 0
	}
	return float64(c.did-c.firstDid) / max(time.Since(c.first).Seconds(), 1e-3)
}

// left estimates the time to the end; 0 while there is nothing to go by.
func (c *counter) left() time.Duration {
	rate := c.rate()
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(c.total-c.did) / rate * float64(time.Second)).Round(time.Second)
}

func (c *counter) String() string {
	text := fmt.Sprintf("%d of %d cells", c.done, c.cells)
	if rate := c.rate(); rate > 0 {
		places := 0
		if rate < 10 {
			places = 2
		}
		text += fmt.Sprintf(", %.*f cell-steps/s", places, rate)
	}
	if c.done > 0 {
		text += fmt.Sprintf(", best %.4f", c.best)
	}
	return text
}

// remaining is the estimate for a line; nothing where there is none.
func (c *counter) remaining() string {
	if left := c.left(); left > 0 {
		return fmt.Sprintf(", %s left", left)
	}
	return ""
}

// plain prints lines.
type plain struct {
	counter
	w    io.Writer
	last time.Time
}

const plainEvery = 5 * time.Second

func (p *plain) Advance(cellSteps int) {
	p.advance(cellSteps)
	if time.Since(p.last) >= plainEvery {
		p.last = time.Now()
		fmt.Fprintf(p.w, "%3d %%  %s%s\n", 100*p.did/max(p.total, 1), &p.counter, p.remaining())
	}
}

func (p *plain) Trouble(err error) { fmt.Fprintln(p.w, err) }

func (p *plain) Close() error {
	if p.did == 0 && p.done == 0 {
		return nil
	}
	_, err := fmt.Fprintf(p.w, "%s, %s\n", &p.counter, time.Since(p.start).Round(100*time.Millisecond))
	return err
}

// bar draws a progress bar.
type bar struct {
	counter
	ui  *mpb.Progress
	bar *mpb.Bar
	mu  sync.Mutex // the bar's goroutine reads the counters
}

func newBar(w io.Writer, c counter) *bar {
	b := &bar{counter: c, ui: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))}
	show := func(f func() string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return f()
		})
	}
	b.bar = b.ui.AddBar(int64(c.total)+1, // the last one is Close's: results come after the last step
		mpb.PrependDecorators(decor.Percentage(decor.WCSyncSpace)),
		mpb.AppendDecorators(
			show(func() string { return " " + b.counter.String() }),
			show(func() string {
				if b.done == b.cells {
					return ", " + time.Since(b.start).Round(100*time.Millisecond).String()
				}
				return b.remaining()
			}),
		))
	return b
}

func (b *bar) Advance(cellSteps int) {
	b.mu.Lock()
	b.advance(cellSteps)
	b.mu.Unlock()
	b.bar.IncrBy(cellSteps)
}

func (b *bar) Done(r Result) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counter.Done(r)
}

func (b *bar) Skip(cells, cellSteps int, best float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counter.Skip(cells, cellSteps, best)
	b.bar.SetTotal(int64(b.total)+1, false)
}

// Trouble writes a line above the bar.
func (b *bar) Trouble(err error) { fmt.Fprintln(b.ui, err) }

func (b *bar) Close() error {
	b.mu.Lock()
	whole := b.done == b.cells
	b.mu.Unlock()
	if whole {
		b.bar.SetTotal(-1, true)
	} else {
		b.bar.Abort(false)
	}
	b.ui.Wait()
	return nil
}

// NewEvents reports a sweep of the given cells as events: JSON objects, one a line, each with its name under "event".
//
//	start       what there is to do: cells and cell_steps
//	skip        cells and cell_steps that need not be done: ended in an earlier run, in its checkpoint, or lost to a divergence;
//	            below 0, steps that are done once more after a trouble
//	trouble     that the sweep gets over, as text: a pack is cut as memory was exhausted, or left to another engine
//	progress    at most one a second: cells, done, cell_steps done, of, best, and once they can be told per_second and seconds_left
//	cell        a cell that has ended, see Result
//	checkpoint  of so many cells, on the disk
//	end         as progress
func NewEvents(w io.Writer, cells []Cell) Reporter {
	e := &events{counter: newCounter(cells), out: json.NewEncoder(w)}
	e.emit("start", map[string]any{"cells": e.cells, "cell_steps": e.total})
	return e
}

type events struct {
	counter
	out  *json.Encoder
	last time.Time
	err  error // the first one of the writer's
}

const eventsEvery = time.Second

func (e *events) emit(name string, fields map[string]any) {
	fields["event"] = name
	if err := e.out.Encode(fields); e.err == nil {
		e.err = err
	}
}

func (e *events) state() map[string]any {
	state := map[string]any{"cells": e.cells, "done": e.done, "cell_steps": e.did, "of": e.total, "best": e.best}
	if rate := e.rate(); rate > 0 {
		state["per_second"], state["seconds_left"] = rate, e.left().Seconds()
	}
	return state
}

func (e *events) Advance(cellSteps int) {
	e.advance(cellSteps)
	if time.Since(e.last) >= eventsEvery {
		e.last = time.Now()
		e.emit("progress", e.state())
	}
}

func (e *events) Skip(cells, cellSteps int, best float64) {
	e.counter.Skip(cells, cellSteps, best)
	e.emit("skip", map[string]any{"cells": cells, "cell_steps": cellSteps})
}

func (e *events) Saved(cells int) { e.emit("checkpoint", map[string]any{"cells": cells}) }

func (e *events) Trouble(err error) { e.emit("trouble", map[string]any{"text": err.Error()}) }

func (e *events) Done(r Result) error {
	e.counter.Done(r)
	e.emit("cell", map[string]any{"result": r})
	return e.err
}

func (e *events) Close() error {
	e.emit("end", e.state())
	return e.err
}
