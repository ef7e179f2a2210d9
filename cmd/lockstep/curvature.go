package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"lockstep/analysis/curvature"
	"lockstep/data"
	"lockstep/op"
	"lockstep/probe"
	"lockstep/report"
	"lockstep/sweep"
)

// matrixFlags are the flags of every verb of curvature: which matrix, and what computes it.
func matrixFlags() []cli.Flag {
	var kinds []string
	for _, k := range curvature.Kinds() {
		kinds = append(kinds, string(k))
	}
	return []cli.Flag{
		&cli.StringFlag{Name: "kind", Value: string(curvature.Hessian), Usage: "`KIND` of matrix, each the mean over rows: " + strings.Join(kinds, ", ")},
		&cli.StringFlag{Name: "cell", Value: "0", Usage: "take `N`, a cell of the card, counted from 0; several with commas between them, or all, are models of one pack"},
		&cli.StringSliceFlag{Name: "set", Usage: "change the card: `KEY=VALUE`, such as steps=100 or arms.baseline.rule.lr=0.01"},
		&cli.StringFlag{Name: "params", Usage: "take the parameters of `P.npy`, f32 [D] or [models, D]"},
		&cli.IntFlag{Name: "subspace", Usage: "take P^T M P in the span of the cell's map, of `D` dimensions"},
		&cli.IntFlag{Name: "rows", Usage: "take the first `N` rows", DefaultText: "all"},
		&cli.IntFlag{Name: "batch", Usage: "take `N` rows at a time; the last bits depend on it", DefaultText: fmt.Sprintf("%d, or all if there are fewer", probe.DefaultBatch)},
		&cli.Uint64Flag{Name: "seed", Usage: "draw random vectors, and what the Fisher matrix draws, by the seed `S`"},
		dataFlag(), deviceFlag(),
		&cli.IntFlag{Name: "threads", Usage: "run on `N` threads; results do not depend on it", DefaultText: "all processors"},
		variantFlag(), noFuseFlag(),
	}
}

// estimateFlags are those of the verbs that estimate.
func estimateFlags(own ...cli.Flag) []cli.Flag {
	return slices.Concat(own, []cli.Flag{
		&cli.StringFlag{Name: "at", Value: "end", Usage: "at these `STEPS` of the training, such as 0,100,500,end"},
		&cli.StringFlag{Name: "block", Usage: "of the block `NAME` of the parameters alone, such as 0, 0.w or 1.wq.0; each: of every block, one after the other"},
		&cli.StringFlag{Name: "out", Usage: "keep " + probe.ResultsFile + ", " + probe.TableFile + ", " + probe.PageFile + ", parameters and checkpoints in `DIR`"},
		&cli.BoolFlag{Name: "resume", Usage: "go on with the estimation that --out holds"},
		&cli.DurationFlag{Name: "checkpoint", Value: 30 * time.Second, Usage: "write a checkpoint of the unit at work every `TIME`"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON: what " + probe.ResultsFile + " holds"},
	}, matrixFlags())
}

// What a trace takes by default. Hutch++ takes as many products, but one after the other: a sketch is the better the larger it is.
const traceVectors, traceRounds = 8, 8

const curvatureArgs = "CARD.toml|DIR"

func curvatureCommand() *cli.Command {
	resumes := "\nA card's cell is trained for it; of the folder of a sweep, the training is held against the ledger. Stopped or killed, it goes on with --resume, and gives the same digest."
	steps := func() cli.Flag {
		return &cli.IntFlag{Name: "steps", Value: 64, Usage: "take `M` Lanczos steps, as many as the tridiagonal matrix T has rows"}
	}
	vectors := func(n int) cli.Flag {
		return &cli.IntFlag{Name: "vectors", Value: n, Usage: "multiply `K` random vectors of each model at a time"}
	}
	return &cli.Command{
		Name:  "curvature",
		Usage: "Hessians, Gauss-Newton and Fisher matrices of a card's models: products, spectra, densities, traces",
		Subcommands: []*cli.Command{
			{
				Name:        "product",
				Usage:       "multiply vectors with the matrix of a model, .npy in and out, for anyone's audit",
				Description: "Example: lockstep curvature product --kind ggn --card studies/intrinsic-digits.toml --params p.npy --vector v.npy -o out.npy\nV is f32 [D], [K, D], or [models, K, D], and OUT has its shape. Without --params it is at the cell's beginning, theta0;\nwithout --inputs and --labels it is over the card's training rows.",
				Flags: slices.Concat([]cli.Flag{
					&cli.StringFlag{Name: "card", Usage: "the model, its loss and its data are those of a cell of `CARD`", Required: true},
					&cli.StringFlag{Name: "vector", Usage: "multiply the vectors of `V.npy`", Required: true},
					&cli.StringFlag{Name: "inputs", Usage: "take the rows of `X.npy`, f32 [rows, in]"},
					&cli.StringFlag{Name: "labels", Usage: "with the labels of `Y.npy`, integers [rows] or [rows, 1], or targets, f32 [rows, out]"},
					&cli.StringFlag{Name: "block", Usage: "of the block `NAME` of the parameters alone, such as 0, 0.w or 1.wq.0"},
					&cli.StringFlag{Name: "o", Usage: "write the products to `OUT.npy`", Required: true},
					&cli.BoolFlag{Name: "json", Usage: "print JSON"},
				}, matrixFlags()),
				Action: curvatureProduct,
			},
			{
				Name:        probe.Spectrum,
				Usage:       "estimate the largest and smallest eigenvalues by Lanczos, along a training",
				ArgsUsage:   curvatureArgs,
				Description: "Example: lockstep curvature spectrum studies/intrinsic-digits.toml --cell 84 --at 0,100,end --out out/spectrum" + resumes,
				Flags: estimateFlags(steps(),
					&cli.IntFlag{Name: "top", Value: 10, Usage: "tell the `N` largest eigenvalues"},
					&cli.IntFlag{Name: "bottom", Value: 5, Usage: "tell the `N` smallest eigenvalues"},
					&cli.BoolFlag{Name: "eigenvectors", Usage: "also write their eigenvectors to -o, and tell |A v - value v| of each"},
					&cli.StringFlag{Name: "o", Usage: "write the eigenvectors to `FILE.npy`, f32 [points, models, top + bottom, D] without axes of one point or model"}),
				Action: func(c *cli.Context) error { return estimate(c, probe.Spectrum) },
			},
			{
				Name:        probe.Density,
				Usage:       "estimate the density of all eigenvalues by stochastic Lanczos quadrature",
				ArgsUsage:   curvatureArgs,
				Description: "Example: lockstep curvature density studies/intrinsic-digits.toml --cell 84 -c 0.1 --out out/density" + resumes,
				Flags: estimateFlags(vectors(8), steps(),
					&cli.Float64Flag{Name: "sigma", Value: 0.02, Usage: "smooth by a normal density of standard deviation `S`, as a share of the spectrum's width"},
					&cli.Float64Flag{Name: "c", Usage: "also estimate the effective dimension, the sum of v / (v + `C`) over positive eigenvalues v"}),
				Action: func(c *cli.Context) error { return estimate(c, probe.Density) },
			},
			{
				Name:        probe.Trace,
				Usage:       "estimate the trace, and the diagonal, by random vectors",
				ArgsUsage:   curvatureArgs,
				Description: "Example: lockstep curvature trace studies/intrinsic-digits.toml --cell 84 --method hutch++ --block each" + resumes,
				Flags: estimateFlags(
					&cli.IntFlag{Name: "vectors", Value: traceVectors, Usage: "multiply `K` random vectors of each model at a time; by hutch++ each of them has a sketch of its own", DefaultText: fmt.Sprintf("%d; by hutch++ 1", traceVectors)},
					&cli.IntFlag{Name: "rounds", Value: traceRounds, Usage: "multiply `N` times: a trace takes vectors times rounds products", DefaultText: fmt.Sprintf("%d; by hutch++ %d", traceRounds, traceVectors*traceRounds)},
					&cli.StringFlag{Name: "method", Value: probe.Hutchinson, Usage: "`METHOD`: " + strings.Join(probe.Estimators(), " or ")},
					&cli.BoolFlag{Name: "diagonal", Usage: "also write the diagonal to -o"},
					&cli.StringFlag{Name: "o", Usage: "write the diagonal to `FILE.npy`, f32 [points, models, D] without axes of one"},
					&cli.StringFlag{Name: "errors", Usage: "write the diagonal's standard errors to `FILE.npy`, like -o"}),
				Action: func(c *cli.Context) error { return estimate(c, probe.Trace) },
			},
		},
	}
}

// cardCells are the cells of a card, or of the sweep in a folder with its results; name is the card's.
func cardCells(c *cli.Context, path string) (name string, cells []sweep.Cell, recorded map[string]sweep.Result, err error) {
	source := data.Source{Dir: c.String("data")}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if c.IsSet("set") {
			return "", nil, nil, fmt.Errorf("--set changes a card; %s is a sweep, whose card is what it was", path)
		}
		card, cells, recorded, err := sweep.Ended(path, source)
		if err != nil {
			return "", nil, nil, err
		}
		return card.Name, cells, recorded, nil
	}
	card, err := sweep.LoadCard(path)
	if err != nil {
		return "", nil, nil, err
	}
	for _, s := range c.StringSlice("set") {
		if err := card.Set(s); err != nil {
			return "", nil, nil, err
		}
	}
	card.Data = source
	cells, err = card.Cells()
	return card.Name, cells, nil, err
}

// chosenCells are those that --cell names.
func chosenCells(c *cli.Context, all []sweep.Cell) (cells []sweep.Cell, err error) {
	if c.String("cell") == "all" {
		return all, nil
	}
	seen := map[int]bool{}
	for _, word := range strings.Split(c.String("cell"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		switch {
		case err != nil || n < 0 || n >= len(all):
			return nil, fmt.Errorf("--cell %s: the card has %d cells; want numbers of 0 to %d with commas between them, or all", c.String("cell"), len(all), len(all)-1)
		case seen[n]:
			return nil, fmt.Errorf("--cell %s: cell %d is named twice", c.String("cell"), n)
		}
		seen[n] = true
		cells = append(cells, all[n])
	}
	return cells, nil
}

// matrixOf reads the flags of matrixFlags, but --params.
func matrixOf(c *cli.Context, cells []sweep.Cell) (m probe.Matrix, err error) {
	for _, name := range []string{"rows", "batch", "subspace"} {
		if c.IsSet(name) && c.Int(name) < 1 {
			return m, fmt.Errorf("--%s %d: want at least 1", name, c.Int(name))
		}
	}
	m = probe.Matrix{Kind: curvature.Kind(c.String("kind")), Rows: c.Int("rows"), Batch: c.Int("batch"), Subspace: c.Int("subspace"), Seed: c.Uint64("seed")}
	m.Cells, err = chosenCells(c, cells)
	return m, err
}

// paramsOf reads --params; nil where it is not given.
func paramsOf(c *cli.Context, cells []sweep.Cell) (all [][]float32, err error) {
	path := c.String("params")
	if !c.IsSet("params") {
		return nil, nil
	}
	if len(cells) != 1 {
		return nil, fmt.Errorf("--params with %d cells: parameters have the model of one; name it by --cell", len(cells))
	}
	D := cells[0].Model.D()
	p, err := data.ReadNPY(path)
	if err != nil {
		return nil, err
	}
	models := 1
	if p.Rank == 2 {
		models = p.At(0)
	}
	if p.DType != op.F32 || p.Rank < 1 || p.Rank > 2 || p.At(int(p.Rank)-1) != D || models < 1 {
		return nil, fmt.Errorf("%s: %s; the model of cell (%s) wants parameters f32[%d], or f32[models, %d]", path, shapeOf(p), cells[0].Name(), D, D)
	}
	if err := probe.Finite(path, p.F()); err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(p.F(), D)), nil
}

// shapeOf is the type of what a file holds, as in f32[3, 4].
func shapeOf(t op.Tensor) string {
	return fmt.Sprintf("%s[%s]", t.DType, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(t.Dims()), "[]")), ", "))
}

func estimate(c *cli.Context, method string) error {
	if c.NArg() != 1 || c.Args().First() == "" {
		return fmt.Errorf("curvature %s takes one card, or the folder of a sweep; got %d arguments", method, c.NArg())
	}
	e, how, err := estimationOf(c, method)
	if err != nil {
		return err
	}
	if how.Engine, err = engineOf(c); err != nil {
		return err
	}
	defer how.Engine.Close()
	gauge := newGauge(os.Stderr)
	how.Progress = gauge.tell
	r, err := probe.Run(c.Context, e, how)
	gauge.Close()
	var none *probe.NoResult
	if err != nil && !errors.As(err, &none) {
		return err
	}
	if c.Bool("json") {
		err = errors.Join(json.NewEncoder(c.App.Writer).Encode(r), err)
	} else {
		err = errors.Join(printResults(c.App.Writer, r), err)
	}
	if e.Diagonal && none == nil { // after what was estimated beside it, which a file that cannot be written must not cost
		err = errors.Join(err, r.WriteDiagonals(c.String("o"), c.String("errors")))
	}
	if e.Eigenvectors && none == nil {
		err = errors.Join(err, r.WriteEigenvectors(c.String("o")))
	}
	return err
}

// estimationOf reads the flags of estimateFlags.
func estimationOf(c *cli.Context, method string) (e *probe.Estimation, how probe.How, err error) {
	switch {
	case c.IsSet("out") && c.String("out") == "":
		return nil, how, errors.New("--out names no folder")
	case c.String("out") == "" && (c.Bool("resume") || c.IsSet("checkpoint")):
		return nil, how, errors.New("--resume and --checkpoint need --out DIR: without it nothing is kept")
	case c.Duration("checkpoint") <= 0:
		return nil, how, fmt.Errorf("--checkpoint %s: want more than no time", c.Duration("checkpoint"))
	case method == probe.Trace && c.Bool("diagonal") != (c.String("o") != ""):
		return nil, how, errors.New("--diagonal and -o FILE.npy belong together")
	case method == probe.Spectrum && c.Bool("eigenvectors") != (c.String("o") != ""):
		return nil, how, errors.New("--eigenvectors and -o FILE.npy belong together")
	case c.IsSet("errors") && (!c.Bool("diagonal") || c.String("errors") == ""):
		return nil, how, errors.New("--errors FILE.npy goes with --diagonal and -o")
	case c.IsSet("params") && c.IsSet("at"):
		return nil, how, errors.New("--at with --params: given parameters are of no training")
	case c.IsSet("c") && !(c.Float64("c") > 0):
		return nil, how, fmt.Errorf("-c %v: want above 0", c.Float64("c"))
	}
	for _, name := range []string{"steps", "vectors", "rounds"} {
		if c.IsSet(name) && c.Int(name) < 1 {
			return nil, how, fmt.Errorf("--%s %d: want at least 1", name, c.Int(name))
		}
	}
	for _, name := range []string{"top", "bottom"} {
		if c.Int(name) < 0 {
			return nil, how, fmt.Errorf("--%s %d: want 0 or more", name, c.Int(name))
		}
	}
	if method == probe.Spectrum && c.Int("top") == 0 && c.Int("bottom") == 0 {
		return nil, how, errors.New("--top 0 with --bottom 0: want at least one eigenvalue")
	}
	card, cells, recorded, err := cardCells(c, c.Args().First())
	if err != nil {
		return nil, how, err
	}
	m, err := matrixOf(c, cells)
	if err != nil {
		return nil, how, err
	}
	e = &probe.Estimation{Matrix: m, Method: method, Block: c.String("block"), Steps: c.Int("steps"), Vectors: max(1, c.Int("vectors")), Rounds: c.Int("rounds"),
		Estimator: c.String("method"), Diagonal: c.Bool("diagonal"), Eigenvectors: c.Bool("eigenvectors"),
		View: probe.View{Top: c.Int("top"), Bottom: c.Int("bottom"), Sigma: c.Float64("sigma"), C: c.Float64("c")}}
	if method == probe.Trace && e.Estimator == probe.HutchPlus {
		if !c.IsSet("vectors") {
			e.Vectors = 1
		}
		if !c.IsSet("rounds") {
			e.Rounds = max(traceRounds, traceVectors*traceRounds/e.Vectors)
		}
	}
	if e.Params, err = paramsOf(c, m.Cells); err != nil {
		return nil, how, err
	}
	if e.Params == nil {
		if e.Points, err = probe.ParsePoints(c.String("at"), m.Cells); err != nil {
			return nil, how, fmt.Errorf("--at: %w", err)
		}
		for _, cell := range m.Cells {
			if _, ok := recorded[cell.ID()]; recorded != nil && !ok {
				return nil, how, fmt.Errorf("cell (%s) has no result in %s yet; sweep run --resume ends it", cell.Name(), c.Args().First())
			}
		}
	}
	how = probe.How{Dir: c.String("out"), Resume: c.Bool("resume"), Checkpoint: c.Duration("checkpoint"), Recorded: recorded,
		Page: func(w io.Writer, r *probe.Results) error { return report.WriteCurvature(w, card, r) }}
	if err := writable(c, "o", "errors"); err != nil {
		return nil, how, err
	}
	return e, how, e.Check()
}

// writable tells whether the files of flags can be written when all has been computed, as far as that can be told before, and are none that the command
// reads, nor one of the others.
func writable(c *cli.Context, flags ...string) error {
	reads := []string{"card", "params", "inputs", "labels", "vector"}
	dashed := func(name string) string {
		if len(name) == 1 {
			return "-" + name
		}
		return "--" + name
	}
	for i, name := range flags {
		path := c.String(name)
		if path == "" {
			continue
		}
		if err := hasFolder(dashed(name), path); err != nil {
			return err
		}
		for _, other := range reads {
			if c.String(other) != "" && sameFile(path, c.String(other)) {
				return fmt.Errorf("%s %s is what --%s reads: want another file", dashed(name), path, other)
			}
		}
		if card := c.Args().First(); card != "" && sameFile(path, card) {
			return fmt.Errorf("%s %s is the card: want another file", dashed(name), path)
		}
		for _, other := range flags[:i] {
			if c.String(other) != "" && sameFile(path, c.String(other)) {
				return fmt.Errorf("%s and %s are both %s: want two files", dashed(other), dashed(name), path)
			}
		}
	}
	return nil
}

// sameFile tells whether two paths are of one file, which may not be there yet.
func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(x, y)
	}
	if errA == nil || errB == nil || filepath.Base(a) != filepath.Base(b) {
		return false
	}
	x, errA = os.Stat(filepath.Dir(a))
	y, errB = os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// hasFolder tells whether a file can be written at a flag's path when all has been computed, as far as that can be told before; "": no file.
func hasFolder(flag, path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, err)
	}
	return nil
}
