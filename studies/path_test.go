package studies

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lockstep/analysis/curvature"
	"lockstep/cpu"
	"lockstep/op"
	"lockstep/sweep"
)

const pathCard = `
name = "path"
seeds = [0, 1]
steps = 12
batch = 8
snapshots = 2
path = {components = 2, pairs = 2, trials = 3}
data = {name = "modular-addition", modulus = 7}
map = {type = "parameters"}
rule = {type = "adamw", lr = 0.01, wd = 0.1}
model = {init = "torch", layers = [{type = "embedding", vocab = 7, out = 8}, {type = "attention", heads = 2}, {type = "last"}, {type = "linear", out = 7}]}
[[expect]]
what = "r90"
matrices = ["wq", "wk"]
range = [1, 6]
[[expect]]
what = "r90"
matrices = ["wv"]
less = ["wo"]
at-most = 5
[[expect]]
what = "commutator"
at-least = 1
`

func pathRun(t *testing.T, threads int) (*sweep.Card, []sweep.Cell, []sweep.Result, *cpu.Engine, string) {
	t.Helper()
	return pathRunOf(t, pathCard, threads)
}

func pathRunOf(t *testing.T, text string, threads int) (*sweep.Card, []sweep.Cell, []sweep.Result, *cpu.Engine, string) {
	t.Helper()
	card, err := sweep.ParseCard("path.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := card.Cells()
	if err != nil {
		t.Fatal(err)
	}
	e, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	dir := t.TempDir()
	results, err := sweep.Run(t.Context(), cells, sweep.Options{Engine: e, Snapshots: sweep.SnapshotFiles(dir, card.Snapshots)})
	if err != nil {
		t.Fatal(err)
	}
	return card, cells, results, e, dir
}

// TestPaths: a small study from its card to its tables; what is measured hangs on no thread, and is measured once.
func TestPaths(t *testing.T) {
	card, cells, results, e, dir := pathRun(t, 2)
	paths, err := MeasurePaths(t.Context(), e, card, cells, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		if p.ID != cells[i].ID() || len(p.Moments) != 7 || len(p.Matrices) != 4 || p.Moments[6].Step != 12 || p.Matrices[3].Name != "1.wo" {
			t.Fatalf("%+v", p)
		}
		for _, m := range p.Moments {
			// Two of 64 directions in each of four matrices hold some sqrt(8 / D') of a commutator that leans nowhere, D' being the parameters in which it lies.
			if !(m.Random > 0.02 && m.Random < 0.35 && m.Share > 0 && m.Share < 1 && m.Defect > 0 && m.Entropy >= 0 && m.Entropy < Number(math.Log(2)+1e-6)) {
				t.Errorf("%+v", m)
			}
		}
	}
	findings, err := Judge(card, results, paths)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 3 || findings[0].Seeds != 2 || !(findings[0].Mean >= 1) || math.IsNaN(findings[0].Spread) || findings[0].Problem != nil {
		t.Errorf("%+v", findings)
	}
	table := Table(findings) + PathTables(paths)
	for _, want := range []string{"wv less wo", "at most 5", "at least 1", "attention layer 0", "plain random walk of as many snapshots", "attention layer 0", "  step-matched random walk", "step-matched random walks ", "60.8 %", "attention entropy"} {
		if !strings.Contains(table, want) {
			t.Errorf("the tables do not show %q:\n%s", want, table)
		}
	}
	if findings, err = Judge(card, results, paths[:1]); err != nil || findings[0].Problem == nil || findings[0].OK {
		t.Errorf("a path that is missing: %+v, error %v", findings[0], err)
	}

	again, err := MeasurePaths(t.Context(), nil, card, cells, dir, nil) // no engine: all is there
	if err != nil || len(again) != 2 || again[1].Declared != paths[1].Declared || !reflect.DeepEqual(again[0].Moments[3], paths[0].Moments[3]) {
		t.Errorf("what was measured is not taken from %s: %v", PathFile, err)
	}
	// At other steps it is another path; where these were not taken it is told, and what is there stays.
	wider, finer := *card, *card
	wider.Snapshots, finer.Snapshots = 4, 1
	if path, err := MeasurePaths(t.Context(), e, &wider, cells, dir, nil); err != nil || len(path[0].Moments) != 4 || path[1].Steps[1] != 4 {
		t.Errorf("every other snapshot: error %v", err)
	}
	if _, err := MeasurePaths(t.Context(), e, &finer, cells, dir, nil); err == nil || !strings.Contains(err.Error(), "no snapshot of step 1, but one of step 12") {
		t.Errorf("snapshots that were not taken: error %v", err)
	}
	if again, err = MeasurePaths(t.Context(), e, card, cells, dir, nil); err != nil || !reflect.DeepEqual(again, paths) {
		t.Errorf("the path of before is another one, error %v", err)
	}
	_, _, _, one, other := pathRun(t, 1)
	alone, err := MeasurePaths(t.Context(), one, card, cells, other, nil)
	if err != nil || alone[0].Declared != paths[0].Declared || alone[1].Declared != paths[1].Declared || paths[0].Declared == paths[1].Declared {
		t.Errorf("one thread gives other commutators, or two seeds the same: %v", err)
	}

	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := MeasurePaths(ctx, e, card, cells, other, nil); err == nil {
		t.Error("an ended context is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, PathFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := MeasurePaths(t.Context(), e, card, cells, dir, nil); err == nil || !strings.Contains(err.Error(), PathFile) {
		t.Errorf("a damaged file: error %v", err)
	}
	if _, err := MeasurePaths(t.Context(), e, card, cells, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no snapshots") {
		t.Errorf("no snapshots: error %v", err)
	}
}

// grokCard has what a path can measure besides components, in two arms.
const grokCard = `
name = "grok"
seeds = [0, 1]
steps = 12
batch = 8
snapshots = 4
path = {pairs = 1, eigenvalues = 2, lanczos = 6, rows = 20, scores = true}
data = {name = "modular-addition", modulus = 7}
map = {type = "parameters"}
rule = {type = "adamw", lr = 0.02, wd = 0.1}
model = {init = "torch", layers = [{type = "embedding", vocab = 7, out = 8}, {type = "mlp", hidden = 8}, {type = "last"}, {type = "linear", out = 7}]}
[[arms]]
name = "whole"
[[arms]]
name = "top"
rule = {project = {onto = "top", k = 2}}
[[expect]]
what = "performance"
arm = "whole"
range = [0, 1]
[[expect]]
what = "delay"
arm = "whole"
level = 0.001
range = [0, 12]
[[expect]]
what = "delay"
arm = "top"
level = 1
range = [0, 12]
[[expect]]
what = "training_accuracy"
arm = "top"
range = [0, 0.9]
[[expect]]
what = "loss_fall"
arm = "whole"
at-least = 0.1
`

// TestEigenvaluesAndScoresOfPaths: those of a snapshot are its own Hessian's and its cell's, in arms that are told apart.
func TestEigenvaluesAndScoresOfPaths(t *testing.T) {
	card, cells, results, e, dir := pathRunOf(t, grokCard, 2)
	paths, err := MeasurePaths(t.Context(), e, card, cells, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		if len(p.Moments) != 4 || p.Matrices != nil || p.Point != cells[i].Arm {
			t.Fatalf("%+v", p)
		}
		_, thetas, err := sweep.ReadSnapshots(dir, cells[i], card.Snapshots)
		if err != nil {
			t.Fatal(err)
		}
		for k, m := range p.Moments {
			if k != 0 && k != len(p.Moments)-1 {
				continue // the matrices of two snapshots, by their columns, will do
			}
			x, y := cells[i].TrainingRows()
			first := func(t op.Tensor) op.Tensor {
				return op.Tensor{Type: op.T(t.DType, op.Shared, 20, t.At(1)), W: t.W[:20*t.At(1)]}
			}
			o := curvature.Objective{Model: cells[i].Model, Loss: cells[i].Loss(), X: first(x), Y: first(y), Theta: thetas[k : k+1], Kind: curvature.Hessian}
			matrix, err := o.Operator()
			if err != nil {
				t.Fatal(err)
			}
			s, err := curvature.New(e, matrix, curvature.Options{Vectors: 8})
			if err != nil {
				t.Fatal(err)
			}
			columns, err := s.Matrix(t.Context())
			if err = errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			h := mat.NewSymDense(matrix.N, nil)
			for r := range matrix.N {
				for c := r; c < matrix.N; c++ {
					h.SetSym(r, c, float64(columns[0][r*matrix.N+c]))
				}
			}
			var eigen mat.EigenSym
			if !eigen.Factorize(h, false) {
				t.Fatal("no eigenvalues")
			}
			all := eigen.Values(nil)
			for _, v := range m.Eigenvalues {
				near := slices.ContainsFunc(all, func(x float64) bool { return math.Abs(x-float64(v.Value)) <= float64(v.Error)+1e-5*all[len(all)-1] })
				if !near {
					t.Errorf("%v is no eigenvalue of the Hessian at step %d: they are %v", v, m.Step, all)
				}
			}
			if !(m.Eigenvalues[0].Value > m.Eigenvalues[1].Value && math.Abs(float64(m.Eigenvalues[0].Value)-all[len(all)-1]) < 0.1*all[len(all)-1]) {
				t.Errorf("the largest are %v; want %v", m.Eigenvalues, all[len(all)-2:])
			}
		}
		last, d := p.Moments[3], results[i].Declared
		if last.Step != 12 || last.Scores.TrainCorrect != d.TrainCorrect || last.Scores.TestLoss != d.TestLoss || last.TestAccuracy() != *results[i].Derived.TestAccuracy {
			t.Errorf("at its end %+v; its result is %+v", last.Scores, d)
		}
	}
	findings, err := Judge(card, results, paths)
	if err != nil {
		t.Fatal(err)
	}
	if f := findings[1]; f.Problem != nil || f.Seeds != 2 || f.Mean != 0 || !f.OK { // chance is more than the level
		t.Errorf("%+v", f)
	}
	if f := findings[2]; f.Problem == nil || f.OK {
		t.Errorf("what never comes to an accuracy of 1 has no delay: %+v", f)
	}
	right := 0
	for _, p := range paths[2:] {
		right += p.Moments[3].Scores.TrainCorrect
	}
	if f := findings[3]; !f.OK || f.Mean != float64(right)/float64(2*paths[2].Moments[3].Scores.TrainRows) {
		t.Errorf("%+v; %d rows of both seeds are right", f, right)
	}
	fall := 0.
	for _, p := range paths[:2] {
		fall += (float64(p.Moments[0].Scores.TrainLoss) - float64(p.Moments[3].Scores.TrainLoss)) / 2
	}
	if f := findings[4]; !f.OK || math.Abs(f.Mean-fall) > 1e-12 || !(fall > 0.1) {
		t.Errorf("%+v; the loss of both seeds falls by %v", f, fall)
	}
	table := Table(findings) + PathTables(paths)
	for _, want := range []string{"whole", "top", "mean training accuracy", "mean fall of the training loss", "whole\n", "top\n", "eigenvalue 2", "test accuracy", "commutator", "does not come to 1 on both"} {
		if !strings.Contains(table, want) {
			t.Errorf("the tables do not show %q:\n%s", want, table)
		}
	}
	_, _, _, one, other := pathRunOf(t, grokCard, 1)
	alone, err := MeasurePaths(t.Context(), one, card, cells, other, nil)
	if err != nil || !reflect.DeepEqual(alone, paths) {
		t.Errorf("one thread measures something else: %v", err)
	}
}

// Cells of which some have diverged: what is left of them is shown and averaged as what it is, kept, and no finding.
func TestPathsOfUnequalLength(t *testing.T) {
	text := strings.Replace(grokCard, "lr = 0.02", "lr = \"$lr\"", 1)
	text = strings.Replace(text, "[[arms]]\nname = \"top\"", "axes = {lr = [0.02, 1e38]}\n[[arms]]\nname = \"top\"", 1)
	text = strings.Replace(text, "rule = {project", "rule = {lr = 0.02, project", 1)
	card, cells, results, e, dir := pathRunOf(t, text, 2)
	paths, err := MeasurePaths(t.Context(), e, card, cells, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	diverged := results[2]
	if !diverged.Declared.Diverged || len(paths[2].Moments) >= len(paths[0].Moments) {
		t.Fatalf("cell (%s) did not diverge: %+v", diverged.Name(), diverged.Declared)
	}
	findings, err := Judge(card, results, paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings[1:] {
		if f.Expect.OfPath() && f.Expect.Arm == "whole" && f.OK {
			t.Errorf("of cells that diverged it is as expected: %+v", f)
		}
	}
	mixed := []CellPath{paths[2], paths[0]} // the one that ended early first
	c := Along(mixed, Moment.TrainAccuracy)
	n := len(paths[2].Moments)
	if len(c.Steps) != 4 || c.Cells[0] != 2 || c.Cells[3] != 1 || c.Mean[3] != paths[0].Moments[3].TrainAccuracy() || c.Lo[3] != c.Mean[3] || n > 3 {
		t.Errorf("%+v", c)
	}
	if table := PathTables(mixed); !strings.Contains(table, "12 ") {
		t.Errorf("the last step is not shown:\n%s", table)
	}
	bad := slices.Clone(paths[:1])
	bad[0].Moments = []Moment{{Step: 0, Defect: Number(math.NaN()), Norm: Number(math.Inf(1))}}
	kept, err := json.Marshal(bad)
	if err != nil {
		t.Fatal(err)
	}
	var again []CellPath
	if err := json.Unmarshal(kept, &again); err != nil || !math.IsNaN(float64(again[0].Moments[0].Norm)) {
		t.Errorf("what is not finite comes back as %+v, error %v", again, err)
	}
}

// What can only be told with a card's cells is told before any of them is trained.
func TestPathsAreCheckedFirst(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"lanczos = 6", "lanczos = 296", "path.lanczos is 296; the model of cell (arm whole, seed 0) has 295 parameters"},
	} {
		card, err := sweep.ParseCard("grok.toml", []byte(strings.Replace(grokCard, c.from, c.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		cells, err := card.Cells()
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(card, cells); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: error %v; want %q", c.to, c.from, err, c.want)
		}
	}
}

// TestPathCards: what a card can get wrong of its path.
func TestPathCards(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"snapshots = 2\n", "", "path: it is measured at snapshots"},
		{"components = 2", "components = 0", "components"},
		{"trials = 3", "trials = 5000", "it must be 1 to 1000"},
		{"pairs = 2", "pair = 2", `unknown key "pair"`},
		{`matrices = ["wv"]`, `matrices = ["wz"]`, `unknown matrix "wz"`},
		{"matrices = [\"wv\"]\n", "", "matrices: it is missing"},
		{"path = {components = 2, pairs = 2, trials = 3}\n", "", "the card has none"},
		{", trials = 3", "", "path: without trials"},
		{"{components = 2, pairs = 2, trials = 3}", "{pairs = 2}", "give path.components and path.trials"},
		{"trials = 3}", "trials = 3, eigenvalues = 4, lanczos = 3, rows = 5}", "path.eigenvalues: 4 of them in 3 Lanczos steps"},
		{"trials = 3}", "trials = 3, eigenvalues = 4, lanczos = 5}", "path: without rows"},
		{"trials = 3}", "trials = 3, lanczos = 2000, eigenvalues = 4, rows = 5}", "path.lanczos: it is 2000"},
		{`what = "commutator"`, "what = \"delay\"\nlevel = 0.5", "give path.scores = true"},
		{`what = "commutator"`, `what = "loss_fall"`, "give path.scores = true"},
		{`what = "commutator"`, "what = \"delay\"\nlevel = 1.5", "it is an accuracy"},
	} {
		text := strings.Replace(pathCard, c.from, c.to, 1)
		if text == pathCard {
			t.Fatalf("the card has no %q", c.from)
		}
		if _, err := sweep.ParseCard("path.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: error %v; want %q", c.to, c.from, err, c.want)
		}
	}
}
