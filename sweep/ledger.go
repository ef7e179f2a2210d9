package sweep

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"lockstep/internal/build"
	"lockstep/internal/files"
	"lockstep/op"
)

// LedgerFile is the name of the ledger in a sweep's folder.
const LedgerFile = "ledger.sqlite"

// ledgerFormat is the version of the schema, kept as the database's user_version; ledgerID its application_id ("lock").
const (
	ledgerFormat = 1
	ledgerID     = 0x6c6f636b
)

//go:embed ledger.sql
var ledgerSchema string

// Ledger is the database of a sweep's folder: what it is a sweep of, its cells, the runs that worked on it, and the results
// of the cells that have ended. Each result is a transaction of its own, which is on the disk when it ends (rollback
// journal, synchronous = FULL), so a process may be killed at any moment.
type Ledger struct {
	dir  string
	db   *sql.DB
	lock *files.Lock // nil: only for reading
	run  int64       // the row of this run
}

// OpenLedger opens the ledger of a sweep's folder for reading; a run may be at work on it. Errors: there is none, it is no
// ledger or a damaged one, or one of another format.
func OpenLedger(dir string) (*Ledger, error) {
	l, err := openLedger(dir, "mode=rw&_pragma=query_only(1)") // rw, or a killed run's last transaction could not be rolled back
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s holds no sweep: there is no %s in it", dir, LedgerFile)
	}
	return l, err
}

// openLedger opens a database that is there; options are the driver's. Its errors are those of OpenLedger; fs.ErrNotExist
// also for a database that was never filled.
func openLedger(dir, options string) (*Ledger, error) {
	path := filepath.Join(dir, LedgerFile)
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	db, err := openDB(path, options)
	if err != nil {
		return nil, err
	}
	l := &Ledger{dir: dir, db: db}
	var id, format int
	err = db.QueryRow("PRAGMA application_id").Scan(&id)
	if err == nil {
		err = db.QueryRow("PRAGMA user_version").Scan(&format)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%s is no ledger, or damaged: %w", path, err)
	case id == 0 && format == 0:
		err = l.empty(path)
	case id != ledgerID:
		err = fmt.Errorf("%s is no ledger: it is a database of another program", path)
	case format != ledgerFormat:
		err = fmt.Errorf("%s has ledger format %d; this build reads format %d", path, format, ledgerFormat)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return l, nil
}

// empty tells a database that a killed run had not yet filled from one of another program.
func (l *Ledger) empty(path string) error {
	var tables int
	if err := l.db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fmt.Errorf("%s is no ledger, or damaged: %w", path, err)
	}
	if tables > 0 {
		return fmt.Errorf("%s is no ledger: it is a database of another program", path)
	}
	return fs.ErrNotExist
}

// patience is how long a statement waits, in milliseconds, for another process that reads or writes the ledger. Those of ours
// are through in much less; a run should outlive somebody who looks at its ledger with another program.
const (
	patience        = 600_000
	readersPatience = 10_000
)

// openDB opens a database, with one connection: transactions are plain, and nothing waits for itself.
func openDB(path, options string) (*sql.DB, error) {
	wait := patience
	if strings.Contains(options, "query_only") {
		wait = readersPatience
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: "_pragma=busy_timeout(" + strconv.Itoa(wait) + ")&_pragma=foreign_keys(1)&_txlock=immediate&" + options}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// Close closes the database, and gives the folder back.
func (l *Ledger) Close() error {
	err := l.db.Close()
	if l.lock != nil {
		err = errors.Join(err, l.lock.Release())
	}
	return err
}

// planOf is Record.Plan.
func planOf(cells []Cell) string {
	ids := make([]string, len(cells))
	for i, c := range cells {
		ids[i] = c.ID()
	}
	slices.Sort(ids)
	h := sha256.New()
	for _, id := range ids {
		fmt.Fprintln(h, id)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fill makes the tables, and enters the card and its cells: all of it, or nothing.
func (l *Ledger) fill(card *Card, cells []Cell) error {
	return l.transact(func(tx *sql.Tx) error {
		if _, err := tx.Exec(ledgerSchema); err != nil {
			return err
		}
		if _, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", ledgerID, ledgerFormat)); err != nil {
			return err
		}
		return enter(tx, card, cells)
	})
}

// enter writes the card and its cells over what was there.
func enter(tx *sql.Tx, card *Card, cells []Cell) error {
	settings, err := json.Marshal(card.Settings)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM sweep"); err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO sweep (law, name, about, card, settings, plan) VALUES (?, ?, ?, ?, ?, ?)",
		op.Version, card.Name, card.About, string(card.Source), string(settings), planOf(cells)); err != nil {
		return err
	}
	for _, c := range cells {
		if _, err := tx.Exec("INSERT OR IGNORE INTO data (name, sha256) VALUES (?, ?)", c.set.Title(), hex.EncodeToString(c.set.Hash[:])); err != nil {
			return err
		}
	}
	insert, err := tx.Prepare(`INSERT INTO cells (id, place, arm, axes, seed, params, d, steps, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET place = excluded.place, arm = excluded.arm, axes = excluded.axes`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, c := range cells {
		axes, err := json.Marshal(c.Axes)
		if err != nil {
			return err
		}
		if _, err := insert.Exec(c.ID(), c.place, c.Arm, string(axes), int64(c.Seed), c.Model.D(), c.Dim(), c.Steps, string(c.Canonical())); err != nil {
			return err
		}
	}
	return nil
}

// begin enters a run of this process.
func (l *Ledger) begin(engine string) error {
	if _, err := l.db.Exec(devicesSchema); err != nil {
		return err
	}
	r, err := l.db.Exec("INSERT INTO runs (started, build, engine, machine) VALUES (?, ?, ?, ?)", now(), build.Stamp(), engine, build.Machine())
	if err == nil {
		l.run, err = r.LastInsertId()
	}
	return err
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

func (l *Ledger) transact(f func(tx *sql.Tx) error) error {
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// beforeCommit is where a test kills.
var beforeCommit = func(id string) {}

// commit puts the result of a cell on the disk.
func (l *Ledger) commit(r Result) error {
	if err := l.lock.Held(); err != nil {
		return err
	}
	declared, err := json.Marshal(r.Declared)
	if err != nil {
		return err
	}
	err = l.transact(func(tx *sql.Tx) error {
		d := r.Derived
		_, err := tx.Exec("INSERT INTO results (id, run, ended, declared, train_loss, test_loss, test_accuracy, performance) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			r.ID, l.run, now(), string(declared), d.TrainLoss, d.TestLoss, d.TestAccuracy, d.Performance)
		if err == nil && r.Joules != nil {
			_, err = tx.Exec("INSERT INTO energy (id, joules) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET joules = excluded.joules", r.ID, *r.Joules)
		}
		beforeCommit(r.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s cannot take the result of cell (%s): %w; what it holds is safe", filepath.Join(l.dir, LedgerFile), r.Name(), err)
	}
	return nil
}

// ended lists the cells that have results, by identity. It reads no result.
func (l *Ledger) ended() (map[string]bool, error) {
	ids, err := collect(l.db, "SELECT id FROM results", func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
	all := map[string]bool{}
	for _, id := range ids {
		all[id] = true
	}
	return all, err
}

// best is the best performance so far.
func (l *Ledger) best() (best float64, err error) {
	for r, err := range l.Results() {
		if err != nil {
			return 0, err
		}
		best = max(best, r.Derived.Performance)
	}
	return best, nil
}

// whole tells whether the ledger holds the given cells and no others, and results of theirs that can be read: better known
// before the others are trained than after.
func (l *Ledger) whole(cells []Cell) error {
	ids, err := collect(l.db, "SELECT id FROM cells ORDER BY id", func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
	if err != nil {
		return err
	}
	want := make([]string, len(cells))
	for i, c := range cells {
		want[i] = c.ID()
	}
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		return fmt.Errorf("%s is damaged: its %d cells are not the %d that it is a sweep of", filepath.Join(l.dir, LedgerFile), len(ids), len(want))
	}
	n := 0
	for _, err := range l.Results() {
		if err != nil {
			return err
		}
		n++
	}
	if ended, err := l.ended(); err != nil || len(ended) != n {
		return cmp.Or(err, fmt.Errorf("%s is damaged: %d of its %d results are of none of its cells", filepath.Join(l.dir, LedgerFile), len(ended)-n, len(ended)))
	}
	return nil
}

// finish enters the digest, once every cell has ended. Error: the ledger has another one.
func (l *Ledger) finish() error {
	r, err := l.Record()
	if err != nil || r.Done < r.Cells {
		return cmp.Or(err, fmt.Errorf("%d of %d cells have no result", r.Cells-r.Done, r.Cells))
	}
	digest, err := l.Digest()
	if err != nil || digest == r.Digest {
		return err
	}
	if r.Digest != "" {
		return l.damaged(r.Digest, digest)
	}
	_, err = l.db.Exec("UPDATE sweep SET digest = ?", digest)
	return err
}

func (l *Ledger) damaged(want, have string) error {
	return fmt.Errorf("%s was changed since the sweep ended: its results have digest %.12s.., not %.12s..; lockstep sweep verify %s names the cells",
		filepath.Join(l.dir, LedgerFile), have, want, l.dir)
}

// Digest is the digest of the results that the ledger holds now: see Digest.
func (l *Ledger) Digest() (string, error) {
	d := newDigester()
	for r, err := range l.results("id") {
		if err != nil {
			return "", err
		}
		if err := d.add(r); err != nil {
			return "", err
		}
	}
	return d.sum(), nil
}

// FinalDigest is the digest of a sweep whose cells have all ended. Error: they have not, or the results are not those that the
// sweep ended with.
func (l *Ledger) FinalDigest() (string, error) {
	r, err := l.Record()
	if err != nil {
		return "", err
	}
	if r.Digest == "" {
		return "", fmt.Errorf("%s holds no finished sweep: %d of %d cells have ended", l.dir, r.Done, r.Cells)
	}
	have, err := l.Digest()
	if err == nil && have != r.Digest {
		err = l.damaged(r.Digest, have)
	}
	return have, err
}

// enterAgain takes names and order from a card that plans the same cells.
func (l *Ledger) enterAgain(card *Card, cells []Cell) error {
	return l.transact(func(tx *sql.Tx) error {
		var digest sql.NullString
		if err := tx.QueryRow("SELECT digest FROM sweep").Scan(&digest); err != nil {
			return err
		}
		if err := enter(tx, card, cells); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE sweep SET digest = ?", digest)
		return err
	})
}
