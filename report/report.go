// Package report writes what a sweep gave, or has given so far, as one HTML file: findings, pictures, tables, and where the
// numbers come from. It needs nothing beside it, neither script nor network, so that it can be mailed.
package report

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"

	"lockstep/studies"
	"lockstep/sweep"
)

// Input is what a report shows.
type Input struct {
	sweep.Status
	Card    *sweep.Card
	Results []sweep.Result     // of the cells that have ended, in the order of the card
	Paths   []studies.CellPath // what a study measured of their paths
}

// Load reads the sweep in dir, at work or not.
func Load(dir string) (in Input, err error) {
	if in.Status, err = sweep.StatusOf(dir); err != nil {
		return in, err
	}
	if in.Card, err = in.Record.Parse(); err != nil {
		return in, err
	}
	if in.Paths, err = studies.ReadPaths(dir); err != nil {
		return in, err
	}
	l, err := sweep.OpenLedger(dir)
	if err != nil {
		return in, err
	}
	in.Results, err = l.All()
	return in, errors.Join(err, l.Close())
}

//go:embed report.html.tmpl
var text string

//go:embed parts.html.tmpl
var parts string // what pages have in common: style, keys, tables

var layout = layoutOf("report", text)

func layoutOf(name, text string) *template.Template {
	return template.Must(template.Must(template.New(name).Parse(parts)).Parse(text))
}

// Write writes the report: equal inputs give equal bytes. Nothing is written before all of it is there. Error: a picture
// that cannot be drawn, or w's.
func Write(w io.Writer, in Input) error {
	p, err := makePage(in)
	if err != nil {
		return fmt.Errorf("report of %s: %w", in.Name, err)
	}
	var b bytes.Buffer
	if err := layout.Execute(&b, p); err != nil {
		return fmt.Errorf("report of %s: %w", in.Name, err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
