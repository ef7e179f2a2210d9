package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	"lockstep/analysis/curvature"
	"lockstep/graph"
	"lockstep/internal/nearest"
	"lockstep/model"
	"lockstep/op"
	"lockstep/sweep"
)

// The methods of estimation.
const (
	Spectrum = "spectrum" // Lanczos from one random vector of each model
	Density  = "density"  // stochastic Lanczos quadrature
	Trace    = "trace"
)

// The estimators of a trace.
const (
	Hutchinson   = "hutchinson"
	HutchPlus    = "hutch++"
	EachBlock    = "each" // in place of a block: all of them, one after the other
	sketchParts  = 3      // of the products of Hutch++ one part makes the sketch, one is in it, and the rest beside it (Meyer et al. 2021, algorithm 1)
	wholeOfModel = ""     // the block that is all parameters
)

// Estimators lists the estimators of a trace.
func Estimators() []string { return []string{Hutchinson, HutchPlus} }

// Estimation is what is to be estimated, and how.
type Estimation struct {
	Matrix
	Method string
	Points []Point
	Params [][]float32 // [models][D] in place of trainings; nil: the cells are trained
	Block  string      // "", a name of model.Spec.Blocks, or EachBlock

	Steps     int    // of Lanczos: the size of T, at most that of the matrix
	Vectors   int    // random vectors at a time, for each model
	Rounds    int    // products with each of them, of a trace
	Estimator string // of a trace
	Diagonal  bool   // also the diagonal

	Eigenvectors bool // of the eigenvalues that View tells, of a spectrum

	View View
}

// View is what is made of declared results for reading. It is no part of what an estimation is: another look at the same results.
type View struct {
	Top    int     `json:"top"`    // eigenvalues to tell, from above
	Bottom int     `json:"bottom"` // and from below
	Sigma  float64 `json:"sigma"`  // of a density, as a share of its width
	C      float64 `json:"c"`      // of the effective dimension; 0: there is none
	At     int     `json:"points"` // of a density; Check settles it
}

// How an estimation runs, never what it gives.
type How struct {
	Engine     graph.Engine
	Dir        string // keeps what it gives; "": nothing is kept
	Resume     bool   // goes on with what Dir holds
	Checkpoint time.Duration
	Recorded   map[string]sweep.Result             // of a finished sweep, by identity: see train
	Progress   func(what string, done, of int)     // may be nil
	Page       func(w io.Writer, r *Results) error // writes PageFile; needed where Dir is
}

// unitPlan is a matrix of all models at once.
type unitPlan struct {
	point int
	block *model.Block
	size  int
	steps int // of the estimator's loop
}

const (
	leastSigma  = 1e-4 // the narrowest smoothing of a density
	leastPoints = 600  // at which one is told
	eachSigma   = 4    // points for each standard deviation, at least, so that they hold all of it
)

// Check tells what is wrong, and settles what is left open.
func (e *Estimation) Check() error {
	if err := e.Matrix.Check(); err != nil {
		return err
	}
	if e.Params != nil {
		e.Points = []Point{{Given, -1}}
	}
	if len(e.Points) == 0 {
		return errors.New("no steps of the trainings; want at least one")
	}
	switch {
	case e.Method != Trace && e.Steps < 1:
		return fmt.Errorf("%d Lanczos steps; want at least 1", e.Steps)
	case e.Vectors < 1:
		return fmt.Errorf("%d vectors; want at least 1", e.Vectors)
	case e.Method != Trace:
	case e.Estimator != Hutchinson && e.Estimator != HutchPlus:
		return nearest.Unknown("method", e.Estimator, Estimators())
	case e.Rounds < 1 || e.Estimator == HutchPlus && e.Rounds < sketchParts:
		return fmt.Errorf("%d rounds; want at least 1, and of %s at least %d, a third of which make its sketch", e.Rounds, HutchPlus, sketchParts)
	case e.Diagonal && e.Estimator != Hutchinson:
		return fmt.Errorf("a diagonal by %s; it is estimated by %s alone", e.Estimator, Hutchinson)
	case e.Diagonal && e.Block == EachBlock:
		return errors.New("a diagonal of each block: that of the whole has all blocks' in it; leave the blocks out")
	}
	if e.Eigenvectors && (e.Method != Spectrum || e.Vectors != 1 || e.View.Top < 0 || e.View.Bottom < 0) {
		return errors.New("eigenvectors are those of a spectrum, of one vector and of no fewer than 0 eigenvalues from above and below")
	}
	if e.Eigenvectors && e.Block == EachBlock {
		return errors.New("eigenvectors of each block, which are of different sizes; want one block, or the whole")
	}
	if e.Method == Density {
		if !(e.View.Sigma >= leastSigma && e.View.Sigma <= 1) {
			return fmt.Errorf("sigma %v; want %v to 1, as a share of the spectrum's width", e.View.Sigma, leastSigma)
		}
		e.View.At = max(leastPoints, int(math.Ceil(eachSigma*(1/e.View.Sigma+8))))
	}
	if !(e.View.C >= 0) || math.IsInf(e.View.C, 0) {
		return fmt.Errorf("an effective dimension at c = %v; want above 0, and finite", e.View.C)
	}
	units, err := e.units()
	if err != nil {
		return err
	}
	if k, m := e.View.Top+e.View.Bottom, units[0].steps; e.Eigenvectors && k > m {
		return fmt.Errorf("eigenvectors of %d eigenvalues, top and bottom, of a T of %d steps; want at most as many", k, m)
	}
	o := e.Objective(e.Params, nil)
	if o.Theta == nil {
		o.Theta = [][]float32{make([]float32, o.Model.D())}
	}
	return o.Check()
}

// units plans what there is to do: point by point, and block by block.
func (e *Estimation) units() (all []unitPlan, err error) {
	blocks := []string{e.Block}
	if e.Block == EachBlock {
		if e.Subspace != 0 {
			return nil, errors.New("a block and a subspace at once; want one of them")
		}
		blocks = nil
		for _, b := range e.Cells[0].Model.Blocks() {
			blocks = append(blocks, b.Name)
		}
	}
	for i := range e.Points {
		for _, name := range blocks {
			b, err := e.Matrix.Block(name)
			if err != nil {
				return nil, err
			}
			u := unitPlan{point: i, block: b, size: e.Size(b)}
			switch {
			case e.Method != Trace:
				u.steps = min(e.Steps, u.size)
			case e.Estimator == HutchPlus:
				sketch, rest := e.thirds(u.size)
				u.steps = 2*sketch + rest
			default:
				u.steps = e.Rounds
			}
			all = append(all, u)
		}
	}
	return all, nil
}

// thirds are the sizes of a sketch and of the rest of Hutch++.
func (e *Estimation) thirds(size int) (sketch, rest int) {
	sketch = min(e.Rounds/sketchParts, size)
	return sketch, e.Rounds - 2*sketch
}

func (u unitPlan) name() string {
	if u.block == nil {
		return wholeOfModel
	}
	return u.block.Name
}

// NoResult is the error of an estimation in which no matrix of any model has a result.
type NoResult struct {
	Problems []string // of all matrices, see Results.Problems
	Dir      string   // has the files of such results all the same; "": none was asked for
}

func (e *NoResult) Error() string {
	text := fmt.Sprintf("no matrix gave a result: %s", e.Problems[0])
	if n := len(e.Problems) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	if e.Dir != "" {
		text += fmt.Sprintf("; %s tells of all", filepath.Join(e.Dir, ResultsFile))
	}
	return text
}

// Run estimates. Stopped or killed it goes on in its folder, to the same digest. Where it has come to its end but no matrix has a result, there are both results,
// which say why, and a NoResult.
func Run(ctx context.Context, e *Estimation, how How) (r *Results, err error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	units, err := e.units()
	if err != nil {
		return nil, err
	}
	told := how.Progress
	if told == nil {
		told = func(string, int, int) {}
	}
	var f *folder
	if how.Dir != "" {
		if f, err = openFolder(how.Dir, e.identity(), len(units), how.Resume); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if err := e.fits(how.Engine, units, f); err != nil { // before anything is trained
		return nil, err
	}
	t, err := e.snapshots(ctx, f, how, func(done, of int) { told("training", done, of) })
	if err != nil {
		return nil, f.stopped(err)
	}
	if err := e.losses(ctx, how.Engine, t.Snapshots); err != nil {
		return nil, f.stopped(err)
	}
	r = newResults(e, t)
	total, before := 0, 0
	for _, u := range units {
		total += u.steps
	}
	for i, u := range units {
		unit, err := e.unit(ctx, f, how, i, u, t.Snapshots[u.point], func(done int) { told(e.Method, before+done, total) })
		if err != nil {
			return nil, f.stopped(err)
		}
		before += u.steps
		if err := r.add(e, unit); err != nil {
			return nil, err
		}
	}
	r.finish()
	if f != nil {
		if err := f.finish(r, how.Page); err != nil {
			return nil, err
		}
	}
	if problems, fine := r.Problems(); fine == 0 {
		return r, &NoResult{problems, how.Dir}
	}
	return r, nil
}

// losses measures those of the models at each point, over the rows of the matrix.
func (e *Estimation) losses(ctx context.Context, engine graph.Engine, all []Snapshot) error {
	for i := range all {
		o := e.Objective(all[i].Theta, nil)
		o.Subspace = nil
		losses, err := o.Losses(ctx, engine)
		if err != nil {
			return err
		}
		all[i].Loss = nil
		for _, x := range losses {
			all[i].Loss = append(all[i].Loss, finite(float64(x)))
		}
	}
	return nil
}

// snapshots are the models at each point: given ones, those of the folder, or trained ones.
func (e *Estimation) snapshots(ctx context.Context, f *folder, how How, told func(done, of int)) (t trained, err error) {
	if e.Params != nil {
		s := Snapshot{At: Given, Theta: e.Params}
		for range e.Params {
			s.Steps = append(s.Steps, -1)
		}
		s.hash()
		return trained{Snapshots: []Snapshot{s}}, nil
	}
	if f != nil {
		if t, ok, err := f.trained(e); ok || err != nil {
			return t, err
		}
	}
	if t, err = train(ctx, e.Cells, how.Engine, e.Points, how.Recorded, told); err != nil {
		return t, err
	}
	if f != nil {
		err = f.saveTrained(t)
	}
	return t, err
}

// unit is what unit i gives: what the folder has of it, or what is estimated now.
func (e *Estimation) unit(ctx context.Context, f *folder, how How, i int, p unitPlan, s Snapshot, told func(done int)) (u unit, err error) {
	var keep curvature.Keeper
	if f != nil {
		if u, ok := f.units[i]; ok {
			told(p.steps)
			return u, nil
		}
		keep = f.keeper(i, how.Checkpoint)
	}
	a, err := e.Objective(s.Theta, p.block).Operator()
	if err != nil {
		return u, err
	}
	session, err := curvature.New(how.Engine, a, curvature.Options{Vectors: e.Vectors, Seed: e.Seed, Keep: keep, Progress: func(done, _ int) { told(done) }})
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	u = unit{At: e.Points[p.point].Name, Block: p.name(), Size: p.size}
	if u.Models, err = e.estimate(ctx, session, p); err != nil {
		return u, err
	}
	if f != nil {
		err = f.append(i, u)
	}
	return u, err
}

// estimate runs the method, and gives what it declares of each model.
func (e *Estimation) estimate(ctx context.Context, s *curvature.Session, p unitPlan) ([]declared, error) {
	all := make([]declared, s.Models)
	switch {
	case e.Method != Trace:
		start := curvature.Normal
		if e.Method == Density {
			start = curvature.Rademacher
		}
		t, err := s.Lanczos(ctx, p.steps, start)
		for c := range t {
			all[c/s.Vectors].Processes = append(all[c/s.Vectors].Processes, process{hexes(t[c].Alpha), hexes(t[c].Beta), sweep.Hex(t[c].Scale)})
		}
		if err == nil && e.Eigenvectors {
			err = e.eigenvectors(ctx, s, t, all)
		}
		return all, err
	case e.Estimator == HutchPlus:
		sketch, rest := e.thirds(p.size)
		_, parts, err := s.HutchPlusPlus(ctx, sketch, rest)
		for m := range parts {
			for _, x := range parts[m] {
				all[m].Parts = append(all[m].Parts, part{sweep.Hex(x.Known), hexes(x.Samples)})
			}
		}
		return all, err
	case e.Diagonal:
		d, err := s.Diagonal(ctx, e.Rounds)
		for m := range d {
			all[m].Samples = hexes(d[m].Samples)
			var sums []curvature.Declared
			for v := range d[m].Sum {
				sums = append(sums, curvature.Declared{Name: "sum", Values: d[m].Sum[v]}, curvature.Declared{Name: "squares", Values: d[m].Squares[v]})
			}
			all[m].Sums = curvature.Digest(sums...)
			all[m].Diagonal, all[m].Errors = narrow(d[m].Mean), narrow(d[m].Error)
		}
		return all, err
	}
	f, err := s.Hutchinson(ctx, e.Rounds)
	for m := range f {
		all[m].Samples = hexes(f[m])
	}
	return all, err
}

// eigenvectors adds those of the outermost Ritz values of each model's process.
func (e *Estimation) eigenvectors(ctx context.Context, s *curvature.Session, t []curvature.Tridiagonal, all []declared) error {
	of := make([][]curvature.Ritz, len(t))
	for m := range t {
		ritz, err := t[m].Ritz()
		if err != nil { // the model has a problem, which is told of its eigenvalues
			v := make([]float64, len(t[m].Alpha))
			v[0] = 1
			ritz = slices.Repeat([]curvature.Ritz{{Vector: v}}, len(v))
		}
		of[m] = slices.Clone(ritz[:e.View.Top])
		for i := range e.View.Bottom {
			of[m] = append(of[m], ritz[len(ritz)-1-i])
		}
	}
	pairs, err := s.Eigenpairs(ctx, of)
	for m := range pairs {
		for _, p := range pairs[m] {
			all[m].Eigenvectors = append(all[m].Eigenvectors, op.Bytes(op.Float32s(op.S(len(p.Vector)), p.Vector...).W)...)
			all[m].Residuals = append(all[m].Residuals, finite(p.Residual))
		}
	}
	return err
}
