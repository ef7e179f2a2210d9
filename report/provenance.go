package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/sweep"
)

// provenance says where the numbers come from, and how to check them.
type provenance struct {
	Card     string
	Settings []string
	Data     []sweep.DataHash
	Plan     string
	Runs     table
	Devices  table  // what they told; no rows if nothing
	Check    string // commands
}

func provenanceOf(in Input, digest string) provenance {
	p := provenance{Card: in.Record.Card, Settings: in.Settings, Data: in.Data, Plan: in.Plan}
	p.Runs.Columns = []column{{"started (UTC)", false}, {"last result", false}, {"cells", true}, {"engine", false}, {"build", false}, {"machine", false}}
	energy := slices.ContainsFunc(in.Runs, func(r sweep.RunRecord) bool { return r.Joules != nil })
	if energy {
		p.Runs.Columns = append(p.Runs.Columns, column{"energy", false})
	}
	p.Devices.Columns = []column{{"device", false}, {"run", true}, {"readings", true}, {"W, mean", true}, {"W, most", true}, {"SM MHz, least", true}, {"SM MHz, most", true},
		{"\u00b0C, most", true}, {"clocks held by", false}}
	for i, r := range in.Runs {
		last := "none"
		switch r.Last = r.Last.UTC(); {
		case r.Last.IsZero():
		case r.Last.Format(time.DateOnly) == r.Started.UTC().Format(time.DateOnly):
			last = r.Last.Format(time.TimeOnly)
		default:
			last = r.Last.Format(time.DateTime)
		}
		p.Runs.Rows = append(p.Runs.Rows, []string{r.Started.UTC().Format(time.DateTime), last, fmt.Sprint(r.Cells), r.Engine, r.Build, r.Machine})
		if energy {
			row := &p.Runs.Rows[i]
			*row = append(*row, cmp.Or(r.Energy(), none))
		}
		for _, d := range r.Devices {
			whole := func(x float64) string { return fmt.Sprintf("%.0f", x) }
			p.Devices.Rows = append(p.Devices.Rows, []string{d.Device, fmt.Sprint(i + 1), fmt.Sprint(d.Readings), whole(d.MeanWatts), whole(d.MostWatts),
				whole(d.LeastClock), whole(d.MostClock), whole(d.Temperature), d.HeldBy()})
		}
	}
	p.Check = commands(in, digest)
	return p
}

// commands are what a reader types to check the report.
func commands(in Input, digest string) string {
	var b strings.Builder
	run := "lockstep sweep run CARD.toml"
	if !strings.ContainsFunc(in.Name, notPlain) && in.Name != "" {
		run = fmt.Sprintf("lockstep sweep run %s.toml", in.Name)
	}
	for _, s := range in.Settings {
		run += " --set " + quoted(s)
	}
	b.WriteString("# with the sweep's folder DIR: train its cells again, each alone, and compare every number\n")
	b.WriteString("lockstep sweep verify DIR\n")
	if digest == "" {
		fmt.Fprintf(&b, "# train the cells that are missing\n%s --out DIR --resume\n", run)
	}
	fmt.Fprintf(&b, "# with the card alone, saved as a file: run it all again, on any machine\n%s --out NEW\n", run)
	b.WriteString("lockstep sweep digest NEW\n")
	if digest != "" {
		fmt.Fprintf(&b, "# which prints %s\n", digest)
	}
	return b.String()
}

func notPlain(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// quoted is a word for a POSIX shell.
func quoted(s string) string {
	plain := func(r rune) bool { return notPlain(r) && !strings.ContainsRune("=.,:/+", r) }
	if s != "" && !strings.ContainsFunc(s, plain) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
