package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/op"
	"lockstep/sweep"
)

// runFlags are the flags of every verb that runs a card.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "write the results to `DIR`/" + sweep.ResultsFile},
		&cli.StringFlag{Name: "device", Value: "auto", Usage: "auto or cpu (this build has no other engine)"},
		&cli.IntFlag{Name: "threads", Usage: "run on `N` threads; results do not depend on it (default: all processors)"},
		&cli.IntFlag{Name: "pack", Usage: "put at most `N` cells into a pack; results do not depend on it (default: 64)"},
		&cli.StringFlag{Name: "variant", Usage: "allow one variant of kernels only: " + strings.Join(cpu.Variants(), ", ") + "; results do not depend on it"},
		&cli.StringSliceFlag{Name: "set", Usage: "change the card: `KEY=VALUE`, such as steps=100 or arms.baseline.rule.lr=0.01"},
		&cli.BoolFlag{Name: "json", Usage: "print each result as a line of JSON instead of tables"},
	}
}

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "run the cells of a card",
		Subcommands: []*cli.Command{
			{
				Name:        "run",
				Usage:       "train and evaluate every cell of a card",
				ArgsUsage:   "CARD.toml",
				Description: "Example: lockstep sweep run studies/intrinsic-toy.toml --out out/toy --threads 2",
				Flags:       runFlags(),
				Action: func(c *cli.Context) error {
					if c.NArg() != 1 {
						return fmt.Errorf("sweep run takes one card; got %d arguments", c.NArg())
					}
					card, err := sweep.LoadCard(c.Args().First())
					if err != nil {
						return err
					}
					results, err := runCard(c, card)
					if err != nil {
						return err
					}
					if !c.Bool("json") {
						fmt.Fprint(c.App.Writer, sweep.Table(results))
					}
					if len(card.Expect) > 0 {
						fmt.Fprintf(c.App.ErrWriter, "note: what the card expects is judged by lockstep study run %s\n", c.Args().First())
					}
					return printDigest(c, results)
				},
			},
			{
				Name:        "digest",
				Usage:       "print the digest of a finished sweep: equal for equal results, whatever engine, packs and threads",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep digest out/toy",
				Action: func(c *cli.Context) error {
					if c.NArg() != 1 {
						return fmt.Errorf("sweep digest takes one folder; got %d arguments", c.NArg())
					}
					results, err := sweep.LoadResults(c.Args().First())
					if err != nil {
						return err
					}
					digest, err := sweep.Digest(results)
					if err != nil {
						return err
					}
					fmt.Fprintln(c.App.Writer, digest)
					return nil
				},
			},
		},
	}
}

// runCard runs a card by the flags of runFlags, and writes its results where --out says.
func runCard(c *cli.Context, card *sweep.Card) ([]sweep.Result, error) {
	for _, s := range c.StringSlice("set") {
		if err := card.Set(s); err != nil {
			return nil, err
		}
	}
	cells, err := card.Cells()
	if err != nil {
		return nil, err
	}
	if d := c.String("device"); d != "auto" && d != "cpu" {
		return nil, fmt.Errorf("--device %q: this build has the devices auto and cpu", d)
	}
	if n := c.Int("pack"); c.IsSet("pack") && n < 1 {
		return nil, fmt.Errorf("--pack %d: want at least 1 cell", n)
	}
	options := cpu.Options{Threads: c.Int("threads")}
	if c.IsSet("threads") && options.Threads < 1 {
		return nil, fmt.Errorf("--threads %d: want at least 1", options.Threads)
	}
	if v := c.String("variant"); v != "" {
		options.Variants = []string{v}
	}
	engine, err := cpu.New(options)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	if v := cpu.Has(op.MatMul{}); v[0] == cpu.Law && options.Variants == nil {
		fmt.Fprintln(c.App.ErrWriter, "note: this build has no fast matrix product for this machine (it needs AVX2 and FMA); the law does it, some hundred times slower")
	}
	o := sweep.Options{Engine: engine, PackCells: c.Int("pack")}
	progress := sweep.NewProgress(os.Stderr, cells)
	o.Progress = progress
	var results []sweep.Result
	if dir := c.String("out"); c.IsSet("out") {
		if dir == "" {
			return nil, errors.New("--out names no folder")
		}
		results, err = sweep.RunTo(c.Context, dir, cells, o)
	} else {
		results, err = sweep.Run(c.Context, cells, o)
		if errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w; nothing is kept without --out", err)
		}
	}
	if e := progress.Close(); err == nil {
		err = e
	}
	if c.Bool("json") {
		if e := sweep.WriteResults(c.App.Writer, results...); err == nil {
			err = e
		}
	}
	return results, err
}

func printDigest(c *cli.Context, results []sweep.Result) error {
	digest, err := sweep.Digest(results)
	if err == nil && !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "digest %s\n", digest)
	}
	return err
}
