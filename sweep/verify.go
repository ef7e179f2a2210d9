package sweep

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"lockstep/data"
	"lockstep/graph"
	"lockstep/op"
)

// VerifyOptions choose what Verify recomputes, and on what.
type VerifyOptions struct {
	Engine   func() (graph.Engine, error) // called once for each worker
	Workers  int                          // cells at a time
	Sample   int                          // cells to recompute; 0: all
	Seed     uint64                       // chooses the sample
	Data     data.Source
	Progress func(card *Card, cells []Cell) Reporter // may be nil
}

// Verification is what Verify found.
type Verification struct {
	Cells      int        `json:"cells"`   // of the sweep
	Done       int        `json:"done"`    // of these, that have ended
	Checked    int        `json:"checked"` // of these, that were recomputed
	Mismatches []Mismatch `json:"mismatches"`
}

// Mismatch is a number that is not what its cell's description gives.
type Mismatch struct {
	Cell       string `json:"cell"` // arm, axes, seed
	ID         string `json:"id"`
	Number     string `json:"number"` // such as train_loss or losses[3]
	Ledger     string `json:"ledger"`
	Recomputed string `json:"recomputed"`
}

func (m Mismatch) String() string {
	return fmt.Sprintf("cell (%s): %s is %s in the ledger; it should be %s", m.Cell, m.Number, m.Ledger, m.Recomputed)
}

// Verify trains cells of the sweep in dir again, each alone, and compares what they give with what the ledger holds: declared
// results bit for bit, derived ones to 1e-9. The recomputation starts from the ledger's card and data alone: the ledger is
// closed before it begins, and opened for its results after it has ended.
//
// Errors: no ledger, another law, other data, a card that does not make the ledger's cells. A Mismatch is no error.
func Verify(ctx context.Context, dir string, o VerifyOptions) (v Verification, err error) {
	card, cells, err := plannedIn(dir, o.Data)
	if err != nil {
		return v, err
	}
	v.Cells = len(cells)
	ended, err := endedIn(dir)
	if err != nil {
		return v, err
	}
	planned := map[string]Cell{}
	for _, c := range cells {
		planned[c.ID()] = c
	}
	cells = slices.DeleteFunc(cells, func(c Cell) bool { return !ended[c.ID()] })
	if v.Done = len(cells); v.Done == 0 {
		return v, fmt.Errorf("%s holds no result yet: there is nothing to verify", dir)
	}
	cells = sample(cells, o.Sample, o.Seed)
	v.Checked = len(cells)
	again, err := recompute(ctx, card, cells, o)
	if err != nil {
		return v, err
	}
	l, err := OpenLedger(dir)
	if err != nil {
		return v, err
	}
	defer l.Close()
	c := &comparison{planned: planned, again: again, all: []Mismatch{}}
	err = c.run(l)
	v.Mismatches = c.all
	return v, err
}

// plannedIn makes the cells of the ledger's card, and holds them against the ledger's plan.
func plannedIn(dir string, source data.Source) (*Card, []Cell, error) {
	l, err := OpenLedger(dir)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	r, err := l.Record()
	if err != nil {
		return nil, nil, err
	}
	if r.Law != op.Version {
		return nil, nil, fmt.Errorf("%s follows law %d; this build follows law %d and cannot recompute it", dir, r.Law, op.Version)
	}
	card, err := r.Parse()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: the card that it holds: %w", dir, err)
	}
	card.Data = source
	cells, err := card.Cells()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: the card that it holds: %w", dir, err)
	}
	hashes := map[string]string{}
	for _, c := range cells {
		hashes[c.set.Title()] = hex.EncodeToString(c.set.Hash[:])
	}
	for _, d := range r.Data {
		if h, ok := hashes[d.Name]; ok && h != d.SHA256 {
			return nil, nil, fmt.Errorf("data %s are others than those of %s: SHA-256 begins with %.16s, not %.16s", d.Name, dir, h, d.SHA256)
		}
		delete(hashes, d.Name)
	}
	if len(hashes) > 0 || r.Name != card.Name || r.About != card.About {
		return nil, nil, fmt.Errorf("%s was changed: its name, or the data that it names, are not those of the card that it holds", dir)
	}
	if r.Plan != planOf(cells) {
		return nil, nil, fmt.Errorf("%s was changed: the card that it holds does not make the cells that it is a sweep of (plan %.12s.., not %.12s..)", dir, planOf(cells), r.Plan)
	}
	return card, cells, nil
}

func endedIn(dir string) (map[string]bool, error) {
	l, err := OpenLedger(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.ended()
}

// sample draws n cells, all if n is 0, and keeps their order.
func sample(cells []Cell, n int, seed uint64) []Cell {
	if n == 0 || n >= len(cells) {
		return cells
	}
	key := op.Key(seed, "sample")
	drawn := make([]int, n)
	for i := range drawn {
		drawn[i] = int(op.Permute(key, 0, uint32(len(cells)), uint32(i)))
	}
	slices.Sort(drawn)
	out := make([]Cell, n)
	for i, k := range drawn {
		out[i] = cells[k]
	}
	return out
}

// recompute runs each cell in a pack of its own.
func recompute(ctx context.Context, card *Card, cells []Cell, o VerifyOptions) (map[string]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var told serial // by several runs at a time
	if o.Progress != nil {
		reporter := o.Progress(card, cells)
		defer reporter.Close()
		told.to = reporter
	}
	again, mu := map[string]Result{}, sync.Mutex{}
	queue := make(chan Cell)
	workers := min(max(o.Workers, 1), max(len(cells), 1))
	errs := make(chan error, workers)
	for range workers {
		go func() {
			err := func() error {
				engine, err := o.Engine()
				if err != nil {
					return err
				}
				defer engine.Close()
				for c := range queue {
					results, err := Run(ctx, []Cell{c}, Options{Engine: engine, Progress: &told})
					if err != nil {
						return fmt.Errorf("cell (%s): %w", c.Name(), err)
					}
					mu.Lock()
					again[c.ID()] = results[0]
					mu.Unlock()
				}
				return nil
			}()
			if err != nil {
				cancel() // the others stop, too
			}
			errs <- err
		}()
	}
	for _, c := range cells {
		select {
		case queue <- c:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	var err error
	for range workers {
		if e := <-errs; err == nil || errors.Is(err, context.Canceled) {
			err = cmp.Or(e, err)
		}
	}
	return again, cmp.Or(err, ctx.Err())
}

// comparison holds a ledger against the card's cells and against recomputed results.
type comparison struct {
	planned map[string]Cell
	again   map[string]Result
	all     []Mismatch
}

func (c *comparison) differ(cell, id, number, ledger, recomputed string) {
	if ledger != recomputed {
		c.all = append(c.all, Mismatch{cell, id, number, short(ledger), short(recomputed)})
	}
}

// short cuts long texts.
func short(s string) string {
	if len(s) > 100 {
		return s[:100] + ".."
	}
	return s
}

func (c *comparison) run(l *Ledger) error {
	if err := c.cells(l); err != nil {
		return err
	}
	if err := c.results(l); err != nil {
		return err
	}
	return c.digest(l)
}

// cells compares what the ledger says of every cell, ended or not, with the card's.
func (c *comparison) cells(l *Ledger) error {
	rows, err := l.db.Query("SELECT id, place, arm, axes, seed, params, d, steps, description FROM cells ORDER BY place")
	if err != nil {
		return err
	}
	defer rows.Close()
	order := map[string]int{}
	for _, cell := range c.planned {
		order[cell.ID()] = cell.place
	}
	seen := map[string]bool{}
	for rows.Next() {
		var id, arm, axes, description string
		var place, seed, params, d, steps int64
		if err := rows.Scan(&id, &place, &arm, &axes, &seed, &params, &d, &steps, &description); err != nil {
			return err
		}
		want, ok := c.planned[id]
		if !ok {
			c.differ(cellText(arm, axes, seed), id, "the cell", "there", "not in the card")
			continue
		}
		seen[id] = true
		text, err := json.Marshal(want.Axes)
		if err != nil {
			return err
		}
		for _, n := range []struct{ name, has, want string }{
			{"place", fmt.Sprint(place), fmt.Sprint(order[id])},
			{"arm", arm, want.Arm},
			{"axes", axes, string(text)},
			{"seed", fmt.Sprint(seed), fmt.Sprint(want.Seed)},
			{"params", fmt.Sprint(params), fmt.Sprint(want.Model.D())},
			{"d", fmt.Sprint(d), fmt.Sprint(want.Dim())},
			{"steps to do", fmt.Sprint(steps), fmt.Sprint(want.Steps)},
			{"description", description, string(want.Canonical())},
		} {
			c.differ(want.Name(), id, n.name, n.has, n.want)
		}
	}
	for _, id := range sortedKeys(c.planned) {
		if !seen[id] {
			c.differ(c.planned[id].Name(), id, "the cell", "missing", "there, for it is in the card")
		}
	}
	return rows.Err()
}

func cellText(arm, axes string, seed int64) string {
	return fmt.Sprintf("arm %s, axes %s, seed %d", arm, axes, seed)
}

// results compares the rows of recomputed cells, and finds rows of no cell.
func (c *comparison) results(l *Ledger) error {
	rows, err := l.db.Query("SELECT id, declared, train_loss, test_loss, test_accuracy, performance FROM results ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var id, declared string
		var d Derived
		if err := rows.Scan(&id, &declared, &d.TrainLoss, &d.TestLoss, &d.TestAccuracy, &d.Performance); err != nil {
			return err
		}
		if _, ok := c.planned[id]; !ok {
			c.differ("unknown", id, "the result", "there", "of no cell of the card")
			continue
		}
		want, ok := c.again[id]
		if !ok { // its derived numbers follow from the others all the same
			want = Result{ID: id, Arm: c.planned[id].Arm, Axes: c.planned[id].Axes, Seed: c.planned[id].Seed}
			if err := strictly([]byte(declared), &want.Declared); err != nil {
				c.differ(c.planned[id].Name(), id, "declared", declared, "a result: "+err.Error())
				continue
			}
			want.derive(c.planned[id].set.Test())
		} else {
			seen++
		}
		text, err := json.Marshal(want.Declared)
		if err != nil {
			return err
		}
		compareJSON(declared, string(text), func(number, has, want string) {
			c.differ(c.planned[id].Name(), id, number, has, want)
		})
		for _, n := range []struct {
			name      string
			has, want *float64
		}{
			{"train_loss (derived)", d.TrainLoss, want.Derived.TrainLoss},
			{"test_loss (derived)", d.TestLoss, want.Derived.TestLoss},
			{"test_accuracy (derived)", d.TestAccuracy, want.Derived.TestAccuracy},
			{"performance (derived)", &d.Performance, &want.Derived.Performance},
		} {
			if !near(n.has, n.want) {
				c.differ(want.Name(), id, n.name, decimalOf(n.has), decimalOf(n.want))
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if seen < len(c.again) {
		return fmt.Errorf("%s has lost results since the recomputation began: %d of %d are there", l.dir, seen, len(c.again))
	}
	return nil
}

// digest compares the digest that a finished sweep names: with that of the recomputed results if they are all, else with that
// of the results that the ledger holds. A finished sweep has a result of every cell.
func (c *comparison) digest(l *Ledger) error {
	r, err := l.Record()
	if err == nil && r.Digest == "" && r.Done == r.Cells {
		c.differ("the whole sweep", "", "digest", "missing", "there, for all cells have ended (a run with --resume enters it)")
	}
	if err != nil || r.Digest == "" {
		return err
	}
	ended, err := l.ended()
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(c.planned) {
		if !ended[id] {
			c.differ(c.planned[id].Name(), id, "the result", "missing", "there, for the sweep is finished")
		}
	}
	if len(c.again) < len(c.planned) {
		if len(c.all) == 0 { // else it is known to differ
			have, err := l.Digest()
			if err != nil {
				return err
			}
			c.differ("the whole sweep", "", "digest", r.Digest, have)
		}
		return nil
	}
	again := make([]Result, 0, len(c.again))
	for _, x := range c.again {
		again = append(again, x)
	}
	have, err := Digest(again)
	if err == nil {
		c.differ("the whole sweep", "", "digest", r.Digest, have)
	}
	return err
}
