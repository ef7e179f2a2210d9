package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/studies"
	"lockstep/sweep"
)

func studyCommand() *cli.Command {
	return &cli.Command{
		Name:  "study",
		Usage: "the studies that come with lockstep: sweeps with the outcome that is expected",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list the studies",
				Action: func(c *cli.Context) error {
					cards, err := studies.List()
					if err != nil {
						return err
					}
					t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
					for _, card := range cards {
						cells, err := card.Size()
						if err != nil {
							return err
						}
						fmt.Fprintf(t, "%s\t%d cells\t%s\n", card.Name, cells, card.About)
					}
					return t.Flush()
				},
			},
			{
				Name:        "run",
				Usage:       "run a study and print what was measured beside what is expected; exit status 1 if they disagree",
				ArgsUsage:   "NAME|CARD.toml",
				Description: "Example: lockstep study run intrinsic-digits --out out/digits",
				Flags:       runFlags(),
				Action:      runStudy,
			},
		},
	}
}

func runStudy(c *cli.Context) error {
	if c.NArg() != 1 {
		return fmt.Errorf("study run takes one name; see lockstep study list")
	}
	load := studies.Named
	if strings.HasSuffix(c.Args().First(), ".toml") {
		load = sweep.LoadCard
	}
	card, err := load(c.Args().First())
	if err != nil {
		return err
	}
	var cells []sweep.Cell
	results, err := runCard(c, card, func(all []sweep.Cell) error {
		cells = all
		return studies.Check(card, all)
	})
	if err != nil {
		return err
	}
	paths, err := measurePaths(c, card, cells)
	if err != nil {
		return err
	}
	findings, err := studies.Judge(card, results, paths)
	if err == nil && !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "\n%s\n%s\n\n%s\n", card.Name, card.About, studies.Table(findings))
		if tables := studies.PathTables(paths); tables != "" {
			fmt.Fprintln(c.App.Writer, tables)
		}
	}
	if err == nil && c.Bool("json") {
		for _, f := range findings {
			if err = f.WriteEvent(c.App.Writer); err != nil {
				return err
			}
		}
	}
	if e := printDigest(c, results); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if dir := c.String("out"); dir != "" {
		pictures, err := studies.Draw(card, findings, dir)
		if err != nil {
			return err
		}
		for _, p := range pictures {
			fmt.Fprintf(c.App.ErrWriter, "wrote %s\n", filepath.ToSlash(p))
		}
		if err := reportOn(c, dir, filepath.Join(dir, "report.html")); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(findings, func(f studies.Finding) bool { return !f.OK }) {
		return errors.New("not everything is as expected")
	}
	return nil
}

// measurePaths measures the paths of the cells, if the card has a path.
func measurePaths(c *cli.Context, card *sweep.Card, cells []sweep.Cell) ([]studies.CellPath, error) {
	if card.Path == nil {
		return nil, nil
	}
	engines, err := enginesOf(c, 1)
	if err != nil {
		return nil, err
	}
	defer closeAll(engines)
	var last time.Time
	return studies.MeasurePaths(c.Context, engines[0], card, cells, c.String("out"), func(part, whole int) {
		if !c.Bool("json") && (time.Since(last) > 10*time.Second || part == whole) {
			fmt.Fprintf(c.App.ErrWriter, "measured %d of %d snapshots\n", part, whole)
			last = time.Now()
		}
	})
}
