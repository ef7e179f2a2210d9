// Command lockstep trains and measures thousands of small networks at once, inside low-dimensional subspaces of their
// parameters; every bit of every result can be derived again on a CPU.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"lockstep/internal/nearest"
)

// verbs: one line per entry. They are made anew for each run, because cli writes into them.
var verbs = []func() *cli.Command{
	studyCommand,
	sweepCommand,
	opCommand,
	devicesCommand,
	verifyCommand,
	benchCommand,
	graphCommand,
	curvatureCommand,
}

func main() {
	var ends []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup means what it says
			ends = append(ends, s)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, func() {
		stop() // the next signal kills
		fmt.Fprintln(os.Stderr, "\nlockstep: interrupted; finishing what cannot be left half done (once more quits at once)")
	})
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// run is the command with its exit status: 0 for success, 1 for an error, 130 for an interruption.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var commands []*cli.Command
	for _, v := range verbs {
		commands = append(commands, v())
	}
	app := &cli.App{
		Name:        "lockstep",
		Usage:       "train and measure thousands of small networks at once, to the bit",
		Commands:    commands,
		HideVersion: true,
		// --set seeds=[1,2] and --attr Axes=0,1 are one value each.
		DisableSliceFlagSeparator: true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		ExitErrHandler:            func(*cli.Context, error) {}, // the status is ours
	}
	refuseUnknown(commands)
	app.Action = unknownVerb(commands)
	out := &checkedWriter{w: stdout}
	app.Writer = out
	err := app.RunContext(ctx, flagsFirst(args, commands))
	if err == nil && out.err != nil {
		err = fmt.Errorf("what was to be printed cannot be written: %w", out.err)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "lockstep:", strings.Replace(err.Error(), context.Canceled.Error(), "interrupted", 1))
	if errors.Is(err, context.Canceled) {
		return 130
	}
	return 1
}

// checkedWriter remembers its first error: a full disk under standard output is a failure.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// refuseUnknown makes a wrong verb an error, and a wrong flag a line instead of a page.
func refuseUnknown(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = func(c *cli.Context, err error, _ bool) error {
			return fmt.Errorf("%w; see lockstep %s --help", err, strings.TrimPrefix(c.Command.HelpName, "lockstep "))
		}
		if len(c.Subcommands) > 0 {
			c.Action = unknownVerb(c.Subcommands)
		}
		refuseUnknown(c.Subcommands)
	}
}

// unknownVerb is what runs where one of the given verbs should stand.
func unknownVerb(verbs []*cli.Command) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() == 0 {
			return cli.ShowSubcommandHelp(c)
		}
		var names []string
		for _, v := range verbs {
			names = append(names, v.Name)
		}
		slices.Sort(names)
		return nearest.Unknown("command", c.Args().First(), names)
	}
}
