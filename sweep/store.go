package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// ResultsFile is the file in a sweep's folder that holds its results, one JSON object a line.
const ResultsFile = "results.jsonl"

// RunTo runs the cells and writes their results to dir, which is made if it is missing. Results are appended to
// results.jsonl.part as packs finish; when all have, the file takes its name. So a run that fails or is interrupted loses
// neither what it had finished nor the results of an earlier run.
func RunTo(ctx context.Context, dir string, cells []Cell, o Options) (results []Result, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ResultsFile)
	part, err := os.Create(path + ".part")
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := part.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = os.Rename(part.Name(), path)
		}
	}()
	w := &writer{Progress: o.Progress, file: part}
	o.Progress = w
	results, err = Run(ctx, cells, o)
	if err == nil {
		err = w.err
	}
	if err != nil {
		return results, fmt.Errorf("%w (%d of %d cells are in %s)", err, len(results), len(cells), part.Name())
	}
	return results, part.Sync()
}

// writer puts results into a file on their way to the next Progress.
type writer struct {
	Progress
	file *os.File
	err  error
}

func (w *writer) Advance(cellSteps int) {
	if w.Progress != nil {
		w.Progress.Advance(cellSteps)
	}
}

func (w *writer) Done(results []Result) {
	if w.err == nil {
		w.err = WriteResults(w.file, results...)
	}
	if w.Progress != nil {
		w.Progress.Done(results)
	}
}

// LoadResults reads the results of the sweep in dir.
func LoadResults(dir string) ([]Result, error) {
	path := filepath.Join(dir, ResultsFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no finished sweep: there is no %s in it", dir, ResultsFile)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadResults(path, f)
}

// Table lists results as text, a line each.
func Table(results []Result) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "arm\t")
	if len(results) > 0 {
		for _, a := range results[0].Axes {
			fmt.Fprintf(t, "%s\t", a.Name)
		}
	}
	fmt.Fprintln(t, "seed\tD\td\ttrain loss\ttest accuracy\tperformance\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t", r.Arm)
		if len(results[0].Axes) == len(r.Axes) {
			for _, a := range r.Axes {
				fmt.Fprintf(t, "%s\t", a.Value)
			}
		}
		accuracy := "-"
		if a := r.Derived.TestAccuracy; a != nil {
			accuracy = fmt.Sprintf("%.4f", *a)
		}
		note := ""
		if r.Declared.Diverged {
			note = fmt.Sprintf("diverged at step %d", r.Declared.Steps)
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%.4g\t%s\t%.4f\t%s\n", r.Seed, r.Params, r.D, float32(r.Declared.TrainLoss), accuracy, r.Derived.Performance, note)
	}
	t.Flush()
	return b.String()
}
