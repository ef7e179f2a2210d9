package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

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
	results, err := runCard(c, card, func(cells []sweep.Cell) error { return studies.Check(card, cells) })
	if err != nil {
		return err
	}
	findings, err := studies.Judge(card, results)
	if err == nil && !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "\n%s\n%s\n\n%s\n", card.Name, card.About, studies.Table(findings))
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
