package sweep

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lockstep/internal/files"
	"lockstep/op"
)

const lockFile = ".lock"

// RunTo runs the cells of the card into the ledger of the folder dir, which is made if it is missing. What has ended is
// kept, whatever ends the run; with resume, it takes up the sweep that dir holds where it was stopped.
//
// Errors: another run is at work in dir; dir holds a sweep and resume is false; dir holds another sweep, which a
// MismatchError shows line by line; and those of Run.
func RunTo(ctx context.Context, dir string, card *Card, cells []Cell, resume bool, o Options) error {
	if _, err := os.Stat(dir); err != nil && resume {
		return nothing(dir)
	}
	if err := files.MakeDir(dir); err != nil {
		return err
	}
	l, err := claim(dir, card, cells, resume)
	if err != nil {
		return err
	}
	return errors.Join(l.runRest(ctx, cells, o), l.Close())
}

func (l *Ledger) runRest(ctx context.Context, cells []Cell, o Options) error {
	ended, err := l.ended()
	if err != nil {
		return err
	}
	best, err := l.best()
	if err != nil {
		return err
	}
	steps := 0
	var rest []Cell
	for _, c := range cells {
		if ended[c.ID()] {
			steps += c.Steps
		} else {
			rest = append(rest, c)
		}
	}
	if o.Progress != nil && len(ended) > 0 {
		o.Progress.Skip(len(ended), steps, best)
	}
	if len(rest) > 0 {
		if err := l.begin(o.engineName()); err != nil {
			return fmt.Errorf("%s cannot be written: %w", filepath.Join(l.dir, LedgerFile), err)
		}
		r := newRunner(o, l.commit)
		r.ledger = l
		if err := files.Leftovers(filepath.Join(l.dir, checkpointDir)); err != nil {
			return err
		}
		if r.saved, err = findCheckpoints(l.dir); err != nil {
			return err
		}
		for id := range ended {
			delete(r.saved.rows, id)
		}
		if err := r.saved.prune(l.dir); err != nil {
			return err
		}
		if err := r.run(ctx, rest); err != nil {
			return l.stopped(err)
		}
	}
	if err := l.finish(); err != nil {
		return err
	}
	return removeCheckpoints(l.dir)
}

// stopped adds to an error what is kept.
func (l *Ledger) stopped(err error) error {
	r, e := l.Record()
	if e != nil {
		return errors.Join(err, e)
	}
	ended, e := l.ended()
	if e != nil {
		return errors.Join(err, e)
	}
	kept, more := "", 0
	if c, e := findCheckpoints(l.dir); e == nil {
		for id := range c.rows {
			if !ended[id] {
				more++
			}
		}
	}
	if more > 0 {
		kept = fmt.Sprintf(", and a checkpoint of %d more", more)
	}
	return fmt.Errorf("%w (%d of %d cells have ended and are kept%s; the same command with --resume goes on from there)", err, r.Done, r.Cells, kept)
}

// claim locks the folder and opens its ledger for these cells: a new one, or with resume the one that is there.
func claim(dir string, card *Card, cells []Cell, resume bool) (l *Ledger, err error) {
	lock, err := files.NewLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Release()
		}
	}()
	const durable = "_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)"
	switch l, err = openLedger(dir, "mode=rw&"+durable); {
	case errors.Is(err, fs.ErrNotExist) && resume:
		return nil, nothing(dir)
	case errors.Is(err, fs.ErrNotExist):
		db, err := openDB(filepath.Join(dir, LedgerFile), "mode=rwc&"+durable)
		if err != nil {
			return nil, err
		}
		l = &Ledger{dir: dir, db: db}
		if err := l.fill(card, cells); err != nil {
			db.Close()
			return nil, fmt.Errorf("%s cannot be written: %w", filepath.Join(dir, LedgerFile), err)
		}
	case err != nil:
		return nil, err
	default:
		if err := l.agree(card, cells, resume); err != nil {
			l.db.Close()
			return nil, err
		}
	}
	l.lock = lock
	return l, nil
}

func nothing(dir string) error {
	return fmt.Errorf("%s holds no sweep to go on with; leave --resume out to start one", dir)
}

// agree tells whether the ledger may be gone on with for these cells. What names and orders them is taken from the card as
// it is now.
func (l *Ledger) agree(card *Card, cells []Cell, resume bool) error {
	was, err := l.Record()
	if err != nil {
		return err
	}
	same := was.Law == op.Version && was.Plan == planOf(cells)
	if !resume {
		holds := "another sweep"
		if same {
			holds = "this sweep"
		}
		state := fmt.Sprintf("%d of its %d cells have ended", was.Done, was.Cells)
		return fmt.Errorf("%s holds %s already, %s: %s goes on with it; choose another folder to start anew", l.dir, holds, state, "--resume")
	}
	if !same {
		return mismatch(l.dir, was, card, cells)
	}
	if err := l.whole(cells); err != nil {
		return err
	}
	if was.Card == string(card.Source) && slices.Equal(was.Settings, card.Settings) {
		return nil
	}
	return l.enterAgain(card, cells)
}

// MismatchError tells why a folder's sweep cannot be gone on with.
type MismatchError struct {
	Dir         string
	Done        int
	Differences []string // such as "card  steps: 1200 -> 600"
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s holds another sweep, %d cells of which have ended:\n    %s\n  go on with what it is of, or choose another folder",
		e.Dir, e.Done, strings.Join(e.Differences, "\n    "))
}

// mismatch compares a ledger's sweep with another one.
func mismatch(dir string, was Record, card *Card, cells []Cell) error {
	e := &MismatchError{Dir: dir, Done: was.Done}
	differ := func(kind, what, from, to string) {
		if from != to {
			e.Differences = append(e.Differences, fmt.Sprintf("%-5s %s: %s -> %s", kind, what, from, to))
		}
	}
	differ("law", "version", fmt.Sprint(was.Law), fmt.Sprint(op.Version))
	old, err := was.Parse()
	if err != nil {
		return fmt.Errorf("%s: the card that it holds cannot be read by this build: %w", dir, err)
	}
	from, to := old.root.leaves(), card.root.leaves()
	for _, path := range unionOf(from, to) {
		value := func(m map[string]string) string {
			if v, ok := m[path]; ok {
				return v
			}
			return "nothing"
		}
		differ("card", path, value(from), value(to))
	}
	hashes := map[string]string{}
	for _, c := range cells {
		hashes[c.set.Title()] = hex.EncodeToString(c.set.Hash[:])
	}
	for _, d := range was.Data {
		if h, ok := hashes[d.Name]; ok {
			differ("data", d.Name, d.SHA256[:16]+"..", h[:16]+"..")
		}
	}
	if len(e.Differences) == 0 {
		e.Differences = []string{fmt.Sprintf("plan  %.16s.. -> %.16s..: this build makes other cells of the same card", was.Plan, planOf(cells))}
	}
	return e
}

// leaves are the values of a table by their paths: rule.lr, arms.baseline.map.type, model.layers[0].out. A list of plain
// values is one value. What only describes is left out.
func (n *node) leaves() map[string]string {
	all := map[string]string{}
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		switch {
		case n.kind == table:
			for _, e := range n.keys {
				if p := join(path, e.key); p != "name" && p != "about" && p != "expect" {
					walk(e.val, p)
				}
			}
		case n.kind == list && slices.ContainsFunc(n.list, func(v *node) bool { return v.kind == table || v.kind == list }):
			for i, v := range n.list {
				at := fmt.Sprintf("%s[%d]", path, i)
				if name := v.get("name"); name != nil {
					at = join(path, name.text)
				}
				walk(v, at)
			}
		case n.kind == list:
			texts := make([]string, len(n.list))
			for i, v := range n.list {
				texts[i] = v.text
			}
			all[path] = "[" + strings.Join(texts, ", ") + "]"
		default:
			all[path] = n.text
		}
	}
	walk(n, "")
	return all
}

// unionOf lists the keys of both maps in order.
func unionOf(a, b map[string]string) []string {
	keys := append(sortedKeys(a), sortedKeys(b)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}
