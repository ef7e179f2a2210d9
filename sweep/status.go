package sweep

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	for _, performance := range ended {
		s.Best = max(s.Best, performance)
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
				if _, has := ended[id]; !has {
					c.Cells++
				}
			}
		}
		s.Checkpoints = append(s.Checkpoints, c)
		f.Close()
	}
	return s, nil
}

// Spare is an error if a file at path would replace one that the sweep in dir lives by.
func Spare(dir, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // it is new
	}
	for _, name := range []string{LedgerFile, LedgerFile + "-journal", lockFile} {
		if own, err := os.Stat(filepath.Join(dir, name)); err == nil && os.SameFile(info, own) {
			return fmt.Errorf("%s is the sweep's own file; write to another one", path)
		}
	}
	checkpoints, err := checkpointsIn(dir)
	for _, c := range checkpoints {
		if own, err := os.Stat(c); err == nil && os.SameFile(info, own) {
			return fmt.Errorf("%s is a checkpoint of the sweep; write to another file", path)
		}
	}
	return err
}
