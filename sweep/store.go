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
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
}

func manifestOf(ids []string) manifest {
	h := sha256.New()
	for _, id := range slices.Sorted(slices.Values(ids)) {
		fmt.Fprintln(h, id)
	}
	return manifest{op.Version, len(ids), hex.EncodeToString(h.Sum(nil))}
}

// RunTo runs the cells and writes their results to dir, which is made if it is missing. Results are written as packs
// finish, so a run that fails, is interrupted or killed loses no finished pack: the next one with the same cells goes on
// from there. Errors: another run is at work in dir; dir holds another sweep.
func RunTo(ctx context.Context, dir string, cells []Cell, o Options) (results []Result, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	release, err := files.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	defer release()
	place := map[string]int{} // of each cell in the sweep, by identity
	var ids []string
	for i, c := range cells {
		ids = append(ids, c.ID())
		place[ids[i]] = i
	}
	if err := claim(dir, manifestOf(ids)); err != nil {
		return nil, err
	}
	before, err := finished(filepath.Join(dir, partFile), place)
	if err != nil {
		return nil, err
	}
	part, err := os.OpenFile(filepath.Join(dir, partFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	for _, r := range before {
		delete(place, r.ID)
	}
	var rest []Cell
	for i, c := range cells {
		if _, open := place[ids[i]]; open {
			rest = append(rest, c)
		}
	}
	w := &writer{next: o.Progress, file: part}
	if o.Progress != nil && len(before) > 0 {
		if err := o.Progress.Skip(before); err != nil {
			return nil, err
		}
	}
	o.Progress = w
	if _, err := Run(ctx, rest, o); err != nil {
		return nil, fmt.Errorf("%w (%d of %d cells are done and kept; the same command goes on from there)", err, len(before)+w.written, len(cells))
	}
	if err := part.Sync(); err != nil {
		return nil, err
	}
	for i, id := range ids {
		place[id] = i
	}
	if results, err = finished(filepath.Join(dir, partFile), place); err != nil {
		return nil, err
	}
	slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	var whole bytes.Buffer
	if err := WriteResults(&whole, results...); err != nil {
		return nil, err
	}
	if err := files.WriteWhole(filepath.Join(dir, ResultsFile), whole.Bytes()); err != nil {
		return nil, err
	}
	return results, os.Remove(filepath.Join(dir, partFile))
}

// claim writes the manifest into a folder that has none, and holds it against the one that is there.
func claim(dir string, m manifest) error {
	path := filepath.Join(dir, manifestFile)
	switch there, err := readManifest(path); {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Join(dir, ResultsFile)); err == nil {
			return fmt.Errorf("%s holds results, but no %s that says of which cells; choose another folder", dir, manifestFile)
		}
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return files.WriteWhole(path, append(text, '\n'))
	case err != nil:
		return err
	case there != m:
		return fmt.Errorf("%s holds a sweep of %d other cells (law %d, plan %.12s; these %d are law %d, plan %.12s); choose another folder, or remove this one",
			dir, there.Cells, there.Law, there.Plan, m.Cells, m.Law, m.Plan)
	}
	return nil
}

func readManifest(path string) (m manifest, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return m, nil
}

// finished reads the results of a run that did not end, of cells that it was to train. The last line may have been cut
// off; it is dropped, also from the file.
func finished(path string, cells map[string]int) ([]Result, error) {
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
		return nil, err
	}
	seen := map[string]bool{}
	for _, r := range results {
		if _, ours := cells[r.ID]; !ours || r.Law != op.Version || seen[r.ID] {
			return nil, fmt.Errorf("%s holds a result of cell %s that does not belong there; remove the file to start anew", path, r.ID)
		}
		seen[r.ID] = true
	}
	return results, nil
}

// writer puts results into a file on their way to the next Progress.
type writer struct {
	next    Progress
	file    *os.File
	written int
}

func (w *writer) Skip(results []Result) error { return nil }

func (w *writer) Advance(cellSteps int) {
	if w.next != nil {
		w.next.Advance(cellSteps)
	}
}

func (w *writer) Done(results []Result) error {
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
	results, err := ReadResults(path, f)
	if err != nil {
		return nil, err
	}
	want, err := readManifest(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range results {
		ids = append(ids, r.ID)
	}
	if have := manifestOf(ids); have.Plan != want.Plan {
		return nil, fmt.Errorf("%s has %d results that are not those of the %d cells of %s", path, len(results), want.Cells, manifestFile)
	}
	return results, nil
}
