package probe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/analysis/curvature"
	"lockstep/data"
	"lockstep/internal/files"
	"lockstep/op"
	"lockstep/sweep"
)

// The files of an estimation's folder.
const (
	IdentityFile = "estimation.json" // what it is of: an Identity
	trainedFile  = "trained.json"    // the points, with the hashes of the parameters in thetaFile
	unitsFile    = "units.jsonl"     // a line for each unit that has ended
	ResultsFile  = "results.json"
	TableFile    = "results.csv"
	PageFile     = "curvature.html"
	lockFile     = ".lock"

	identityFormat = "lockstep/probe/1"
)

// thetaFile holds the parameters of all models at a point, f32[models, D].
func thetaFile(at string) string { return "theta-" + at + ".npy" }

// checkpointFile is the checkpoint of unit i. Each has a file of its own: units of one shape, at two points, have one program, by which alone a
// checkpoint could not tell them apart.
func checkpointFile(i int) string { return fmt.Sprintf("checkpoint-%d.safetensors", i) }

// Identity is what declared results follow from: everything but the engine, the threads, and what is made of them for reading.
type Identity struct {
	Format    string   `json:"format"`
	Law       int      `json:"law"`
	Method    string   `json:"method"`
	Kind      string   `json:"kind"`
	Cells     []string `json:"cells"` // identities
	Points    []string `json:"at"`
	Params    []string `json:"parameters,omitempty"` // SHA-256 of each model's, where they were given
	Block     string   `json:"block,omitempty"`
	Subspace  int      `json:"subspace,omitempty"`
	Rows      int      `json:"rows"`
	Batch     int      `json:"batch"`
	Seed      uint64   `json:"seed"`
	Vectors   int      `json:"vectors"`
	Steps     int      `json:"lanczos_steps,omitempty"`
	Estimator string   `json:"estimator,omitempty"`
	Rounds    int      `json:"rounds,omitempty"`
	Diagonal  bool     `json:"diagonal,omitempty"`

	Eigenvectors *View `json:"eigenvectors,omitempty"` // of which eigenvalues
}

func (e *Estimation) identity() Identity {
	id := Identity{Format: identityFormat, Law: op.Version, Method: e.Method, Kind: string(e.Kind), Block: e.Block, Subspace: e.Subspace,
		Rows: e.Rows, Batch: e.Batch, Seed: e.Seed, Vectors: e.Vectors, Diagonal: e.Diagonal}
	for _, c := range e.Cells {
		id.Cells = append(id.Cells, c.ID())
	}
	for _, p := range e.Points {
		id.Points = append(id.Points, p.Name)
	}
	if e.Params != nil {
		s := Snapshot{Theta: e.Params}
		s.hash()
		id.Params = s.Hash
	}
	if e.Eigenvectors {
		id.Eigenvectors = &View{Top: e.View.Top, Bottom: e.View.Bottom}
	}
	if e.Method == Trace {
		id.Estimator, id.Rounds = e.Estimator, e.Rounds
	} else {
		id.Steps = e.Steps
	}
	return id
}

func (id Identity) canonical() []byte {
	b, err := json.Marshal(id)
	if err != nil {
		panic(fmt.Sprintf("probe: an identity that is no JSON: %v", err)) // texts and whole numbers always are
	}
	return b
}

// differences tells in what two estimations differ.
func (id Identity) differences(other Identity) (all []string) {
	fields := func(id Identity) (m map[string]json.RawMessage) {
		json.Unmarshal(id.canonical(), &m)
		return m
	}
	a, b := fields(id), fields(other)
	keys := slices.Sorted(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	text := func(v json.RawMessage) string {
		if v == nil {
			return "nothing"
		}
		return fmt.Sprintf("%.80s", v)
	}
	for _, k := range keys {
		if x, y := a[k], b[k]; !bytes.Equal(x, y) {
			all = append(all, fmt.Sprintf("%s %s -> %s", k, text(x), text(y)))
		}
	}
	return all
}

// folder is an estimation's, locked.
type folder struct {
	dir   string
	lock  *files.Lock
	units map[int]unit // that have ended
	file  *os.File     // unitsFile, at its end
	of    int          // units to do
}

// openFolder takes a folder for an estimation of so many units: a new one, or with resume the one that it holds. Errors: it holds a sweep, or
// another estimation, or one and resume is false, or none and it is true; another run is at work in it.
func openFolder(dir string, id Identity, of int, resume bool) (f *folder, err error) {
	if _, err := os.Stat(filepath.Join(dir, sweep.LedgerFile)); err == nil {
		return nil, fmt.Errorf("%s holds a sweep; give the estimation a folder of its own", dir)
	}
	path := filepath.Join(dir, IdentityFile)
	if _, err := os.Stat(path); resume && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no estimation to go on with; leave --resume out to start one", dir)
	}
	if err := files.MakeDir(dir); err != nil {
		return nil, err
	}
	f = &folder{dir: dir, units: map[int]unit{}, of: of}
	if f.lock, err = files.NewLock(filepath.Join(dir, lockFile)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
			f = nil
		}
	}()
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err = files.WriteWhole(path, append(id.canonical(), '\n')); err != nil {
			return f, err
		}
	case err != nil:
		return f, err
	default:
		if err = agree(dir, b, id, resume); err != nil {
			return f, err
		}
	}
	if err = files.Leftovers(dir); err == nil {
		err = f.read()
	}
	return f, err
}

// agree tells whether the folder's estimation is the one of id.
func agree(dir string, b []byte, id Identity, resume bool) error {
	var was Identity
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&was); err != nil || was.Format != identityFormat {
		return fmt.Errorf("%s is not what this build keeps an estimation by (format %q): give another folder", filepath.Join(dir, IdentityFile), was.Format)
	}
	differ := was.differences(id)
	switch {
	case len(differ) > 0:
		return fmt.Errorf("%s holds another estimation; give another folder. It is that one, and this would be: %s", dir, strings.Join(differ, "; "))
	case !resume:
		return fmt.Errorf("%s holds this estimation already; --resume goes on with it", dir)
	}
	return nil
}

// line is a line of unitsFile.
type line struct {
	Unit   int             `json:"unit"`
	SHA256 string          `json:"sha256"` // of Gave
	Gave   json.RawMessage `json:"gave"`
}

// read takes in the units that have ended. What a killed process has left of a line at the end is cut off.
func (f *folder) read() error {
	path := filepath.Join(f.dir, unitsFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	f.file = file
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	for n, text := range bytes.Split(b[:whole], []byte("\n")) {
		if len(text) == 0 {
			continue
		}
		var l line
		var u unit
		err := json.Unmarshal(text, &l)
		if err == nil && hashOf(l.Gave) != l.SHA256 {
			err = errors.New("its hash is another")
		}
		if err == nil {
			err = json.Unmarshal(l.Gave, &u)
		}
		if err == nil && (l.Unit < 0 || l.Unit >= f.of) {
			err = fmt.Errorf("unit %d of %d", l.Unit, f.of)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d, is damaged: %w; without that line its unit is estimated anew", path, n+1, err)
		}
		f.units[l.Unit] = u
		if err := (&curvature.File{Path: filepath.Join(f.dir, checkpointFile(l.Unit))}).Remove(); err != nil {
			return err
		}
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return err
	}
	_, err = file.Seek(int64(whole), 0)
	return err
}

// append puts what unit i gave on the disk, and forgets its checkpoint.
func (f *folder) append(i int, u unit) error {
	gave, err := json.Marshal(u)
	if err != nil {
		return err
	}
	text, err := json.Marshal(line{i, hashOf(gave), gave})
	if err != nil {
		return err
	}
	if _, err = f.file.Write(append(text, '\n')); err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("%s cannot take what a unit gave: %w", f.file.Name(), err)
	}
	f.units[i] = u
	return f.keeper(i, 0).Remove()
}

func (f *folder) keeper(i int, every time.Duration) *curvature.File {
	return &curvature.File{Path: filepath.Join(f.dir, checkpointFile(i)), Every: every}
}

// saveTrained keeps the parameters of all points; their list is written last.
func (f *folder) saveTrained(t trained) error {
	for _, s := range t.Snapshots {
		var w []float32
		for _, theta := range s.Theta {
			w = append(w, theta...)
		}
		if err := data.WriteNPY(filepath.Join(f.dir, thetaFile(s.At)), op.Float32s(op.S(len(s.Theta), len(s.Theta[0])), w...)); err != nil {
			return err
		}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return files.WriteWhole(filepath.Join(f.dir, trainedFile), append(b, '\n'))
}

// trained reads what saveTrained kept; ok is false if it had not come to its end, or if not all is as it was: training gives it again.
func (f *folder) trained(e *Estimation) (t trained, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(f.dir, trainedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	if json.Unmarshal(b, &t) != nil || len(t.Snapshots) != len(e.Points) {
		return trained{}, false, nil
	}
	D := e.Cells[0].Model.D()
	for i := range t.Snapshots {
		s := &t.Snapshots[i]
		x, err := data.ReadNPY(filepath.Join(f.dir, thetaFile(s.At)))
		if err != nil || s.At != e.Points[i].Name || x.Rank != 2 || x.At(0) != len(e.Cells) || x.At(1) != D || x.DType != op.F32 || len(s.Steps) != len(e.Cells) {
			return trained{}, false, nil
		}
		hashes := s.Hash
		for m := range e.Cells {
			s.Theta = append(s.Theta, x.F()[m*D:(m+1)*D])
		}
		if s.hash(); !slices.Equal(hashes, s.Hash) {
			return trained{}, false, nil
		}
	}
	return t, true, nil
}

// finish writes what is for readers.
func (f *folder) finish(r *Results, page func(w io.Writer, r *Results) error) error {
	for _, x := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{TableFile, r.WriteCSV},
		{PageFile, func(w io.Writer) error { return page(w, r) }},
		{ResultsFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) }},
	} {
		if err := files.Write(filepath.Join(f.dir, x.name), x.write); err != nil {
			return err
		}
	}
	return nil
}

// stopped adds to an error what is kept.
func (f *folder) stopped(err error) error {
	if f == nil {
		return err
	}
	kept := ""
	if left, _ := filepath.Glob(filepath.Join(f.dir, "checkpoint-*.safetensors")); len(left) > 0 {
		kept = ", and a checkpoint of the one at work"
	}
	return fmt.Errorf("%w (%s of %d units have ended and are kept%s; the same command with --resume goes on from there)", err, strconv.Itoa(len(f.units)), f.of, kept)
}

// Close gives the folder back.
func (f *folder) Close() (err error) {
	if f.file != nil {
		err = f.file.Close()
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Release())
	}
	return err
}

func hashOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
