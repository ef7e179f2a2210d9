package sweep

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"lockstep/data"
	"lockstep/internal/files"
	"lockstep/op"
)

// A sweep's folder holds its manifest, which says what it is a sweep of, and its results, one JSON object a line. While it
// runs, a lock, and the results so far in the order in which packs finish.
const (
	ResultsFile  = "results.jsonl"
	manifestFile = "sweep.json"
	partFile     = ResultsFile + ".part"
	lockFile     = ".lock"
)

// manifest says what a folder holds.
type manifest struct {
	Law   int    `json:"law"`
	Cells int    `json:"cells"`
	Plan  string `json:"plan"` // SHA-256 over the sorted identities of the cells
	// Once the results are whole: their digest, and the SHA-256 of their file.
	Digest string `json:"digest,omitempty"`
	File   string `json:"file,omitempty"`
}

func manifestOf(ids []string) manifest {
	h := sha256.New()
	for _, id := range slices.Sorted(slices.Values(ids)) {
		fmt.Fprintln(h, id)
	}
	return manifest{Law: op.Version, Cells: len(ids), Plan: hex.EncodeToString(h.Sum(nil))}
}

// RunTo runs the cells and writes their results to dir, which is made if it is missing. Results are written as packs
// finish, so a run that fails, is interrupted or killed loses no finished pack: the next one with the same cells goes on
// from there. Errors: another run is at work in dir; dir holds another sweep.
func RunTo(ctx context.Context, dir string, cells []Cell, o Options) ([]Result, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	lock, err := files.NewLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	byID := map[string]Cell{}
	var ids []string
	for _, c := range cells {
		ids = append(ids, c.ID())
		byID[ids[len(ids)-1]] = c
	}
	m, err := claim(dir, manifestOf(ids))
	if err != nil {
		return nil, err
	}
	results, err := runRest(ctx, dir, cells, byID, lock, o)
	if err != nil {
		return nil, err
	}
	if err := lock.Held(); err != nil {
		return nil, err
	}
	return results, publish(dir, m, ids, results)
}

// runRest adopts what an earlier run had finished, runs the other cells, and returns all results.
func runRest(ctx context.Context, dir string, cells []Cell, byID map[string]Cell, lock *files.Lock, o Options) ([]Result, error) {
	path := filepath.Join(dir, partFile)
	before, err := adopt(path, byID)
	if err != nil {
		return nil, err
	}
	part, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	if o.Progress != nil && len(before) > 0 {
		if err := o.Progress.Skip(before); err != nil {
			return nil, err
		}
	}
	done := map[string]bool{}
	for _, r := range before {
		done[r.ID] = true
	}
	rest := slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return done[c.ID()] })
	w := &writer{next: o.Progress, file: part, lock: lock}
	o.Progress = w
	results, err := Run(ctx, rest, o)
	if err != nil {
		return nil, fmt.Errorf("%w (%d of %d cells are done and kept; the same command goes on from there)", err, len(before)+w.written, len(cells))
	}
	return append(before, results...), part.Sync()
}

// publish writes the results, which must be those of the cells with the given identities, each once, in their order; then
// the manifest with their digest; and removes what the run had left beside.
func publish(dir string, m manifest, ids []string, results []Result) error {
	place := map[string]int{}
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	if !slices.EqualFunc(results, ids, func(r Result, id string) bool { return r.ID == id }) {
		return fmt.Errorf("%d results are not those of the %d cells, each once; nothing is published", len(results), len(ids))
	}
	var whole bytes.Buffer
	digest, err := Digest(results)
	if err == nil && m.Digest != "" && m.Digest != digest {
		return fmt.Errorf("these results have digest %s, those that %s holds have %s: one of them is wrong; the new ones are kept in %s", digest, dir, m.Digest, partFile)
	}
	if err == nil {
		err = WriteResults(&whole, results...)
	}
	if err == nil {
		h := sha256.Sum256(whole.Bytes())
		m.Digest, m.File = digest, hex.EncodeToString(h[:])
		err = files.WriteWhole(filepath.Join(dir, ResultsFile), whole.Bytes())
	}
	if err == nil {
		err = writeManifest(dir, m)
	}
	if err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, partFile))
}

// claim writes the manifest into a folder that has none, and holds it against the one that is there, which it returns.
func claim(dir string, m manifest) (manifest, error) {
	path := filepath.Join(dir, manifestFile)
	there, err := readManifest(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Join(dir, ResultsFile)); err == nil {
			return m, fmt.Errorf("%s holds results, but no %s that says of which cells; choose another folder", dir, manifestFile)
		}
		return m, writeManifest(dir, m)
	case err != nil:
		return m, err
	case there.Plan != m.Plan || there.Law != m.Law:
		return m, fmt.Errorf("%s holds a sweep of %d other cells (law %d, plan %.12s; these %d are law %d, plan %.12s); choose another folder, or remove this one",
			dir, there.Cells, there.Law, there.Plan, m.Cells, m.Law, m.Plan)
	}
	return there, nil
}

func writeManifest(dir string, m manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return files.WriteWhole(filepath.Join(dir, manifestFile), append(text, '\n'))
}

func readManifest(path string) (m manifest, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err = json.Unmarshal(text, &m); err == nil && len(m.Plan) != 2*sha256.Size {
		err = errors.New("it names no plan")
	}
	if err != nil {
		return m, fmt.Errorf("%s is damaged: %w; remove the folder to start anew", path, err)
	}
	return m, nil
}

// adopt reads the results of a run that did not end. The last line may have been cut off; it is dropped, also from the
// file. Labels and derived numbers are those of the cells as they are now.
func adopt(path string, cells map[string]Cell) ([]Result, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		if err := os.Truncate(path, int64(whole)); err != nil {
			return nil, err
		}
	}
	results, err := ReadResults(path, bytes.NewReader(text[:whole]))
	if err != nil {
		return nil, fmt.Errorf("%w; remove the file to start anew", err)
	}
	seen := map[string]bool{}
	for i := range results {
		r := &results[i]
		c, ours := cells[r.ID]
		was := r.Derived
		if r.derive(c.test); !ours || seen[r.ID] || !possible(r.Declared, c) || !reflect.DeepEqual(was, r.Derived) || r.Law != op.Version || r.Seed != c.Seed || r.Params != c.Model.D() || r.D != c.Dim() {
			return nil, fmt.Errorf("%s: line %d is no result of a cell of this sweep, or its second; remove the file to start anew", path, i+1)
		}
		seen[r.ID] = true
		r.Arm, r.Axes = c.Arm, c.Axes
	}
	return results, nil
}

// possible tells whether a cell can have such results.
func possible(d Declared, c Cell) bool {
	set, err := data.Open(c.Data)
	return err == nil && d.Steps >= 0 && d.Steps <= c.Steps && d.Diverged == (d.Steps < c.Steps) && len(d.Z) == 2*sha256.Size &&
		d.TestCorrect >= 0 && d.TestCorrect <= c.test && d.TrainCorrect >= 0 && d.TrainCorrect <= set.N-c.test
}

// writer puts results into a file on their way to the next Progress.
type writer struct {
	next    Progress
	file    *os.File
	lock    *files.Lock
	written int
}

func (w *writer) Skip(results []Result) error { return nil }

func (w *writer) Advance(cellSteps int) {
	if w.next != nil {
		w.next.Advance(cellSteps)
	}
}

func (w *writer) Done(results []Result) error {
	if err := w.lock.Held(); err != nil { // better now than after all the others
		return err
	}
	if err := WriteResults(w.file, results...); err != nil {
		return err
	}
	w.written += len(results)
	if w.next != nil {
		return w.next.Done(results)
	}
	return nil
}

// LoadResults reads the results of the finished sweep in dir. Error: there is none, or it is not whole.
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
	h := sha256.New()
	results, err := ReadResults(path, io.TeeReader(f, h))
	if err != nil {
		return nil, err
	}
	want, err := readManifest(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	if want.Digest == "" {
		return nil, fmt.Errorf("%s has no digest: the sweep did not end", filepath.Join(dir, manifestFile))
	}
	if have, err := Digest(results); err != nil || have != want.Digest || hex.EncodeToString(h.Sum(nil)) != want.File {
		return nil, fmt.Errorf("%s is damaged: it is not the file, or its %d results have not the digest, that %s says", path, len(results), manifestFile)
	}
	return results, nil
}
