package report

import (
	"io"

	"lockstep/probe"
)

// WriteCurvature writes a page.
func WriteCurvature(w io.Writer, card string, r *probe.Results) error { return nil }
