package probe

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"lockstep/analysis/curvature"
	"lockstep/internal/build"
	"lockstep/op"
	"lockstep/sweep"
)

// declared is what a unit declares of a model: bits that every engine gives.
type declared struct {
	Processes []process   `json:"processes,omitempty"` // of each random vector
	Samples   []sweep.Hex `json:"samples,omitempty"`   // quadratic forms of the random vectors
	Parts     []part      `json:"parts,omitempty"`     // of each of Hutch++'s cells
	Sums      string      `json:"sums,omitempty"`      // digest of the sums that a diagonal is made of
	// Derived of these: the diagonal and its standard errors, float32 little endian.
	Diagonal []byte `json:"diagonal,omitempty"`
	Errors   []byte `json:"diagonal_errors,omitempty"`
	// And eigenvectors, float32 little endian, and their residuals, null where not finite: of the largest eigenvalues, and then of the smallest.
	Eigenvectors []byte     `json:"eigenvectors,omitempty"`
	Residuals    []*float64 `json:"residuals,omitempty"`
}

// process is a curvature.Tridiagonal.
type process struct {
	Alpha []sweep.Hex `json:"alpha"`
	Beta  []sweep.Hex `json:"beta"`
	Scale sweep.Hex   `json:"scale"`
}

// part is a curvature.PlusPlus.
type part struct {
	Known   sweep.Hex   `json:"known"`
	Samples []sweep.Hex `json:"samples"`
}

// unit is what a unit gave: what a folder keeps.
type unit struct {
	At     string     `json:"at"`
	Block  string     `json:"block"`
	Size   int        `json:"size"`
	Models []declared `json:"models"`
}

// Results are what an estimation gave.
type Results struct {
	Identity    Identity     `json:"estimation"`
	Conventions []string     `json:"conventions"`
	Models      []ModelName  `json:"models"`
	Points      []Snapshot   `json:"points"`
	Compared    string       `json:"compared,omitempty"`
	View        View         `json:"view"`
	Units       []UnitResult `json:"units"`
	Digest      string       `json:"digest"` // curvature.Digest over all that is declared
	Build       string       `json:"build"`  // of lockstep, that made this file

	parts    []curvature.Declared
	diverged map[string][]error // by point: of each model, what is wrong with its parameters
}

// ModelName tells which cell a model is.
type ModelName struct {
	Cell string `json:"cell"`
	ID   string `json:"id"`
	Seed uint64 `json:"seed"`
	D    int    `json:"parameters"`
}

// UnitResult is what a matrix of all models gave.
type UnitResult struct {
	At     string        `json:"at"`
	Block  string        `json:"block,omitempty"` // "": all parameters
	Size   int           `json:"size"`            // of the matrix
	T      int           `json:"lanczos_steps,omitempty"`
	Models []ModelResult `json:"models"`
}

// ModelResult is what it gave of one model: what is declared, and what float64 arithmetic makes of it.
type ModelResult struct {
	Declared  declared     `json:"declared"`
	Top       []Eigenvalue `json:"top,omitempty"`    // the largest first
	Bottom    []Eigenvalue `json:"bottom,omitempty"` // the smallest first
	Density   *DensityOf   `json:"density,omitempty"`
	Effective *Mean        `json:"effective_dimension,omitempty"`
	Trace     *Mean        `json:"trace,omitempty"`
	Problem   string       `json:"problem,omitempty"` // why there is none of these: of this model, which says nothing of the others
}

// Eigenvalue is a Ritz value, and how far from it an eigenvalue is at most, as far as that is known: as curvature.Ritz has it, and, of a model that knows its rows,
// by how much its products may be off.
type Eigenvalue struct {
	Value float64 `json:"value"`
	Error float64 `json:"error"`
	// Residual is that of its vector, see curvature.Eigenpair, where vectors are asked for.
	Residual *float64 `json:"residual,omitempty"`
}

// DensityOf is a curvature.Density.
type DensityOf struct {
	At    []float64  `json:"at"`
	Phi   []float64  `json:"phi"`
	Error []*float64 `json:"standard_error"` // null of one process
	Sigma float64    `json:"sigma"`
}

// Mean is a curvature.Estimate with its interval; null where one sample tells nothing.
type Mean struct {
	Mean    float64  `json:"mean"`
	Error   *float64 `json:"standard_error"`
	Lo      *float64 `json:"lo95"`
	Hi      *float64 `json:"hi95"`
	Samples int      `json:"samples"`
	// Of a curvature.Quadrature: means of what each vector's value is at least and at most, as quadrature and products leave it. The interval holds both.
	Least *float64 `json:"quadrature_lo,omitempty"`
	Most  *float64 `json:"quadrature_hi,omitempty"`
}

func newResults(e *Estimation, t trained) *Results {
	r := &Results{Identity: e.identity(), Conventions: e.Conventions(e.Block), Points: t.Snapshots, Compared: t.Compared, View: e.View, Build: build.Stamp()}
	models := len(e.Cells)
	if e.Params != nil {
		models = len(e.Params)
	}
	for m := range models {
		c := e.Cells[0]
		if e.Params == nil {
			c = e.Cells[m]
		}
		r.Models = append(r.Models, ModelName{c.Name(), c.ID(), c.Seed, c.Model.D()})
	}
	r.diverged = map[string][]error{}
	r.parts = []curvature.Declared{{Name: string(r.Identity.canonical())}}
	for _, s := range t.Snapshots {
		for m, theta := range s.Theta {
			if err := Finite("its parameters", theta); err != nil {
				if r.diverged[s.At] == nil {
					r.diverged[s.At] = make([]error, len(s.Theta))
				}
				r.diverged[s.At][m] = err
			}
		}
		for _, h := range s.Hash {
			r.parts = append(r.parts, curvature.Declared{Name: "parameters at " + s.At + ": " + h})
		}
	}
	return r
}

// add takes up a unit, and derives what is for reading. A model that gives nothing, such as one whose training diverged, has a Problem.
func (r *Results) add(e *Estimation, u unit) error {
	if len(u.Models) != len(r.Models) {
		return fmt.Errorf("at %s, %s: results of %d models; want %d", u.At, blockName(u.Block), len(u.Models), len(r.Models))
	}
	out := UnitResult{At: u.At, Block: u.Block, Size: u.Size, Models: make([]ModelResult, len(u.Models))}
	for m, d := range u.Models {
		x := ModelResult{Declared: d}
		var err error
		switch e.Method {
		case Spectrum, Density:
			out.T, err = e.deriveRitz(&x, u.Size, r.fitted(e, u.At, m))
		default:
			x.Trace, err = d.trace()
		}
		if at := r.diverged[u.At]; at != nil && at[m] != nil {
			err = at[m]
		}
		if err != nil {
			x = ModelResult{Declared: d, Problem: err.Error()}
		}
		out.Models[m] = x
		r.parts = append(r.parts, d.parts(fmt.Sprintf("at %s, block %q, model %d", u.At, u.Block, m))...)
	}
	r.Units = append(r.Units, out)
	return nil
}

// Problems are what models have instead of results, and how many matrices have results.
func (r *Results) Problems() (all []string, fine int) {
	for _, u := range r.Units {
		for m, x := range u.Models {
			if x.Problem == "" {
				fine++
				continue
			}
			all = append(all, fmt.Sprintf("%s at %s, %s: %s", r.Who(m), u.At, blockName(u.Block), x.Problem))
		}
	}
	return all, fine
}

func (r *Results) finish() { r.Digest = curvature.Digest(r.parts...) }

// parts are what a digest is made of.
func (d declared) parts(name string) (all []curvature.Declared) {
	add := func(what string, x []float32) {
		all = append(all, curvature.Declared{Name: name + ": " + what, Values: x})
	}
	for i, p := range d.Processes {
		add(fmt.Sprintf("alpha %d", i), floats(p.Alpha))
		add(fmt.Sprintf("beta %d", i), floats(p.Beta))
	}
	for i, p := range d.Parts {
		add(fmt.Sprintf("known %d", i), []float32{float32(p.Known)})
		add(fmt.Sprintf("rest %d", i), floats(p.Samples))
	}
	if d.Samples != nil {
		add("samples", floats(d.Samples))
	}
	if d.Sums != "" {
		add("sums "+d.Sums, nil)
	}
	return all
}

// fitted is how far products of a model at a point may be off besides rounding, in units of the matrix: see curvature.Inexact.
func (r *Results) fitted(e *Estimation, at string, m int) float64 {
	for _, s := range r.Points {
		if s.At == at && m < len(s.Loss) && s.Loss[m] != nil {
			return curvature.Inexact(e.Cells[0].Loss(), e.Kind, *s.Loss[m])
		}
	}
	return 0
}

// deriveRitz makes eigenvalues, or a density, of the processes; fitted is how far products are off besides rounding. It tells the size of T.
func (e *Estimation) deriveRitz(x *ModelResult, size int, fitted float64) (steps int, err error) {
	var all []curvature.Tridiagonal
	for _, p := range x.Declared.Processes {
		all = append(all, curvature.Tridiagonal{Alpha: floats(p.Alpha), Beta: floats(p.Beta), Scale: float32(p.Scale)})
		steps = len(p.Alpha)
	}
	if e.Method == Density {
		d, err := curvature.NewDensity(all, e.View.At, e.View.Sigma)
		if err != nil {
			return steps, err
		}
		x.Density = &DensityOf{At: d.At, Phi: d.Phi, Sigma: d.Sigma}
		for _, v := range d.Error {
			x.Density.Error = append(x.Density.Error, finite(v))
		}
		if e.View.C > 0 {
			q, err := curvature.EffectiveDimension(all, size, e.Kind.Semidefinite(), fitted, e.View.C)
			if err != nil {
				return steps, err
			}
			x.Effective = quadratureOf(q)
		}
		return steps, nil
	}
	ritz, err := all[0].Ritz()
	for i := range ritz {
		ritz[i].Error += fitted * float64(all[0].Scale)
	}
	for i := range min(e.View.Top, len(ritz)) {
		x.Top = append(x.Top, Eigenvalue{ritz[i].Value, ritz[i].Error, x.Declared.residual(i)})
	}
	for i := range min(e.View.Bottom, len(ritz)) {
		v := ritz[len(ritz)-1-i]
		x.Bottom = append(x.Bottom, Eigenvalue{v.Value, v.Error, x.Declared.residual(len(x.Top) + i)})
	}
	return steps, err
}

// residual is that of the i-th eigenvector; nil where there is none.
func (d declared) residual(i int) *float64 {
	if i < len(d.Residuals) {
		return d.Residuals[i]
	}
	return nil
}

// trace estimates it of the samples.
func (d declared) trace() (*Mean, error) {
	var e curvature.Estimate
	if d.Parts == nil {
		e = curvature.Samples(floats(d.Samples)).Estimate()
	} else {
		var each curvature.Estimates
		for _, p := range d.Parts {
			each = append(each, curvature.PlusPlus{Known: float32(p.Known), Samples: floats(p.Samples)})
		}
		if err := each.Check(); err != nil {
			return nil, err
		}
		e = each.Estimate()
	}
	if finite(e.Mean) == nil {
		return nil, fmt.Errorf("its trace is %v: the products were not finite", e.Mean)
	}
	return meanOf(e), nil
}

func meanOf(e curvature.Estimate) *Mean {
	lo, hi := e.Interval(0.95)
	return &Mean{Mean: e.Mean, Error: finite(e.Error), Lo: finite(lo), Hi: finite(hi), Samples: e.Samples}
}

func quadratureOf(q curvature.Quadrature) *Mean {
	m := meanOf(q.Estimate)
	lo, hi := q.Interval(0.95)
	m.Lo, m.Hi, m.Least, m.Most = finite(lo), finite(hi), finite(q.Least.Mean), finite(q.Most.Mean)
	return m
}

// finite is x, or nil where JSON has no number for it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func blockName(block string) string {
	if block == wholeOfModel {
		return "all parameters"
	}
	return "block " + block
}

func hexes(x []float32) []sweep.Hex {
	h := make([]sweep.Hex, len(x))
	for i, v := range x {
		h[i] = sweep.Hex(v)
	}
	return h
}

func floats(h []sweep.Hex) []float32 {
	x := make([]float32, len(h))
	for i, v := range h {
		x[i] = float32(v)
	}
	return x
}

// narrow rounds to float32, little endian.
func narrow(x []float64) []byte {
	t := op.New(op.T(op.F32, op.Shared, len(x)))
	for i, v := range x {
		t.SetF(i, float32(v))
	}
	return op.Bytes(t.W)
}

// WriteCSV writes a table: a row for each eigenvalue, point of a density, or trace; and one for each model that has a problem instead.
func (r *Results) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	maybe := func(x *float64) string {
		if x == nil {
			return ""
		}
		return number(*x)
	}
	own := map[string][]string{
		Spectrum: {"end", "rank", "eigenvalue", "error", "residual"},
		Density:  {"eigenvalue", "density", "standard_error", "effective_dimension", "effective_standard_error", "effective_quadrature_lo", "effective_quadrature_hi", "effective_lo95", "effective_hi95"},
		Trace:    {"samples", "trace", "standard_error", "lo95", "hi95"},
	}[r.Identity.Method]
	c.Write(slices.Concat([]string{"cell", "id", "at", "steps", "block", "size"}, own, []string{"problem"}))
	steps := map[string][]int{}
	for _, s := range r.Points {
		steps[s.At] = s.Steps
	}
	for _, u := range r.Units {
		for m, x := range u.Models {
			row := func(further ...string) {
				further = append(further, make([]string, len(own)-len(further))...)
				c.Write(slices.Concat([]string{r.Models[m].Cell, r.Models[m].ID, u.At, strconv.Itoa(steps[u.At][m]), u.Block, strconv.Itoa(u.Size)}, further, []string{x.Problem}))
			}
			if x.Problem != "" {
				row()
			}
			for i, v := range x.Top {
				row("top", strconv.Itoa(i+1), number(v.Value), number(v.Error), maybe(v.Residual))
			}
			for i, v := range x.Bottom {
				row("bottom", strconv.Itoa(i+1), number(v.Value), number(v.Error), maybe(v.Residual))
			}
			if d := x.Density; d != nil {
				var effective []string
				if e := x.Effective; e != nil { // of the density, and so in each of its rows
					effective = []string{number(e.Mean), maybe(e.Error), maybe(e.Least), maybe(e.Most), maybe(e.Lo), maybe(e.Hi)}
				}
				for i := range d.At {
					row(append([]string{number(d.At[i]), number(d.Phi[i]), maybe(d.Error[i])}, effective...)...)
				}
			}
			if t := x.Trace; t != nil {
				row(strconv.Itoa(t.Samples), number(t.Mean), maybe(t.Error), maybe(t.Lo), maybe(t.Hi))
			}
		}
	}
	c.Flush()
	return c.Error()
}

// Meaning says in words what errors and intervals tell, and what they do not.
func (r *Results) Meaning() []string {
	switch r.Identity.Method {
	case Spectrum:
		return []string{
			"within its error of a value there is an eigenvalue of the matrix, as far as float32 products give that: errors hold what Lanczos leaves, and an estimate of how exact products are, which is too small where rows are surely wrong, or where the whole matrix of a block is rounding; values are float64, of declared tridiagonal matrices T",
			"ranks are those of T's values: an eigenvalue of multiplicity k comes k times, and the inner ones come at all, only if T is large enough, so more --steps may put others between them",
		}
	case Density:
		all := []string{
			"bands of a density tell the spread over the random vectors; how far T is from the matrix, which more --steps tell, is no part of them; values are float64, of declared tridiagonal matrices T",
		}
		if r.View.C == 0 {
			return all
		}
		by := "the matrix may have eigenvalues of both signs, so they are by the inequalities of Chebyshev, Markov and Stieltjes, which more --steps close slowly"
		if curvature.Kind(r.Identity.Kind).Semidefinite() {
			by = "the matrix has no negative eigenvalues, so they are by the rules of Gauss and Radau and of Gauss, which more --steps close fast"
		}
		return append(all, "intervals of the effective dimension hold the spread over the random vectors, the error of the quadrature and that of products: Student's t, from the vectors' lower bounds to their upper ones; "+by)
	}
	return []string{"estimates are float64, of declared quadratic forms; intervals are Student's t, of the spread over the random vectors"}
}

// Who tells which model it is, as short as it may be among the others.
func (r *Results) Who(m int) string {
	who := r.Models[m].Cell
	if r.Identity.Params != nil {
		who = fmt.Sprintf("parameters %d", m)
	}
	return who
}

// Samples are the quadratic forms of the random vectors of Hutchinson's estimator.
func (x *ModelResult) Samples() []float32 { return floats(x.Declared.Samples) }

// Least is the smallest Ritz value of all processes, Greatest the largest: curvature.NewDensity goes four deviations beyond.
func (d *DensityOf) Least() float64 { return d.At[0] + 4*d.Sigma }

// Greatest: see Least.
func (d *DensityOf) Greatest() float64 { return d.At[len(d.At)-1] - 4*d.Sigma }
