package report

import (
	"fmt"
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
	Check    string // commands
}

func provenanceOf(in Input, digest string) provenance {
	p := provenance{Card: in.Record.Card, Settings: in.Settings, Data: in.Data, Plan: in.Plan}
	p.Runs.Columns = []column{{"started (UTC)", false}, {"last result", false}, {"cells", true}, {"engine", false}, {"build", false}, {"machine", false}}
	for _, r := range in.Runs {
		last := "none"
		switch r.Last = r.Last.UTC(); {
		case r.Last.IsZero():
		case r.Last.Format(time.DateOnly) == r.Started.UTC().Format(time.DateOnly):
			last = r.Last.Format(time.TimeOnly)
		default:
			last = r.Last.Format(time.DateTime)
		}
		p.Runs.Rows = append(p.Runs.Rows, []string{r.Started.UTC().Format(time.DateTime), last, fmt.Sprint(r.Cells), r.Engine, r.Build, r.Machine})
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
