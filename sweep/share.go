package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"lockstep/graph"
)

// queue holds the packs that no engine works on. A pack at work may come back.
type queue struct {
	mu      sync.Mutex
	change  *sync.Cond
	packs   []*packPlan
	working int // packs
	engines int // that are not lost
	stopped bool
}

func newQueue(packs []*packPlan, engines int) *queue {
	q := &queue{packs: packs, engines: engines}
	q.change = sync.NewCond(&q.mu)
	return q
}

// next is a pack to work on; nil when there is none and none will come back, or when the queue was stopped.
func (q *queue) next() *packPlan {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.packs) == 0 && q.working > 0 && !q.stopped {
		q.change.Wait()
	}
	if len(q.packs) == 0 || q.stopped {
		return nil
	}
	p := q.packs[0]
	q.packs = q.packs[1:]
	q.working++
	return p
}

// ended takes note that a pack is no more at work; back are the packs that are left of it.
func (q *queue) ended(back ...*packPlan) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.working--
	q.packs = append(slices.Clone(back), q.packs...)
	q.change.Broadcast()
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.change.Broadcast()
}

// left tells whether there are packs that nobody has worked on.
func (q *queue) left() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.packs) > 0
}

// lose takes note that an engine is lost, and tells whether another one is left.
func (q *queue) lose() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.engines--
	return q.engines > 0
}

// share lets every engine work off packs until none is left: at first the one of its number, then whichever nobody has. A pack for which
// an engine's memory does not suffice after all is cut in two; what an engine that is lost had in hand goes to another one. Any other
// error of one engine stops the others, which write checkpoints.
func (r *runner) share(ctx context.Context, packs []*packPlan, engines []graph.Engine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := newQueue(packs, len(engines))
	defer context.AfterFunc(ctx, q.stop)()
	first := make([]*packPlan, len(engines))
	for i := range min(len(engines), len(packs)) {
		first[i] = q.next()
	}
	errs := make([]error, len(engines))
	var all sync.WaitGroup
	for i, e := range engines {
		all.Go(func() {
			w := &worker{runner: r, engine: e}
			for p := first[i]; ; p = nil {
				if p == nil {
					p = q.next()
				}
				if p == nil {
					return
				}
				lost, err := w.attempt(ctx, q, p)
				if errs[i] = err; err != nil {
					cancel()
				}
				if lost || err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	causes := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return errors.Is(err, context.Canceled) })
	if err := errors.Join(causes...); err != nil {
		return err
	}
	if err := cmp.Or(errs...); err != nil {
		return err
	}
	if q.left() { // stopped between two packs
		return ctx.Err()
	}
	return nil
}

// attempt works a pack off, or gives what is left of it back to the queue. lost tells that the engine is of no use any more; the error is
// one that the sweep does not get over.
func (w *worker) attempt(ctx context.Context, q *queue, p *packPlan) (lost bool, err error) {
	j := w.newJob(p)
	err = j.work(ctx)
	switch {
	case err == nil:
		q.ended()
		return false, nil
	case ctx.Err() != nil: // it was told to stop
	case errors.Is(err, graph.ErrLost):
		if p.lost != nil {
			err = fmt.Errorf("%w; and before that the same cells, on another engine: %w", err, p.lost)
			break
		}
		if !q.lose() {
			break
		}
		rest := j.rest()
		rest.lost = err
		j.again(fmt.Errorf("an engine is lost, and its pack of %d cells left to the others: %w", len(rest.cells), err))
		q.ended(rest)
		return true, nil
	case errors.Is(err, graph.ErrMemory):
		rest := j.rest()
		if len(rest.cells) == 1 {
			err = fmt.Errorf("cell (%s) alone: %w", rest.cells[0].Name(), err)
			break
		}
		j.again(fmt.Errorf("a pack of %d cells is cut in two: %w", len(rest.cells), err))
		q.ended(rest.halves()...)
		return false, nil
	}
	q.ended()
	return false, err
}
