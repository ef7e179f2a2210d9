// Package report writes what a sweep gave as one HTML file.
package report

import (
	"errors"
	"io"

	"lockstep/sweep"
)

// Input is what a report shows.
type Input struct {
	sweep.Status
	Card    *sweep.Card
	Results []sweep.Result // of the cells that have ended, in the order of the card
}

// Load reads the sweep in dir, at work or not.
func Load(dir string) (in Input, err error) {
	if in.Status, err = sweep.StatusOf(dir); err != nil {
		return in, err
	}
	if in.Card, err = in.Record.Parse(); err != nil {
		return in, err
	}
	l, err := sweep.OpenLedger(dir)
	if err != nil {
		return in, err
	}
	in.Results, err = l.All()
	return in, errors.Join(err, l.Close())
}

// Write writes the report.
func Write(w io.Writer, in Input) error { return errors.New("not yet") }
