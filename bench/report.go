package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lockstep/graph"
	"lockstep/internal/build"
	"lockstep/op"
	"lockstep/sweep"
)

// Machine says what was measured on. It stands above the benchmark lines and in each line of JSON.
type Machine struct {
	Engine  string     `json:"engine"` // graph.Engine.Name
	Device  string     `json:"device"`
	Driver  string     `json:"driver,omitempty"`
	Threads int        `json:"threads,omitempty"` // of the CPU engine
	Host    string     `json:"host"`              // processor, how many, system
	Build   string     `json:"build"`
	Law     int        `json:"law"`
	Timer   string     `json:"timer"`
	Peak    graph.Peak `json:"peak"`
	Checked string     `json:"checked_against,omitempty"` // the engine whose bits results are compared with
	Clocks  Clocks     `json:"clocks,omitempty"`          // when the peaks had been measured
}

// Clocks are readings by name, with their units: "sm": "1980 MHz".
type Clocks map[string]string

func (c Clocks) String() string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		all = append(all, k+" "+c[k])
	}
	return strings.Join(all, ", ")
}

// Describe fills in what is the same for all engines.
func (m Machine) Describe() Machine {
	m.Host, m.Build, m.Law, m.Timer = build.Machine(), build.Stamp(), op.Version, "host clock round bursts of steps that end with the queue empty"
	return m
}

// WriteHeader writes the configuration lines of Go's benchmark format (golang.org/design/14313-benchmark-format), which benchstat
// reads. What differs from run to run is in lines that it does not: it would not compare the runs.
func (m Machine) WriteHeader(w io.Writer) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: lockstep/bench\ncpu: %s\ndevice: %s\ndriver: %s\nlaw: %d\nchecked-against: %s\n",
		runtime.GOOS, runtime.GOARCH, m.Host, m.Device, orUnknown(m.Driver), m.Law, m.Checked)
	if err == nil {
		_, err = fmt.Fprintf(w, "# build: %s\n# clocks: %s\n# timer: %s\n# cache: %.4g MB\n", m.Build, orUnknown(m.Clocks.String()), m.Timer, float64(m.Peak.Cache)/1e6)
	}
	for _, p := range []struct {
		what string
		rate float64
		unit string
	}{{"fma", m.Peak.FMA, "GMAC/s"}, {"copy", m.Peak.Copy, "GB/s"}} {
		if err == nil && p.rate > 0 {
			_, err = fmt.Fprintf(w, "%-52s\t%8d\t%10.4g %s\n", m.name("peak/"+p.what), 1, p.rate/1e9, p.unit)
		}
	}
	return err
}

// name of a case in benchmark lines.
func (m Machine) name(s string) string {
	s = "Benchmark" + strings.ToUpper(s[:1]) + s[1:] + "/" + m.Engine
	if m.Threads > 0 {
		s += fmt.Sprintf("-%d", m.Threads)
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// WriteLine writes a result as a benchmark line; that of a case that was skipped, or failed, as a line that benchstat ignores.
func (m Machine) WriteLine(w io.Writer, r Result) error {
	name := m.name(r.Case)
	if r.Skipped != "" {
		_, err := fmt.Fprintf(w, "--- SKIP: %s: %s\n", name, r.Skipped)
		return err
	}
	if r.Failed != "" {
		_, err := fmt.Fprintf(w, "--- FAIL: %s: %s\n", name, r.Failed)
		return err
	}
	roof := ""
	if r.Bound != "" {
		roof = fmt.Sprintf("\t%8.2f %%roofline-%s", 100*r.Roofline, r.Bound)
	}
	_, err := fmt.Fprintf(w, "%-52s\t%8d\t%12.1f ns/op\t%10.4g %s%s\t%12.1f q1-ns\t%12.1f q3-ns\t%.4g checked\n",
		name, r.Bursts*r.Steps*r.Sets, r.NS, r.Rate, r.Unit, roof, r.Q1, r.Q3, r.Share)
	return err
}

// WriteTable writes results for people, in lines that benchstat ignores: what share of the machine's peaks each reaches. A share of
// the bandwidth of copies is of data that do not fit into a cache; others show a dash.
func (m Machine) WriteTable(w io.Writer, results []Result) error {
	widest := 0
	for _, r := range results {
		widest = max(widest, len(r.Case))
	}
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%-*s\t  time\trate\t\tof peak FMA\tof peak copy\tbits\t\n", widest, "case")
	share := func(rate, peak float64, shown bool) string {
		if !shown || peak == 0 || rate == 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f %%", 100*rate/peak)
	}
	for _, r := range results {
		if r.Skipped != "" || r.Failed != "" {
			continue
		}
		bits := "not compared"
		if r.Checked != "" {
			bits = "as " + r.Checked
		}
		s := r.NS * 1e-9
		fmt.Fprintf(t, "%-*s\t  %s\t%.4g\t%s\t%s\t%s\t%s\t\n", widest, r.Case, time.Duration(r.NS).Round(roundTo(r.NS)), r.Rate, r.Unit,
			share(float64(r.MACs)/s, m.Peak.FMA, true), share(float64(r.Bytes)/s, m.Peak.Copy, !r.Cached), bits)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(w, "# "+line); err != nil {
			return err
		}
	}
	return errors.Join(m.writePacks(w, results), m.writeCurvature(w, results))
}

// roundTo leaves three or four digits of a time in nanoseconds.
func roundTo(ns float64) time.Duration {
	to := time.Duration(1)
	for ; ns >= 10000; ns /= 10 {
		to *= 10
	}
	return to
}

// WriteJSON writes a result as one line.
func (m Machine) WriteJSON(w io.Writer, r Result) error {
	return json.NewEncoder(w).Encode(struct {
		Result
		Machine Machine `json:"machine"`
	}{r, m})
}

// Listing is a case as other programs read it: what to measure beside it.
type Listing struct {
	Case     string           `json:"case"`
	Family   string           `json:"family"`
	Cells    int              `json:"cells"`
	Unit     string           `json:"unit"`
	Ops      []string         `json:"ops,omitempty"` // op.Describe
	Operands []OperandListing `json:"operands,omitempty"`
	Train    *TrainSpec       `json:"train,omitempty"`
	Sweep    *SweepSpec       `json:"sweep,omitempty"`
	HVP      *CurvatureSpec   `json:"hvp,omitempty"`
	Work
}

// OperandListing is the type of an operand, and what it varies over.
type OperandListing struct {
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Over  string `json:"over"`
}

// List describes a case.
func (c *Case) List() (l Listing, err error) {
	l = Listing{Case: c.Name, Family: c.Family(), Cells: c.Cells, Unit: c.Unit, Train: c.train, Sweep: c.sweep, HVP: c.hvp}
	if c.train != nil {
		cells, err := c.train.cells(c.Cells)
		if err != nil {
			return l, err
		}
		p, _, _, err := sweep.TrainingPrograms(cells)
		if err == nil {
			l.Work = c.train.work(p, c.Cells)
		}
		return l, err
	}
	if c.sweep != nil || c.hvp != nil {
		return l, nil
	}
	if l.Work, err = c.work(); err != nil {
		return l, err
	}
	p, err := c.program(1, true)
	if err != nil {
		return l, err
	}
	for _, n := range p.Nodes {
		if d := op.Describe(n.Op); !strings.HasPrefix(d, op.Fill{}.Name()) && !slices.Contains(l.Ops, d) {
			l.Ops = append(l.Ops, d)
		}
	}
	for _, o := range c.in {
		l.Operands = append(l.Operands, OperandListing{o.DType.String(), o.Dims(), o.Domain.String()})
	}
	return l, nil
}
