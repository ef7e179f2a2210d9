package sweep

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lockstep/data"
	"lockstep/internal/files"
	"lockstep/op"
)

// A checkpoint is a safetensors file of a pack at work: every State of its training program, stacked over the cells, and the
// energy that they took. Cells find their own rows in it, so a run may go on in other packs than the one that wrote it.
const (
	checkpointDir    = "checkpoints"
	checkpointEnding = ".safetensors"
	checkpointFormat = "lockstep/checkpoint/2"
	joulesTensor     = "joules" // f32 per cell; NaN: not known
)

// atOnce is the most bytes of a state that are read of all cells at once: no plan counts them. A test makes it less.
var atOnce int64 = 4 << 20

// saving is what a runner knows of checkpoints.
type saving struct {
	mu    sync.Mutex // over saved, and the folder of the checkpoints
	saved checkpoints
}

// state is a State of the training program.
type state struct {
	name string
	t    op.Type // over cells
}

// maxShare bounds the share of the time that checkpoints may take: one that takes long is written less often.
const maxShare = 0.01

// due tells whether it is time for a checkpoint.
func (j *job) due() bool {
	if j.ledger == nil {
		return false
	}
	every := j.Checkpoint
	if every == 0 {
		every = max(defaultCheckpoint, time.Duration(float64(j.took)/maxShare))
	}
	return time.Since(j.last) >= every
}

// checkpoint writes the pack as it is now. It replaces the pack's last one when it is whole and on the disk.
func (j *job) checkpoint() error {
	if j.ledger == nil {
		return nil
	}
	if err := j.ledger.lock.Held(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	start := time.Now()
	path := filepath.Join(j.ledger.dir, checkpointDir, j.name()+checkpointEnding)
	if err := j.writeCheckpoint(path); err != nil {
		return fmt.Errorf("no checkpoint can be written, an earlier one is kept: %w", err)
	}
	for i, c := range j.cells {
		j.saved.rows[c.ID()] = row{path, i, uint32(j.trains[i].steps)}
	}
	if err := j.saved.prune(j.ledger.dir); err != nil {
		return err
	}
	j.last, j.took = time.Now(), time.Since(start)
	j.progress.Saved(len(j.cells))
	return nil
}

// name of the pack: that of its first cells, for all that matters.
func (j *job) name() string { return planOf(j.cells)[:16] }

func (j *job) writeCheckpoint(path string) error {
	ids := make([]string, len(j.cells))
	for i, c := range j.cells {
		ids[i] = c.ID()
	}
	cells, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	n := len(j.cells)
	tensors := []data.Tensor{{Name: joulesTensor, DType: op.F32, Shape: []int{n}}}
	for _, s := range j.states {
		tensors = append(tensors, data.Tensor{Name: s.name, DType: s.t.DType, Shape: append([]int{n}, s.t.Shape.Dims()...)})
	}
	fill := func(t data.Tensor, w io.Writer) error {
		switch {
		case t.Name == joulesTensor:
			var all []float32
			for i := range j.cells {
				all = append(all, float32(j.trains[i].joules))
			}
			_, err := w.Write(appendFloats(nil, all))
			return err
		case t.Bytes() <= atOnce:
			all := make([]byte, t.Bytes())
			if err := j.pack.ReadAll(t.Name, all); err != nil {
				return err
			}
			_, err := w.Write(all)
			return err
		}
		each := make([]byte, t.Bytes()/int64(n))
		for i := range j.cells {
			if err := j.pack.Read(t.Name, i, each); err != nil {
				return err
			}
			if _, err := w.Write(each); err != nil {
				return err
			}
		}
		return nil
	}
	meta := map[string]string{"format": checkpointFormat, "law": strconv.Itoa(op.Version), "cells": string(cells)}
	if err := data.SumTensors(tensors, meta, fill); err != nil {
		return err
	}
	if err := files.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return files.Write(path, func(w io.Writer) error { return data.WriteTensors(w, tensors, meta, fill) })
}

// checkpoints are those in a folder.
type checkpoints struct {
	rows map[string]row // of each cell, by identity
}

type row struct {
	path  string
	at    int
	steps uint32 // done
}

// findCheckpoints reads which cells a folder has checkpoints of. Error: one is damaged.
func findCheckpoints(dir string) (found checkpoints, err error) {
	found.rows = map[string]row{}
	paths, err := checkpointsIn(dir)
	if err != nil {
		return found, err
	}
	for _, path := range paths {
		ids, steps, err := readCheckpoint(path)
		if err != nil {
			return found, fmt.Errorf("%w; remove the file to train its cells anew", err)
		}
		for i, id := range ids {
			// Runs with other packs may have left several of a cell.
			if has, ok := found.rows[id]; !ok || has.steps < steps[i] {
				found.rows[id] = row{path, i, steps[i]}
			}
		}
	}
	return found, nil
}

// readCheckpoint checks a whole checkpoint and lists its cells, with the steps that they have done.
func readCheckpoint(path string) (ids []string, steps []uint32, err error) {
	f, err := data.OpenTensors(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if f.Meta["format"] != checkpointFormat {
		return nil, nil, fmt.Errorf("%s is no checkpoint that this build reads: format %q, not %q", path, f.Meta["format"], checkpointFormat)
	}
	if law := f.Meta["law"]; law != strconv.Itoa(op.Version) {
		return nil, nil, fmt.Errorf("%s follows law %q; this build follows law %d", path, law, op.Version)
	}
	if err := f.Whole(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal([]byte(f.Meta["cells"]), &ids); err != nil {
		return nil, nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	n := len(ids)
	if there, _ := f.Get(stepDone); !slices.Equal(there.Shape, []int{n}) {
		return nil, nil, fmt.Errorf("%s is damaged: tensor %q has shape %v; %d cells need %v", path, stepDone, there.Shape, n, []int{n})
	}
	b := make([]byte, 4*n)
	if err := f.ReadAt(stepDone, 0, b); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range ids {
		steps = append(steps, binary.LittleEndian.Uint32(b[4*i:]))
	}
	return ids, steps, nil
}

// restore takes up the cells that have a checkpoint.
func (j *job) restore() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = time.Now()
	for i, c := range j.cells {
		if r, ok := j.saved.rows[c.ID()]; ok {
			if err := j.restoreCell(i, r); err != nil {
				return fmt.Errorf("cell (%s): checkpoint %s: %w; remove the file to train its cells anew", c.Name(), r.path, err)
			}
			j.progress.Skip(0, j.trains[i].steps, 0)
		}
	}
	return nil
}

func (j *job) restoreCell(i int, r row) error {
	f, err := data.OpenTensors(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	read := func(name string, words int) ([]byte, error) {
		b := make([]byte, 4*words)
		return b, f.ReadAt(name, int64(r.at*len(b)), b)
	}
	for _, s := range j.states {
		there, ok := f.Get(s.name)
		if !ok || there.DType != s.t.DType || len(there.Shape) != 1+len(s.t.Shape.Dims()) || there.Shape[0] <= r.at {
			return fmt.Errorf("it has no state %q of type %s", s.name, s.t)
		}
		words := 1
		for _, n := range there.Shape[1:] {
			words *= n
		}
		b, err := read(there.Name, words)
		if err != nil {
			return err
		}
		// States of z's shape are padded to the largest d of their pack, which may have been another one.
		if want := s.t.Words(); words != want {
			if !j.recipe.subspace.Ragged() || s.t.Shape != op.S(1, j.capacity) || min(words, want) < j.cells[i].Dim() {
				return fmt.Errorf("its state %q has %d entries for a cell; the program has %d", s.name, words, want)
			}
			b = slices.Concat(b[:4*j.cells[i].Dim()], make([]byte, 4*(want-j.cells[i].Dim())))
		}
		if err := j.pack.Write(s.name, i, b); err != nil {
			return err
		}
	}
	steps, err := j.word(stepDone, i)
	if err != nil {
		return err
	}
	kept, err := j.word(lossDone, i)
	if err != nil {
		return err
	}
	due := 0 // losses that so many steps give
	for _, k := range LossSteps(j.cells[i].Steps) {
		if k < int(steps) {
			due++
		}
	}
	if int(steps) > j.cells[i].Steps || int(kept) != due {
		return errors.New("its steps and losses do not fit together")
	}
	b, err := read(joulesTensor, 1)
	if err != nil {
		return err
	}
	j.trains[i].joules += float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	j.trains[i].steps = int(steps)
	return nil
}

// forget removes what is kept of the pack's cells.
func (j *job) forget() error {
	if j.ledger == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cells {
		delete(j.saved.rows, c.ID())
	}
	return j.saved.prune(j.ledger.dir)
}

// prune removes the checkpoints that no row is left of.
func (c *checkpoints) prune(dir string) error {
	paths, err := checkpointsIn(dir)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, r := range c.rows {
		needed[r.path] = true
	}
	for _, path := range paths {
		if !needed[path] {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkpointsIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, checkpointDir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, checkpointEnding) && name[0] != '.' {
			paths = append(paths, filepath.Join(dir, checkpointDir, name))
		}
	}
	return paths, err
}

// removeCheckpoints removes them all, and what a killed run left half written.
func removeCheckpoints(dir string) error {
	return os.RemoveAll(filepath.Join(dir, checkpointDir))
}
