package main

import (
	"fmt"
	"os"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// gauge shows how far a long task is, part after part: a bar for each where w is a terminal, else a plain line every five seconds.
type gauge struct {
	w     *os.File
	ui    *mpb.Progress // nil: lines
	bar   *mpb.Bar
	part  string
	start time.Time // of the part
	from  int       // what was done of it before
	last  time.Time
}

const gaugeEvery = 5 * time.Second

func newGauge(w *os.File) *gauge {
	g := &gauge{w: w}
	// mpb draws nothing on a terminal that does not tell its size.
	terminal := cupwriter.New(w, false)
	if width, _, err := terminal.GetTermSize(); terminal.IsTerminal() && err == nil && width > 0 && os.Getenv("TERM") != "dumb" {
		g.ui = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	}
	return g
}

// tell is told how much is done of a part.
func (g *gauge) tell(part string, done, of int) {
	if part != g.part {
		g.part, g.start, g.from, g.last = part, time.Now(), done, time.Now()
		if start := g.start; g.ui != nil { // the bar's goroutine reads its own
			g.bar = g.ui.AddBar(int64(of), mpb.PrependDecorators(decor.Name(part+" ", decor.WCSyncWidth), decor.Percentage(decor.WCSyncSpace)),
				mpb.AppendDecorators(decor.CountersNoUnit(" %d of %d"), decor.Any(func(s decor.Statistics) string { return " " + time.Since(start).Round(time.Second).String() })))
		}
	}
	switch {
	case g.ui != nil:
		g.bar.SetCurrent(int64(done))
	case time.Since(g.last) >= gaugeEvery:
		g.last = time.Now()
		fmt.Fprintf(g.w, "%3d %%  %s: %d of %d%s\n", 100*done/max(of, 1), part, done, of, g.left(done, of))
	}
}

// left estimates the time to the part's end.
func (g *gauge) left(done, of int) string {
	if done <= g.from {
		return ""
	}
	each := time.Since(g.start) / time.Duration(done-g.from)
	return fmt.Sprintf(", %s left", (each * time.Duration(of-done)).Round(time.Second))
}

// Close leaves the bars as they are.
func (g *gauge) Close() {
	if g.ui == nil {
		return
	}
	if g.bar != nil && !g.bar.Completed() {
		g.bar.Abort(false)
	}
	g.ui.Wait()
}
