package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/cpu"
	"lockstep/data"
	"lockstep/graph"
	"lockstep/internal/files"
	"lockstep/internal/nearest"
	"lockstep/op"
	"lockstep/report"
	"lockstep/sweep"
)

// dataFlag is the flag of every verb that opens data sets.
func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "find the files of data sets such as mnist in `DIR`"}
}

// runFlags are the flags of every verb that runs a card.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "keep results (" + sweep.LedgerFile + ") and checkpoints in `DIR`"},
		&cli.BoolFlag{Name: "resume", Usage: "go on with the sweep that --out holds"},
		dataFlag(),
		deviceFlag(),
		&cli.IntFlag{Name: "threads", Usage: "run on `N` threads; results do not depend on it", DefaultText: "all processors"},
		&cli.IntFlag{Name: "pack", Usage: "put at most `N` cells into a pack; results do not depend on it", DefaultText: "64"},
		variantFlag(),
		noFuseFlag(),
		&cli.DurationFlag{Name: "checkpoint", Usage: "write a checkpoint of the pack at work every `TIME`, such as 30s", DefaultText: "30s, or as long as keeps the cost below 1 %"},
		&cli.StringSliceFlag{Name: "set", Usage: "change the card: `KEY=VALUE`, such as steps=100 or arms.baseline.rule.lr=0.01"},
		&cli.BoolFlag{Name: "json", Usage: "print events as they happen, a line of JSON each, instead of tables"},
	}
}

func sweepCommand() *cli.Command {
	jsonFlag := func() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON"} }
	return &cli.Command{
		Name:  "sweep",
		Usage: "run the cells of a card; look at, check and take home what they gave",
		Subcommands: []*cli.Command{
			{
				Name:        "run",
				Usage:       "train and evaluate every cell of a card",
				ArgsUsage:   "CARD.toml",
				Description: "Example: lockstep sweep run studies/intrinsic-toy.toml --out out/toy\nStopped or killed, it goes on with --resume, and gives the same digest.",
				Flags:       runFlags(),
				Action:      runSweep,
			},
			{
				Name:        "status",
				Usage:       "tell how far a sweep is, running or not",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep status out/toy",
				Flags:       []cli.Flag{jsonFlag()},
				Action:      status,
			},
			{
				Name:        "digest",
				Usage:       "print the digest of a finished sweep: equal for equal results, whatever engine, packs and threads",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep digest out/toy",
				Action:      digest,
			},
			{
				Name:        "export",
				Usage:       "write the results as a table for other programs",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep export out/toy --format csv -o toy.csv",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "format", Value: "csv", Usage: "`FORMAT` of the table: " + strings.Join(sweep.Formats(), " or ")},
					&cli.StringFlag{Name: "o", Usage: "write to `FILE` (default: standard output)"},
				},
				Action: export,
			},
			{
				Name:        "verify",
				Usage:       "train cells of a sweep again, each alone, and compare every number; exit status 1 if one differs",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep verify out/toy --sample 5",
				Flags: []cli.Flag{
					&cli.IntFlag{Name: "sample", Usage: "recompute `N` cells only, chosen by --seed", DefaultText: "all"},
					&cli.Uint64Flag{Name: "seed", Usage: "choose another sample by the seed `S`"},
					&cli.StringFlag{Name: "engine", Value: "cpu", Usage: "recompute on `ENGINE`: cpu, or law: the plain Go laws, some hundred times slower"},
					&cli.IntFlag{Name: "threads", Usage: "recompute `N` cells at a time", DefaultText: "all processors"},
					dataFlag(), jsonFlag(),
				},
				Action: verify,
			},
			{
				Name:        "report",
				Usage:       "write a report of a sweep, running or not: one HTML file that needs nothing beside it",
				ArgsUsage:   "DIR",
				Description: "Example: lockstep sweep report out/toy",
				Flags:       []cli.Flag{&cli.StringFlag{Name: "o", Usage: "write to `FILE` (default: DIR/report.html)"}},
				Action:      writeReport,
			},
		},
	}
}

// folder is the only argument of a verb on a sweep's folder.
func folder(c *cli.Context) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", fmt.Errorf("sweep %s takes one folder; got %d arguments", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

func runSweep(c *cli.Context) error {
	if c.NArg() != 1 {
		return fmt.Errorf("sweep run takes one card; got %d arguments", c.NArg())
	}
	card, err := sweep.LoadCard(c.Args().First())
	if err != nil {
		return err
	}
	results, err := runCard(c, card, func([]sweep.Cell) error { return nil })
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
}

// engineOf makes the engine that the flags of runFlags choose: of several cards the first.
func engineOf(c *cli.Context) (graph.Engine, error) {
	engines, err := enginesOf(c, 1)
	if err != nil {
		return nil, err
	}
	return engines[0], nil
}

// enginesOf makes the engines that the flags of runFlags choose, at most so many.
func enginesOf(c *cli.Context, most int) ([]graph.Engine, error) {
	options := cpu.Options{Threads: c.Int("threads"), Variants: chosenVariants(c)}
	if c.IsSet("threads") && options.Threads < 1 {
		return nil, fmt.Errorf("--threads %d: want at least 1", options.Threads)
	}
	engines, err := openDevices(c, options, most)
	if err != nil {
		return nil, err
	}
	if v := cpu.Has(op.MatMul{}); engines[0].Name() == "cpu" && v[0] == cpu.Law && options.Variants == nil {
		fmt.Fprintln(c.App.ErrWriter, "note: this build has no fast matrix product for this machine (it needs AVX2 and FMA); the law does it, some hundred times slower")
	}
	return engines, nil
}

// runCard runs a card by the flags of runFlags, keeps what it gives where --out says, and returns all results. check may
// refuse the cells before they are trained.
func runCard(c *cli.Context, card *sweep.Card, check func([]sweep.Cell) error) (results []sweep.Result, err error) {
	for _, s := range c.StringSlice("set") {
		if err := card.Set(s); err != nil {
			return nil, err
		}
	}
	dir := c.String("out")
	switch {
	case c.IsSet("out") && dir == "":
		return nil, errors.New("--out names no folder")
	case dir == "" && (c.Bool("resume") || c.IsSet("checkpoint")):
		return nil, errors.New("--resume and --checkpoint need --out DIR: without it nothing is kept")
	case c.IsSet("pack") && c.Int("pack") < 1:
		return nil, fmt.Errorf("--pack %d: want at least 1 cell", c.Int("pack"))
	case c.IsSet("checkpoint") && c.Duration("checkpoint") <= 0:
		return nil, fmt.Errorf("--checkpoint %s: want more than no time", c.Duration("checkpoint"))
	}
	card.Data = data.Source{Dir: c.String("data")}
	cells, err := card.Cells()
	if err != nil {
		return nil, err
	}
	if err := check(cells); err != nil {
		return nil, err
	}
	engines, err := enginesOf(c, math.MaxInt)
	if err != nil {
		return nil, err
	}
	defer closeAll(engines)
	progress := sweep.NewProgress(os.Stderr, cells)
	if c.Bool("json") {
		progress = sweep.NewEvents(c.App.Writer, cells)
	}
	o := sweep.Options{Engine: engines[0], More: engines[1:], PackCells: c.Int("pack"), Progress: progress, Checkpoint: c.Duration("checkpoint")}
	if card.Snapshots > 0 {
		if dir == "" {
			return nil, fmt.Errorf("%s takes snapshots every %d steps: give --out DIR, where they are kept", card.Name, card.Snapshots)
		}
		o.Snapshots = sweep.SnapshotFiles(dir, card.Snapshots)
	}
	if dir != "" {
		err = sweep.RunTo(c.Context, dir, card, cells, c.Bool("resume"), o)
	} else if results, err = sweep.Run(c.Context, cells, o); errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w; nothing is kept without --out", err)
	}
	if e := progress.Close(); err == nil {
		err = e
	}
	if err != nil || dir == "" {
		return results, err
	}
	l, err := sweep.OpenLedger(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.All()
}

func printDigest(c *cli.Context, results []sweep.Result) error {
	digest, err := sweep.Digest(results)
	switch {
	case err != nil:
	case c.Bool("json"):
		err = json.NewEncoder(c.App.Writer).Encode(map[string]any{"event": "digest", "digest": digest})
	default:
		_, err = fmt.Fprintf(c.App.Writer, "digest %s\n", digest)
	}
	return err
}

func digest(c *cli.Context) error {
	dir, err := folder(c)
	if err != nil {
		return err
	}
	l, err := sweep.OpenLedger(dir)
	if err != nil {
		return err
	}
	defer l.Close()
	d, err := l.FinalDigest()
	if err == nil {
		_, err = fmt.Fprintln(c.App.Writer, d)
	}
	return err
}

func status(c *cli.Context) error {
	dir, err := folder(c)
	if err != nil {
		return err
	}
	s, err := sweep.StatusOf(dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(s)
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s: %d of %d cells have ended, %d of them diverged; best performance %.4f\n", s.Name, s.Done, s.Cells, s.Diverged, s.Best)
	switch {
	case s.Running:
		fmt.Fprintln(w, "a run is at work")
	case s.Done < s.Cells:
		fmt.Fprintln(w, "stopped; sweep run with --resume goes on with it")
	}
	for _, k := range s.Checkpoints {
		fmt.Fprintf(w, "checkpoint of %d cells, %s ago\n", k.Cells, time.Since(k.Written).Round(time.Second))
	}
	for i, r := range s.Runs {
		fmt.Fprintf(w, "run %d: %s, %d cells, %s engine, %s; %s\n", i+1, r.Started.Local().Format(time.DateTime), r.Cells, r.Engine, r.Build, r.Machine)
		for _, d := range r.Devices {
			fmt.Fprintf(w, "  %s\n", d)
		}
		if r.Joules != nil {
			fmt.Fprintf(w, "  %s\n", r.Energy())
		}
	}
	if s.Damaged != "" {
		return fmt.Errorf("%s is damaged: %s", dir, s.Damaged)
	}
	if s.Digest != "" {
		fmt.Fprintf(w, "digest %s\n", s.Digest)
	}
	return nil
}

func export(c *cli.Context) error {
	dir, err := folder(c)
	if err != nil {
		return err
	}
	if f := c.String("format"); !slices.Contains(sweep.Formats(), f) {
		return fmt.Errorf("--format: %w", nearest.Unknown("format", f, sweep.Formats()))
	}
	l, err := sweep.OpenLedger(dir)
	if err != nil {
		return err
	}
	defer l.Close()
	write := func(w io.Writer) error { return l.Export(c.String("format"), w) }
	if path := c.String("o"); path != "" {
		if err := sweep.Spare(dir, path); err != nil {
			return err
		}
		return files.Write(path, write)
	}
	return write(c.App.Writer)
}

func verify(c *cli.Context) error {
	dir, err := folder(c)
	if err != nil {
		return err
	}
	options := cpu.Options{Threads: 1}
	switch e := c.String("engine"); e {
	case "cpu":
	case "law":
		options.Variants = []string{cpu.Law}
	default:
		return fmt.Errorf("--engine: %w", nearest.Unknown("engine", e, []string{"cpu", "law"}))
	}
	workers := cmp.Or(c.Int("threads"), runtime.GOMAXPROCS(0))
	if c.IsSet("threads") && c.Int("threads") < 1 {
		return fmt.Errorf("--threads %d: want at least 1", c.Int("threads"))
	}
	if c.IsSet("sample") && c.Int("sample") < 1 {
		return fmt.Errorf("--sample %d: want at least 1 cell", c.Int("sample"))
	}
	v, err := sweep.Verify(c.Context, dir, sweep.VerifyOptions{
		Engine:  func() (graph.Engine, error) { return cpu.New(options) },
		Workers: workers, Sample: c.Int("sample"), Seed: c.Uint64("seed"), Data: data.Source{Dir: c.String("data")},
		Progress: func(_ *sweep.Card, cells []sweep.Cell) sweep.Reporter { return sweep.NewProgress(os.Stderr, cells) },
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(v); err != nil {
			return err
		}
	} else {
		for _, m := range v.Mismatches {
			fmt.Fprintln(c.App.Writer, m)
		}
	}
	if n := len(v.Mismatches); n > 0 {
		return fmt.Errorf("%d numbers of %s are not what its cells give", n, dir)
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "%d of the %d cells that have ended, of %d in all, were trained again, each alone on the %s engine: every number is the same\n",
			v.Checked, v.Done, v.Cells, c.String("engine"))
		if v.Done < v.Cells {
			fmt.Fprintf(c.App.Writer, "the sweep is not finished: %d cells have no result yet\n", v.Cells-v.Done)
		}
	}
	return nil
}

func writeReport(c *cli.Context) error {
	dir, err := folder(c)
	if err != nil {
		return err
	}
	path := c.String("o")
	if path == "" {
		path = filepath.Join(dir, "report.html")
	}
	return reportOn(c, dir, path)
}

// reportOn writes the report of the sweep in dir.
func reportOn(c *cli.Context, dir, path string) error {
	if err := sweep.Spare(dir, path); err != nil {
		return err
	}
	in, err := report.Load(dir)
	if err != nil {
		return err
	}
	if err := files.Write(path, func(w io.Writer) error { return report.Write(w, in) }); err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "wrote %s\n", path)
	return nil
}
