//go:build unix

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/bench/record"
)

func init() { verbs = append(verbs, recordCommand) }

// recordCommand is what bench/gpu-check.sh keeps its record with, on machines without other tools.
func recordCommand() *cli.Command {
	return &cli.Command{
		Name:        "record",
		Usage:       "run a command as a part of a record: JSON lines, appended as they come",
		ArgsUsage:   "-- COMMAND...",
		Description: "Example: lockstep record --to out/card.jsonl --part verify --limit 9m -- lockstep verify --device cuda --json\nThe command's output is copied; its exit status decides that of record. lockstep record --to FILE --list shows the parts of a record.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "the record is `FILE`", Required: true},
			&cli.StringFlag{Name: "part", Usage: "the part is called `NAME`"},
			&cli.StringFlag{Name: "on", Usage: "the part runs on `CARD`"},
			&cli.BoolFlag{Name: "small", Usage: "the part is a rehearsal, on small problems: it counts as another than that on problems of full size"},
			&cli.DurationFlag{Name: "limit", Usage: "interrupt the command after `TIME`, such as 9m"},
			&cli.StringFlag{Name: "skip", Usage: "run nothing; record that the part was skipped, and `WHY`"},
			&cli.BoolFlag{Name: "list", Usage: "list the parts and how they ended"},
			&cli.BoolFlag{Name: "done", Usage: "list the parts that ended well, with this very program, on this machine and --on this card, --small or not"},
		},
		Action: func(c *cli.Context) error {
			path := c.String("to")
			if c.Bool("list") || c.Bool("done") {
				return listRecord(c, path)
			}
			part, why := c.String("part"), c.String("skip")
			switch {
			case part == "":
				return errors.New("record: want --part NAME")
			case why != "" && c.NArg() > 0:
				return errors.New("record: --skip runs no command")
			case why != "":
				fmt.Fprintf(c.App.ErrWriter, "SKIPPED %s: %s\n", part, why)
				return record.Skip(path, part, why)
			case c.NArg() == 0:
				return errors.New("record: want a command after --")
			case c.Duration("limit") < 0:
				return fmt.Errorf("record: --limit %v; want a time, such as 9m", c.Duration("limit").Round(time.Second))
			}
			return record.Run(c.Context, path, jobOf(c), c.App.Writer, c.App.ErrWriter)
		},
	}
}

// jobOf is the part that the flags describe.
func jobOf(c *cli.Context) *record.Job {
	return &record.Job{Part: c.String("part"), On: c.String("on"), Small: c.Bool("small"), Limit: c.Duration("limit"), Command: c.Args().Slice()}
}

func listRecord(c *cli.Context, path string) error {
	for _, other := range []string{"part", "skip", "limit"} {
		if c.IsSet(other) || c.NArg() > 0 {
			return fmt.Errorf("record: --list and --done run nothing: want no --%s, and no command", other)
		}
	}
	if c.Bool("list") && (c.IsSet("small") || c.IsSet("on")) {
		return errors.New("record: --list shows all parts; --on and --small are for --done")
	}
	parts, err := record.Read(path)
	if err != nil {
		return err
	}
	now, err := jobOf(c).Now()
	if err != nil {
		return err
	}
	for _, p := range parts {
		switch {
		case c.Bool("list"):
			fmt.Fprintf(c.App.Writer, "%-20s %-8s %7.1f s  %s\n", p.Name, p.End.Status, p.End.Seconds, p.End.Why)
		case p.End.Status == record.OK && p.Begin.Same(now):
			fmt.Fprintln(c.App.Writer, p.Name)
		}
	}
	return nil
}
