// Command lockstep trains and measures thousands of small networks at once, inside low-dimensional subspaces of their
// parameters; every bit of every result can be derived again on a CPU.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

// commands: the verbs; one line per entry.
var commands = []*cli.Command{studyCommand, sweepCommand, opCommand}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := &cli.App{
		Name:                 "lockstep",
		Usage:                "train and measure thousands of small networks at once, to the bit",
		Commands:             commands,
		EnableBashCompletion: true,
		HideVersion:          true,
		Suggest:              true,
		CommandNotFound: func(c *cli.Context, name string) {
			fmt.Fprintf(c.App.ErrWriter, "lockstep: no command %q; see lockstep --help\n", name)
			os.Exit(2)
		},
		ExitErrHandler: func(*cli.Context, error) {}, // main decides
	}
	if err := app.RunContext(ctx, flagsFirst(os.Args, commands)); err != nil {
		fmt.Fprintln(os.Stderr, "lockstep:", err)
		if errors.Is(err, context.Canceled) {
			os.Exit(130)
		}
		os.Exit(1)
	}
}
