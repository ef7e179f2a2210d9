package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"lockstep/bench/record"
)

// card is what a record says, in the words of the table; "" where it says nothing.
type card struct {
	name, file string
	begins     []*record.Begin   // those that differ
	small      string            // a part that ran less than all, and by what
	cell       map[string]string // by row
}

// Rows that are of no single part.
const (
	rowWhen = "driver, clocks, date"
	rowPeak = "measured peaks"
)

// facts are the rows that tell what a part of gpu-check.sh found.
var facts = []struct {
	part, title string
	read        func(*record.Part) (string, error)
}{
	{"verify", "every kernel against its law (`lockstep verify`)", verified},
	{"exhaustive", "each function over all 2^32 inputs", functions},
	{"sweep-toy", "`intrinsic-toy`: the CPU's digest", digests},
	{"sweep-digits", "`intrinsic-digits`: the CPU's digest", digests},
	{"memcheck", "compute-sanitizer memcheck", sanitized},
	{"racecheck", "compute-sanitizer racecheck", sanitized},
	{"memcheck-resident", "compute-sanitizer memcheck, many steps a launch", sanitized},
	{"racecheck-resident", "compute-sanitizer racecheck, many steps a launch", sanitized},
}

// cuts are the flags by which a part runs less than all.
var cuts = map[string]string{"verify": "few", "exhaustive": "blocks", "bench": "quick"}

// cut tells whether a part ran with a flag.
func cut(p *record.Part, flag string) bool {
	return p.Begin != nil && slices.ContainsFunc(p.Begin.Command, func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return strings.HasPrefix(a, "-") && strings.TrimLeft(name, "-") == flag
	})
}

// headlines are the cases of lockstep bench that the table shows.
var headlines = []struct{ name, title string }{
	{"matmul/4096x4096x4096/cells=1", "matmul 4096 x 4096 x 4096"},
	{"matmul/128x64x64/cells=1024", "1,024 products 128 x 64 x 64"},
	{"ternarymm/d125-D8970/cells=1024", "P z, d = 125, D = 8,970, 1,024 cells"},
	{"train/digits-w64-d100/cells=256", "256 networks on digits (8,970 parameters, d = 100)"},
}

// rows are all rows, in order.
func rows() []string {
	all := []string{rowWhen, rowPeak}
	for _, f := range facts {
		all = append(all, f.title)
	}
	for _, h := range headlines {
		all = append(all, h.title)
	}
	return all
}

// readCard reads a record of gpu-check.sh. Error: one that names no card.
func readCard(path string, parts []*record.Part) (*card, error) {
	c := &card{file: filepath.ToSlash(path), cell: map[string]string{}}
	named := map[string]*record.Part{}
	for _, p := range parts {
		named[p.Name] = p
		if p.Begin != nil && !slices.ContainsFunc(c.begins, p.Begin.Same) {
			c.begins = append(c.begins, p.Begin)
		}
		if flag := cuts[p.Name]; flag != "" && cut(p, flag) {
			c.small = fmt.Sprintf("its part %s ran with --%s", p.Name, flag)
		} else if p.Begin != nil && p.Begin.Small {
			c.small = fmt.Sprintf("its part %s ran on small problems", p.Name)
		}
	}
	fail := func(part string, err error) error { return fmt.Errorf("record %s, part %s: %w", path, part, err) }
	if p := named["devices"]; p == nil {
		return nil, fmt.Errorf("record %s: it has no part devices, which names the card", path)
	} else if err := c.device(p); err != nil {
		return nil, fail("devices", err)
	}
	for _, f := range facts {
		p := named[f.part]
		if p == nil {
			continue
		}
		text, err := f.read(p)
		if err != nil {
			return nil, fail(f.part, err)
		}
		c.cell[f.title] = ended(p, text)
	}
	if err := c.speed(named["bench"], named["peers"]); err != nil {
		return nil, fail("bench", err)
	}
	return c, nil
}

// ended says how a part ended, if not well, before what it found.
func ended(p *record.Part, text string) string {
	switch p.End.Status {
	case record.OK:
		return text
	case record.Skipped:
		return "skipped: " + p.End.Why
	}
	return strings.TrimSuffix(fmt.Sprintf("**%s**: %s", p.End.Status, text), ": ")
}

// each decodes the lines of a part that are JSON, and hands them over.
func each[T any](p *record.Part, f func(T)) error {
	for _, l := range p.Lines {
		var x T
		if err := json.Unmarshal(l, &x); err != nil {
			return err
		}
		f(x)
	}
	return nil
}

func (c *card) device(p *record.Part) error {
	type device struct {
		Name       string `json:"name"`
		Version    int    `json:"version"`
		Capability int    `json:"capability"`
		Telemetry  *struct {
			Driver     string `json:"driver"`
			MaxSMClock int    `json:"max_sm_clock_mhz"`
			MemClock   int    `json:"memory_clock_mhz"`
		} `json:"telemetry"`
	}
	var first *device
	if err := each(p, func(x struct {
		CUDA []device `json:"cuda"`
	}) {
		if len(x.CUDA) > 0 {
			first = &x.CUDA[0]
		}
	}); err != nil {
		return err
	}
	if first == nil {
		return errors.New("it names no card")
	}
	c.name = first.Name
	text := fmt.Sprintf("CUDA %d.%d", first.Version/1000, first.Version%1000/10)
	if t := first.Telemetry; t != nil {
		text = fmt.Sprintf("%s, SM up to %d MHz, memory %d MHz", t.Driver, t.MaxSMClock, t.MemClock)
	}
	if p.Begin != nil {
		text += p.Begin.At.Format(", 2006-01-02")
	}
	c.cell[rowWhen] = text
	return nil
}

// verified counts what lockstep verify says of its cases: those that ran and those that differ, those that no kernel can run, and
// the ops that an error kept from being run whole.
func verified(p *record.Part) (string, error) {
	ops, cases, failed, without, broken := 0, 0, 0, 0, 0
	err := each(p, func(x struct {
		Cases    int      `json:"cases"`
		Failures []string `json:"failures"`
		Without  int      `json:"without"`
		Error    string   `json:"error"`
	}) {
		ops++
		cases, failed, without = cases+x.Cases, failed+len(x.Failures), without+x.Without
		if x.Error != "" {
			broken++
		}
	})
	if ops == 0 {
		return "nothing ran", err
	}
	text := fmt.Sprintf("%d cases of %d ops, %d differ", cases, ops, failed)
	if cut(p, "few") {
		text = fmt.Sprintf("%d cases of %d ops (a few of each kernel), %d differ", cases, ops, failed)
	}
	if without > 0 {
		text += fmt.Sprintf(", %d more have no kernel", without)
	}
	if broken > 0 {
		text += fmt.Sprintf(", %d ops not run whole", broken)
	}
	return text, err
}

func functions(p *record.Part) (string, error) {
	all, ok, sampled := 0, 0, false
	err := each(p, func(x struct {
		OK     bool   `json:"ok"`
		Digest string `json:"digest"`
	}) {
		all++
		if x.OK {
			ok++
		}
		sampled = sampled || x.Digest == ""
	})
	text := fmt.Sprintf("%d of %d have the law's digest", ok, all)
	if sampled {
		text += ", by samples"
	}
	return text, err
}

func digests(p *record.Part) (text string, err error) {
	err = each(p, func(x struct {
		Settings string `json:"settings"`
		CUDA     string `json:"cuda"`
		CPU      string `json:"cpu"`
		CUDAms   int    `json:"cuda_ms"`
		CPUms    int    `json:"cpu_ms"`
	}) {
		text = "yes"
		if x.CUDA != x.CPU {
			text = "**no**"
		}
		if x.Settings != "" {
			text += " (cut: " + x.Settings + ")"
		}
		text += fmt.Sprintf("; card %.1f s, CPU %.1f s", float64(x.CUDAms)/1e3, float64(x.CPUms)/1e3)
	})
	return text, err
}

// sanitized takes the summary that the tool prints last.
func sanitized(p *record.Part) (string, error) {
	ran, err := verified(p)
	summary := "no summary"
	for _, t := range p.Text {
		if _, s, ok := strings.Cut(t, "SUMMARY: "); ok {
			summary = s
		}
	}
	return summary + " in " + ran, err
}

// speed fills in the peaks and the headlines, each beside what the peers reach on the same case.
func (c *card) speed(bench, peers *record.Part) error {
	type result struct {
		Case     string  `json:"case"`
		Peer     string  `json:"peer"`
		Rate     float64 `json:"rate"`
		Unit     string  `json:"unit"`
		Roofline float64 `json:"roofline"`
		Bound    string  `json:"bound"`
		Skipped  string  `json:"skipped"`
		Failed   string  `json:"failed"`
		Checked  string  `json:"checked"`
		Machine  struct {
			Peak struct {
				FMA  float64 `json:"fma"`
				Copy float64 `json:"copy"`
			} `json:"peak"`
		} `json:"machine"`
	}
	beside := map[string]string{}
	if peers != nil {
		if err := each(peers, func(r result) {
			if r.Rate > 0 {
				beside[r.Case] += fmt.Sprintf("; torch %s %s", r.Peer, rate(r.Rate, r.Unit))
			}
		}); err != nil {
			return err
		}
	}
	if bench == nil {
		return nil
	}
	return each(bench, func(r result) {
		if p := r.Machine.Peak; p.FMA > 0 {
			c.cell[rowPeak] = fmt.Sprintf("%.3g TFLOP/s float32, %.3g GB/s", 2*p.FMA/1e12, p.Copy/1e9)
		}
		for _, h := range headlines {
			if h.name != r.Case {
				continue
			}
			text := rate(r.Rate, r.Unit)
			switch {
			case r.Failed != "":
				text = "**failed**: " + r.Failed
			case r.Skipped != "":
				text = "skipped: " + r.Skipped
			case r.Bound != "":
				text += fmt.Sprintf(" (%.0f %% of the %s peak)", 100*r.Roofline, r.Bound)
			}
			if cut(bench, "quick") {
				text += ", with --quick"
			}
			if r.Checked == "" && r.Rate > 0 {
				text += ", results not checked"
			} else if _, part, ok := strings.Cut(r.Checked, ", "); ok {
				text += ", " + part + " of the results checked"
			}
			c.cell[h.title] = text + beside[r.Case]
		}
	})
}

// rate is a rate with three digits.
func rate(x float64, unit string) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3g million %s", x/1e6, unit)
	case x >= 1000:
		return fmt.Sprintf("%.0f %s", x, unit)
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}

// markdown is the table: a column for each card, a row for each fact.
func markdown(cards []*card) string {
	var b strings.Builder
	names, rule := "| |", "|---|"
	for _, c := range cards {
		names += fmt.Sprintf(" [%s](%s) |", c.name, c.file)
		rule += "---|"
	}
	if len(cards) == 0 {
		names, rule = names+" no card yet |", rule+"---|"
	}
	fmt.Fprintf(&b, "%s\n%s\n", names, rule)
	for _, row := range rows() {
		fmt.Fprintf(&b, "| %s |", row)
		for _, c := range cards {
			text := c.cell[row]
			if text == "" {
				text = "not measured yet"
			}
			fmt.Fprintf(&b, " %s |", strings.ReplaceAll(text, "|", "\\|"))
		}
		if len(cards) == 0 {
			b.WriteString(" not measured yet |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
