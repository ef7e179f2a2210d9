package sweep

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lockstep/data"
	"lockstep/graph"
	"lockstep/internal/files"
	"lockstep/op"
)

// Snapshots takes the parameters of cells along their training. They have the bits of the cell: whatever the engine, the pack, and stops and resumes,
// after which those since the last checkpoint are taken once more.
type Snapshots struct {
	Every int // steps between two, from step 0 on
	// Keep takes theta f32[D] of a cell after so many steps; it may keep the slice. Calls may come from several goroutines. An error ends the sweep.
	Keep func(c Cell, step int, theta []float32) error
}

// snapshotter takes a job's snapshots; nil takes none.
type snapshotter struct {
	*job
	exe   graph.Executable
	every int
	taken []int // by cell: the step of the last one; -1: none
}

func (j *job) newSnapshots(ctx context.Context) (*snapshotter, error) {
	if j.Snapshots == nil {
		return nil, nil
	}
	if j.Snapshots.Every < 1 {
		return nil, fmt.Errorf("snapshots every %d steps; want at least 1", j.Snapshots.Every)
	}
	p, err := j.recipe.parameters(j.capacity)
	if err != nil {
		return nil, err
	}
	exe, err := j.pack.Compile(p)
	return &snapshotter{j, exe, j.Snapshots.Every, slices.Repeat([]int{-1}, len(j.cells))}, err
}

// take takes those that are due.
func (s *snapshotter) take(ctx context.Context) error {
	if s == nil {
		return nil
	}
	ran := false
	for i, c := range s.cells {
		step := s.trains[i].steps
		if step%s.every != 0 || s.taken[i] == step || s.trains[i].frozen {
			continue
		}
		if !ran {
			if err := s.exe.Run(context.WithoutCancel(ctx), 1); err != nil {
				return err
			}
			ran = true
		}
		b := make([]byte, 4*s.recipe.model.D())
		if err := s.pack.Read(thetaOut, i, b); err != nil {
			return err
		}
		theta := make([]float32, len(b)/4)
		for k := range theta {
			theta[k] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:]))
		}
		if err := s.Snapshots.Keep(c, step, theta); err != nil {
			return fmt.Errorf("a snapshot of cell (%s) at step %d: %w", c.Name(), step, err)
		}
		s.taken[i] = step
	}
	return nil
}

// ahead is how many steps there are at most to the next one.
func (s *snapshotter) ahead() int {
	if s == nil {
		return math.MaxInt
	}
	n := s.every
	for i, c := range s.cells {
		if t := s.trains[i]; t.ahead(c.Steps) > 0 {
			n = min(n, s.every-t.steps%s.every)
		}
	}
	return n
}

func (s *snapshotter) close() {
	if s != nil {
		s.exe.Close()
	}
}

// SnapshotDir is where SnapshotFiles keeps snapshots in a sweep's folder.
const SnapshotDir = "snapshots"

// snapshotFolder is that of a cell.
func snapshotFolder(dir string, c Cell) string { return filepath.Join(dir, SnapshotDir, c.ID()[:16]) }

const snapshotEnding = ".npy"

// SnapshotFiles keeps snapshots as files of the folder dir: snapshots/ID/STEP.npy, f32[D], ID the first 16 digits of the cell's.
func SnapshotFiles(dir string, every int) *Snapshots {
	return &Snapshots{every, func(c Cell, step int, theta []float32) error {
		folder := snapshotFolder(dir, c)
		if err := files.MakeDir(folder); err != nil {
			return err
		}
		b, err := data.EncodeNPY(op.Float32s(op.S(len(theta)), theta...))
		if err != nil {
			return err
		}
		return files.WriteWhole(filepath.Join(folder, strconv.Itoa(step)+snapshotEnding), b)
	}}
}

// ReadSnapshots reads the snapshots of a cell at every so many steps that a folder holds, by ascending steps: up to the last, or to where the cell diverged.
// Error: there is none, or one that is damaged or of another size; one is missing, as of a run that took them at other steps.
func ReadSnapshots(dir string, c Cell, every int) (steps []int, thetas [][]float32, err error) {
	folder := snapshotFolder(dir, c)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		if step, err := strconv.Atoi(strings.TrimSuffix(e.Name(), snapshotEnding)); err == nil && strings.HasSuffix(e.Name(), snapshotEnding) {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return nil, nil, fmt.Errorf("%s holds no snapshots of cell (%s): run its card with snapshots", dir, c.Name())
	}
	slices.SortFunc(steps, cmp.Compare[int])
	last := steps[len(steps)-1]
	steps = slices.DeleteFunc(steps, func(step int) bool { return step%every != 0 })
	for i := range last/every + 1 {
		if i == len(steps) || steps[i] != i*every {
			return nil, nil, fmt.Errorf("%s has no snapshot of step %d, but one of step %d: it is of a run that took them at other steps; give its snapshots = N, or another folder", folder, i*every, last)
		}
	}
	for _, step := range steps {
		path := filepath.Join(folder, strconv.Itoa(step)+snapshotEnding)
		t, err := data.ReadNPY(path)
		if err != nil {
			return nil, nil, err
		}
		if D := c.Model.D(); t.DType != op.F32 || t.Rank != 1 || t.Len() != D {
			return nil, nil, fmt.Errorf("%s is %s%s; a snapshot of this cell is f32[%d]", path, t.DType, t.Shape, D)
		}
		thetas = append(thetas, t.F())
	}
	return steps, thetas, nil
}
