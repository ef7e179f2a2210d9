package sweep

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lockstep/data"
	"lockstep/internal/files"
)

// Status is how far the sweep of a folder is.
type Status struct {
	Record
	Running     bool             `json:"running"`           // a process is at work on it
	Best        float64          `json:"best"`              // the best performance so far
	Damaged     string           `json:"damaged,omitempty"` // why a finished sweep is not to be trusted
	Checkpoints []CheckpointFile `json:"checkpoints,omitempty"`
}

// CheckpointFile is a checkpoint of a pack.
type CheckpointFile struct {
	Path    string    `json:"path"`
	Written time.Time `json:"written"`
	Cells   int       `json:"cells"` // that have not ended
}

// StatusOf reads the status of the sweep in dir, at work or not.
func StatusOf(dir string) (s Status, err error) {
	l, err := OpenLedger(dir)
	if err != nil {
		return s, err
	}
	defer l.Close()
	if s.Record, err = l.Record(); err != nil {
		return s, err
	}
	ended, err := l.ended()
	if err != nil {
		return s, err
	}
	if s.Best, err = l.best(); err != nil {
		return s, err
	}
	if s.Digest != "" {
		if have, err := l.Digest(); err != nil || have != s.Digest {
			s.Damaged = fmt.Sprintf("its results do not have the digest that it names; lockstep sweep verify %s tells more", dir)
		}
	}
	s.Running = files.Locked(filepath.Join(dir, lockFile))
	paths, err := checkpointsIn(dir)
	if err != nil {
		return s, err
	}
	for _, path := range paths {
		f, err := data.OpenTensors(path)
		if err != nil {
			continue // a run has just removed it
		}
		c := CheckpointFile{Path: path, Written: f.Written()}
		var ids []string
		if err := json.Unmarshal([]byte(f.Meta["cells"]), &ids); err == nil {
			for _, id := range ids {
				if !ended[id] {
					c.Cells++
				}
			}
		}
		s.Checkpoints = append(s.Checkpoints, c)
		f.Close()
	}
	return s, nil
}

// Spare is an error if a file at path would replace, or be taken for, one that the sweep in dir lives by.
func Spare(dir, path string) error {
	own := fmt.Errorf("%s is the sweep's own file; write to another one", path)
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil // writing will tell
	}
	in := func(folder string) bool {
		info, err := os.Stat(folder)
		return err == nil && os.SameFile(parent, info)
	}
	names := []string{LedgerFile, LedgerFile + "-journal", LedgerFile + "-wal", LedgerFile + "-shm", lockFile, checkpointDir}
	if in(filepath.Join(dir, checkpointDir)) || in(dir) && slices.Contains(names, filepath.Base(path)) {
		return own
	}
	target, err := os.Stat(path)
	if err != nil {
		return nil // it is new
	}
	paths, err := checkpointsIn(dir)
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && os.SameFile(target, info) {
			return own
		}
	}
	return err
}
