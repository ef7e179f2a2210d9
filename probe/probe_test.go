package probe

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
	"lockstep/graph"
	"lockstep/sweep"
)

const tiny = `
name = "tiny"
seeds = [1]
steps = 9
batch = 16
data = {name = "digits"}
model = {layers = [{type = "linear", out = 3}, {type = "relu"}, {type = "linear", out = 10}]}
rule = {type = "adam", lr = 0.01}
axes = {lr = [0.01, 0.02]}
`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tinyCells(t *testing.T) []sweep.Cell {
	t.Helper()
	card, err := sweep.ParseCard("tiny.toml", []byte(strings.Replace(tiny, "lr = 0.01}", `lr = "$lr"}`, 1)))
	must(t, err)
	cells, err := card.Cells()
	must(t, err)
	return cells
}

func engine(t *testing.T) graph.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{Threads: 1})
	must(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// estimation is a spectrum at three points, of 100 rows.
func estimation(t *testing.T) *Estimation {
	t.Helper()
	e := &Estimation{Matrix: Matrix{Cells: tinyCells(t), Kind: "hessian", Rows: 100}, Method: Spectrum, Steps: 6, Vectors: 1, View: View{Top: 2, Bottom: 1}}
	var err error
	e.Points, err = ParsePoints("end,0,4,9,0", e.Cells)
	must(t, err)
	if len(e.Points) != 3 || e.Points[0] != (Point{"0", 0}) || e.Points[2] != (Point{"9", 9}) {
		t.Fatalf("points %v", e.Points)
	}
	return e
}

func page(w io.Writer, r *Results) error {
	_, err := io.WriteString(w, r.Digest)
	return err
}

// stop ends a run after so many steps of its estimations.
func stop(t *testing.T, dir string, resume bool, after int) (first int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first = -1
	_, err := Run(ctx, estimation(t), How{Engine: engine(t), Dir: dir, Resume: resume, Page: page, Progress: func(what string, done, of int) {
		if what != Spectrum {
			return
		}
		if first < 0 {
			first = done
		}
		if done == after {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume goes on") {
		t.Fatalf("stopped: %v", err)
	}
	return first
}

// A run that is stopped goes on in the midst of its unit, with no unit estimated twice, and with damaged parameters trained again.
func TestResume(t *testing.T) {
	want, err := Run(t.Context(), estimation(t), How{Engine: engine(t)})
	must(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	stop(t, dir, false, 8) // two steps into the second unit
	if first := stop(t, dir, true, 10); first != 6 {
		t.Errorf("the second run began with %d steps done; want the 6 of the unit that had ended", first)
	}
	var seen []int
	trained := false
	got, err := Run(t.Context(), estimation(t), How{Engine: engine(t), Dir: dir, Resume: true, Page: page, Progress: func(what string, done, of int) {
		trained = trained || what == "training"
		seen = append(seen, done)
	}})
	must(t, err)
	if got.Digest != want.Digest {
		t.Errorf("digest %s; want %s", got.Digest, want.Digest)
	}
	if trained || !slices.Equal(seen, []int{6, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18}) {
		t.Errorf("after two stops it trained: %v, and did steps %v", trained, seen)
	}
	// What is not what it was is trained again; a line that was not finished is dropped; one that was changed is refused.
	theta := filepath.Join(dir, thetaFile("4"))
	b, err := os.ReadFile(theta)
	must(t, err)
	b[len(b)-3] ^= 1
	must(t, os.WriteFile(theta, b, 0o666))
	units := filepath.Join(dir, unitsFile)
	lines, err := os.ReadFile(units)
	must(t, err)
	must(t, os.WriteFile(units, lines[:len(lines)-20], 0o666))
	got, err = Run(t.Context(), estimation(t), How{Engine: engine(t), Dir: dir, Resume: true, Page: page})
	must(t, err)
	if again, err := os.ReadFile(units); got.Digest != want.Digest || err != nil || !bytes.Equal(again, lines) {
		t.Errorf("digest %s after damage; want %s; the units are the same: %v", got.Digest, want.Digest, bytes.Equal(again, lines))
	}
	changed := bytes.Replace(lines, []byte(`"size":235`), []byte(`"size":236`), 1)
	if bytes.Equal(changed, lines) {
		t.Fatalf("no size in %s", lines)
	}
	must(t, os.WriteFile(units, changed, 0o666))
	if _, err = Run(t.Context(), estimation(t), How{Engine: engine(t), Dir: dir, Resume: true, Page: page}); err == nil || !strings.Contains(err.Error(), "line 1, is damaged") {
		t.Errorf("a changed line: %v", err)
	}
}

// Cells come in the order in which they were asked for, whatever the order of their pack, and each is what it is alone.
func TestOrder(t *testing.T) {
	card, err := sweep.ParseCard("tiny.toml", []byte(strings.Replace(tiny, "axes = {lr = [0.01, 0.02]}", `map = {type = "ternary", d = "$d"}`+"\naxes = {d = [2, 7, 5]}", 1)))
	must(t, err)
	cells, err := card.Cells()
	must(t, err)
	points, err := ParsePoints("3,end", cells)
	must(t, err)
	none := func(int, int) {}
	all, err := train(t.Context(), cells, engine(t), points, nil, none)
	must(t, err)
	for i := range cells {
		alone, err := train(t.Context(), cells[i:i+1], engine(t), points, nil, none)
		must(t, err)
		for k, s := range alone.Snapshots {
			if together := all.Snapshots[k]; together.Hash[i] != s.Hash[0] || together.Steps[i] != points[k].Step {
				t.Errorf("cell %d at %s, after %d steps: parameters %s; alone %s", i, s.At, together.Steps[i], together.Hash[i], s.Hash[0])
			}
		}
	}
	begin, err := Beginnings(t.Context(), cells, engine(t))
	must(t, err)
	if !slices.Equal(begin[0], begin[1]) || slices.Equal(begin[0], all.Snapshots[0].Theta[0]) {
		t.Error("cells of one seed begin apart, or stay where they began")
	}
}

// A training that is not the ledger's is an error that names what differs.
func TestLedgerOfOthers(t *testing.T) {
	e := estimation(t)
	results, err := sweep.Run(t.Context(), e.Cells, sweep.Options{Engine: engine(t)})
	must(t, err)
	recorded := map[string]sweep.Result{}
	for _, r := range results {
		recorded[r.ID] = r
	}
	run := func(points string) (*Results, error) {
		e := estimation(t)
		e.Points, err = ParsePoints(points, e.Cells)
		must(t, err)
		return Run(t.Context(), e, How{Engine: engine(t), Recorded: recorded})
	}
	if r, err := run("0,end"); err != nil || !strings.Contains(r.Compared, "final training losses") {
		t.Fatalf("%v", err)
	}
	other := recorded[e.Cells[1].ID()]
	other.Declared.TrainLoss++
	recorded[other.ID] = other
	if _, err := run("end"); err == nil || !strings.Contains(err.Error(), "train_loss is ") || !strings.Contains(err.Error(), e.Cells[1].Name()) {
		t.Errorf("another loss in the ledger: %v", err)
	}
	if r, err := run("5"); err != nil || !strings.Contains(r.Compared, "first 5 steps") {
		t.Errorf("a part of the training: %v", err)
	}
	other.Declared.Losses = slices.Clone(other.Declared.Losses)
	other.Declared.Losses[3]++
	recorded[other.ID] = other
	if _, err := run("5"); err == nil || !strings.Contains(err.Error(), "losses[3] is ") {
		t.Errorf("another loss of a batch in the ledger: %v", err)
	}
}

// The digest tells apart whatever is declared, and nothing else.
func TestDigest(t *testing.T) {
	digest := func(change func(e *Estimation, s *trained, u *unit)) string {
		e := estimation(t)
		must(t, e.Check())
		hexes := []sweep.Hex{1, 2}
		s := trained{Snapshots: []Snapshot{{At: "0", Steps: []int{0, 0}, Hash: []string{"a", "b"}}}}
		u := unit{At: "0", Size: 235}
		for range 2 {
			u.Models = append(u.Models, declared{Processes: []process{{slices.Clone(hexes), slices.Clone(hexes), 2}}, Samples: slices.Clone(hexes), Parts: []part{{1, slices.Clone(hexes)}}, Sums: "x"})
		}
		change(e, &s, &u)
		r := newResults(e, s)
		must(t, r.add(e, u))
		r.finish()
		return r.Digest
	}
	same := digest(func(*Estimation, *trained, *unit) {})
	for name, change := range map[string]func(e *Estimation, s *trained, u *unit){
		"alpha":      func(_ *Estimation, _ *trained, u *unit) { u.Models[1].Processes[0].Alpha[0]++ },
		"beta":       func(_ *Estimation, _ *trained, u *unit) { u.Models[0].Processes[0].Beta[0]++ },
		"samples":    func(_ *Estimation, _ *trained, u *unit) { u.Models[1].Samples[0]++ },
		"known":      func(_ *Estimation, _ *trained, u *unit) { u.Models[1].Parts[0].Known++ },
		"rest":       func(_ *Estimation, _ *trained, u *unit) { u.Models[1].Parts[0].Samples[1]++ },
		"sums":       func(_ *Estimation, _ *trained, u *unit) { u.Models[0].Sums = "y" },
		"parameters": func(_ *Estimation, s *trained, _ *unit) { s.Snapshots[0].Hash[1] = "c" },
		"seed":       func(e *Estimation, _ *trained, _ *unit) { e.Seed++ },
		"block":      func(_ *Estimation, _ *trained, u *unit) { u.Block = "0" },
	} {
		if digest(change) == same {
			t.Errorf("with other %s the digest is the same", name)
		}
	}
	if digest(func(e *Estimation, _ *trained, u *unit) { e.View.Top, u.Models[0].Diagonal = 1, []byte{1} }) != same {
		t.Error("the digest hangs on what is derived")
	}
}

// Errors of eigenvalues hold how far the products of a model that knows its rows may be off.
func TestErrorsOfFittedModels(t *testing.T) {
	e := estimation(t)
	must(t, e.Check())
	loss := 1e-6
	u := unit{At: "0", Size: 235}
	for range 2 {
		u.Models = append(u.Models, declared{Processes: []process{{[]sweep.Hex{3, 1}, []sweep.Hex{0, 0}, 4}}})
	}
	r := newResults(e, trained{Snapshots: []Snapshot{{At: "0", Steps: []int{0, 0}, Hash: []string{"a", "b"}, Loss: []*float64{&loss, nil}}}})
	must(t, r.add(e, u))
	known, other := r.Units[0].Models[0].Top[0].Error, r.Units[0].Models[1].Top[0].Error
	if want := 4 * 20 * curvature.Fitted / loss; math.Abs(known-other-want) > 1e-9*want || !(other < want/1e4) {
		t.Errorf("errors %v of a model of loss %v, and %v of one without; want %v more", known, loss, other, want)
	}
	e.Kind = curvature.EmpiricalFisher
	if x := r.fitted(e, "0", 0); x != 0 {
		t.Errorf("of an empirical Fisher matrix, whose products do not cancel: %v", x)
	}
	// The losses are those of the rows, at each point.
	all, err := Run(t.Context(), estimation(t), How{Engine: engine(t)})
	must(t, err)
	for _, s := range all.Points {
		if len(s.Loss) != 2 || s.Loss[0] == nil || !(*s.Loss[0] > 0.1 && *s.Loss[0] < 10) {
			t.Errorf("at %s: losses %v", s.At, s.Loss)
		}
	}
	if first, last := *all.Points[0].Loss[0], *all.Points[2].Loss[0]; !(last < first) {
		t.Errorf("a loss of %v after the training; %v before", last, first)
	}
}

// The interval of an effective dimension holds what quadrature and products leave open, as far as the matrix's kind tells; the table and the conventions say so.
func TestEffectiveDimension(t *testing.T) {
	of := func(kind curvature.Kind, c float64) (*Results, *Mean) {
		e := estimation(t)
		e.Kind, e.Method, e.View = kind, Density, View{Sigma: 0.02, C: c}
		must(t, e.Check())
		u, loss := unit{At: "0", Size: 10}, 1e-6
		two := []process{{[]sweep.Hex{2}, []sweep.Hex{1}, 2}, {[]sweep.Hex{2.5}, []sweep.Hex{1}, 2.5}}
		u.Models = []declared{{Processes: two}, {Processes: two}}
		r := newResults(e, trained{Snapshots: []Snapshot{{At: "0", Steps: []int{0, 0}, Hash: []string{"a", "b"}, Loss: []*float64{nil, &loss}}}})
		must(t, r.add(e, u))
		r.finish()
		if fitted := r.Units[0].Models[1].Effective; c > 0 && kind == curvature.GaussNewton && !(*fitted.Least < *r.Units[0].Models[0].Effective.Least-0.01) {
			t.Errorf("of a model that knows its rows at least %v; of another one %v", *fitted.Least, *r.Units[0].Models[0].Effective.Least)
		}
		return r, r.Units[0].Models[0].Effective
	}
	_, hessian := of(curvature.Hessian, 0.5)
	r, ggn := of(curvature.GaussNewton, 0.5)
	lo, hi := curvature.Estimate{Mean: ggn.Mean, Error: *ggn.Error, Samples: 2}.Interval(0.95)
	if !(*ggn.Least < ggn.Mean && ggn.Mean < *ggn.Most && *ggn.Lo < min(lo, *ggn.Least) && *ggn.Hi > max(hi, *ggn.Most)) {
		t.Errorf("%v in [%v, %v] by quadrature, [%v, %v] in all; the spread alone is [%v, %v]", ggn.Mean, *ggn.Least, *ggn.Most, *ggn.Lo, *ggn.Hi, lo, hi)
	}
	if *hessian.Least != 0 || *hessian.Most != 10 || *hessian.Lo != 0 || *hessian.Hi != 10 || !(*ggn.Least > 6) || hessian.Mean != ggn.Mean {
		t.Errorf("of one step a Hessian has [%v, %v], a Gauss-Newton matrix [%v, %v]", *hessian.Least, *hessian.Most, *ggn.Least, *ggn.Most)
	}
	var b bytes.Buffer
	must(t, r.WriteCSV(&b))
	rows, err := csv.NewReader(&b).ReadAll()
	must(t, err)
	for column, want := range map[string]float64{"effective_dimension": ggn.Mean, "effective_quadrature_lo": *ggn.Least, "effective_quadrature_hi": *ggn.Most, "effective_lo95": *ggn.Lo, "effective_hi95": *ggn.Hi} {
		if at := slices.Index(rows[0], column); at < 0 || rows[1][at] != strconv.FormatFloat(want, 'g', -1, 64) {
			t.Errorf("the table's %s is not %v: %v", column, want, rows[:2])
		}
	}
	if text := strings.Join(r.Meaning(), "\n"); !strings.Contains(text, "the error of the quadrature") || !strings.Contains(text, "Radau") {
		t.Errorf("the conventions say %s", text)
	}
	h, _ := of(curvature.Hessian, 0.5)
	if text := strings.Join(h.Meaning(), "\n"); !strings.Contains(text, "Chebyshev") || strings.Contains(text, "Radau") {
		t.Errorf("of a Hessian they say %s", text)
	}
	none, _ := of(curvature.Hessian, 0)
	if h.Digest != none.Digest || len(none.Meaning()) != 1 {
		t.Errorf("without an effective dimension the digest is %s, with one %s; %q", none.Digest, h.Digest, none.Meaning())
	}
}

// What does not fit into memory is told before it is tried.
func TestFits(t *testing.T) {
	e := estimation(t)
	must(t, e.Check())
	theta := make([][]float32, 2)
	for i := range theta {
		theta[i] = make([]float32, e.Size(nil))
	}
	a, err := e.Objective(theta, nil).Operator()
	must(t, err)
	if err := Fits(small{engine(t), 1 << 20}, a, 1, 6); err != nil {
		t.Error(err)
	}
	if err := Fits(small{engine(t), 1 << 20}, a, 1, 1<<12); err == nil || !strings.Contains(err.Error(), "there are 1.0 MB") {
		t.Errorf("4,096 vectors of two models in a megabyte: %v", err)
	}
	// What has ended needs no room.
	ended := filepath.Join(t.TempDir(), "ended")
	_, err = Run(t.Context(), e, How{Engine: engine(t), Dir: ended, Page: page})
	must(t, err)
	if _, err := Run(t.Context(), e, How{Engine: small{engine(t), 1000}, Dir: ended, Resume: true, Page: page}); err != nil && strings.Contains(err.Error(), "need about") {
		t.Errorf("another look: %v", err)
	}
	for _, wrong := range []func(e *Estimation){func(e *Estimation) { e.Vectors = 2 }, func(e *Estimation) { e.Method = Density }, func(e *Estimation) { e.View.Top = -1 }} {
		o := estimation(t)
		o.View.Sigma, o.Eigenvectors = 0.1, true
		if wrong(o); o.Check() == nil {
			t.Errorf("eigenvectors of %+v", o)
		}
	}
	// The estimation counts its basis, and does so before it trains.
	room := int64(sort.Search(1<<20, func(n int) bool { return Fits(small{engine(t), int64(n)}, a, 1, 0) == nil }))
	dir := filepath.Join(t.TempDir(), "small")
	_, err = Run(t.Context(), e, How{Engine: small{engine(t), room}, Dir: dir, Page: page, Progress: func(what string, _, _ int) { t.Errorf("it is at %s", what) }})
	if err == nil || !strings.Contains(err.Error(), "need about") {
		t.Errorf("a basis for which there is no room: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "theta-*")); len(files) > 0 {
		t.Errorf("it has trained: %s", files)
	}
}

// small is an engine with little memory.
type small struct {
	graph.Engine
	bytes int64
}

func (s small) Available() (int64, error) { return s.bytes, nil }
