package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	for in, want := range map[string]string{
		"lockstep":                                     "lockstep",
		"lockstep study run NAME --out DIR":            "lockstep study run --out DIR NAME",
		"lockstep study run --json NAME --out=DIR":     "lockstep study run --json --out=DIR NAME",
		"lockstep op run matmul a.npy -o c.npy b.npy":  "lockstep op run -o c.npy matmul a.npy b.npy",
		"lockstep sweep run card --threads":            "lockstep sweep run --threads card",
		"lockstep sweep run -- --card --out":           "lockstep sweep run -- --card --out",
		"lockstep sweep run card - --unknown x":        "lockstep sweep run --unknown card - x",
		"lockstep op law matmul --help":                "lockstep op law --help matmul",
		"lockstep nonsense --out x":                    "lockstep --out nonsense x",
		"lockstep study run NAME --set steps=4 --json": "lockstep study run --set steps=4 --json NAME",
	} {
		if got := strings.Join(flagsFirst(strings.Fields(in), []*cli.Command{studyCommand(), sweepCommand(), opCommand()}), " "); got != want {
			t.Errorf("%s\n became %s\n instead of %s", in, got, want)
		}
	}
}
