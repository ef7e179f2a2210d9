package curvature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"lockstep/data"
	"lockstep/op"
)

// loop is an estimation: a number of equal steps, each of which ends with whole states.
type loop struct {
	name  string // of the estimation with all that its result hangs on, but the operator and the seed
	steps int
	reset func(ctx context.Context) error
	step  func(ctx context.Context, i int) error
}

// run takes a loop from its beginning, or from where a checkpoint of it left it, to its end. When ctx ends it writes a checkpoint.
func (s *Session) run(ctx context.Context, l loop) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	at, err := s.load(l)
	if err != nil {
		return err
	}
	if at < 0 {
		at = 0
		if err := l.reset(ctx); err != nil {
			return err
		}
	}
	for s.tell(at, l.steps); at < l.steps; s.tell(at, l.steps) {
		if err := ctx.Err(); err != nil {
			if saved := s.save(l, at); saved != nil {
				return saved
			}
			return err
		}
		if s.keep != nil && at > 0 && s.keep.Due() {
			if err := s.save(l, at); err != nil {
				return err
			}
		}
		// A step that has begun is not stopped in its midst: what it would leave is nothing to go on from.
		if err := l.step(context.WithoutCancel(ctx), at); err != nil {
			return err
		}
		at++
	}
	s.last = l
	return nil
}

// pause tells, between products that come after an estimation, whether ctx has ended; then, and when it is time to, it keeps the whole estimation.
func (s *Session) pause(ctx context.Context) error {
	err := ctx.Err()
	if err != nil || s.keep != nil && s.keep.Due() {
		if saved := s.save(s.last, s.last.steps); saved != nil {
			return saved
		}
	}
	return err
}

func (s *Session) tell(done, of int) {
	if s.told != nil {
		s.told(done, of)
	}
}

const checkpointFormat = "lockstep/curvature/2"

// identity names what a checkpoint belongs to.
func (s *Session) identity(l loop) string {
	h, binds := sha256.New(), ""
	if s.Binds != nil {
		binds = s.Binds()
	}
	fmt.Fprintf(h, "%s\x00%s\x00%x\x00%s\x00%d models, %d vectors, seed %d", checkpointFormat, l.name, s.hash, binds, s.Models, s.Vectors, s.seed)
	return hex.EncodeToString(h.Sum(nil))
}

// save writes a checkpoint: every state of every program of the session.
func (s *Session) save(l loop, at int) error {
	if s.keep == nil {
		return nil
	}
	slots := map[string]int{}
	var tensors []data.Tensor
	for _, st := range s.states {
		n := s.cells()
		if st.t.Domain == op.Shared {
			n = 1
		}
		slots[st.name] = n
		tensors = append(tensors, data.Tensor{Name: st.name, DType: st.t.DType, Shape: append([]int{n}, st.t.Shape.Dims()...)})
	}
	fill := func(t data.Tensor, w io.Writer) error {
		n := slots[t.Name]
		each := make([]byte, t.Bytes()/int64(n))
		for c := range n {
			if err := s.pack.Read(t.Name, c, each); err != nil {
				return err
			}
			if _, err := w.Write(each); err != nil {
				return err
			}
		}
		return nil
	}
	meta := map[string]string{"format": checkpointFormat, "identity": s.identity(l), "done": strconv.Itoa(at)}
	if err := data.SumTensors(tensors, meta, fill); err != nil {
		return err
	}
	return s.keep.Save(func(w io.Writer) error { return data.WriteTensors(w, tensors, meta, fill) })
}

// load restores the states from a checkpoint of the loop, and tells how many steps it has done; -1: there is none of this loop.
func (s *Session) load(l loop) (at int, err error) {
	if s.keep == nil {
		return -1, nil
	}
	t, err := s.keep.Load()
	if err != nil || t == nil {
		return -1, err
	}
	defer t.Close()
	if t.Meta["format"] != checkpointFormat || t.Meta["identity"] != s.identity(l) {
		return -1, nil // of another estimation, which has ended or is not this one
	}
	if err := t.Whole(); err != nil {
		return -1, fmt.Errorf("curvature: the checkpoint: %w; without its file the estimation begins anew", err)
	}
	if at, err = strconv.Atoi(t.Meta["done"]); err != nil || at < 0 || at > l.steps {
		return -1, fmt.Errorf("curvature: the checkpoint says that %q of %d steps are done", t.Meta["done"], l.steps)
	}
	for _, st := range s.states {
		n := s.cells()
		if st.t.Domain == op.Shared {
			n = 1
		}
		have, ok := t.Get(st.name)
		each := make([]byte, 4*st.t.Words())
		if !ok || have.DType != st.t.DType || have.Bytes() != int64(n*len(each)) {
			return -1, fmt.Errorf("curvature: the checkpoint has no array %q of %d times %s", st.name, n, st.t)
		}
		for c := range n {
			if err := t.ReadAt(st.name, int64(c*len(each)), each); err != nil {
				return -1, err
			}
			if err := s.pack.Write(st.name, c, each); err != nil {
				return -1, err
			}
		}
	}
	return at, nil
}
