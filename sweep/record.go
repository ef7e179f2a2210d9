package sweep

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"
	"strconv"
	"time"
)

// Record says what a ledger is of, and what worked on it.
type Record struct {
	Name     string      `json:"name"`
	About    string      `json:"about,omitempty"`
	Card     string      `json:"card"`               // the card's text
	Settings []string    `json:"settings,omitempty"` // what --set changed in it
	Law      int         `json:"law"`
	Plan     string      `json:"plan"` // SHA-256 over the sorted identities of the cells, each with a line feed
	Data     []DataHash  `json:"data"`
	Cells    int         `json:"cells"`
	Done     int         `json:"done"`             // cells that have ended
	Diverged int         `json:"diverged"`         // of these
	Digest   string      `json:"digest,omitempty"` // once all have
	Runs     []RunRecord `json:"runs"`
}

// DataHash is a data set that the cells use: see data.Set.Title and Hash.
type DataHash struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// RunRecord is one process that worked on the sweep.
type RunRecord struct {
	Started time.Time `json:"started"`
	Last    time.Time `json:"last"` // when its last result was committed; zero if none was
	Build   string    `json:"build"`
	Engine  string    `json:"engine"`
	Machine string    `json:"machine"`
	Cells   int       `json:"cells"` // results

	Joules  *float64       `json:"joules,omitempty"`  // that devices used for these results, as far as it is known
	Metered int            `json:"metered,omitempty"` // of how many results it is
	Devices []DeviceRecord `json:"devices,omitempty"` // what they told
}

// Record reads what the ledger is of.
func (l *Ledger) Record() (r Record, err error) {
	var settings string
	var digest sql.NullString
	err = l.db.QueryRow("SELECT law, name, about, card, settings, plan, digest FROM sweep").Scan(&r.Law, &r.Name, &r.About, &r.Card, &settings, &r.Plan, &digest)
	if err == nil {
		r.Digest = digest.String
		err = json.Unmarshal([]byte(settings), &r.Settings)
	}
	if err == nil {
		err = l.db.QueryRow(`SELECT (SELECT count(*) FROM cells), (SELECT count(*) FROM results), (SELECT count(*) FROM results WHERE json_valid(declared) AND declared ->> 'diverged')`).
			Scan(&r.Cells, &r.Done, &r.Diverged)
	}
	if err == nil {
		r.Data, err = collect(l.db, "SELECT name, sha256 FROM data ORDER BY name", func(rows *sql.Rows) (d DataHash, err error) {
			return d, rows.Scan(&d.Name, &d.SHA256)
		})
	}
	var runs []int64
	if err == nil {
		r.Runs, err = collect(l.db, `SELECT run, started, coalesce(max(ended), ''), build, engine, machine, count(id)
			FROM runs LEFT JOIN results USING (run) GROUP BY run ORDER BY run`, func(rows *sql.Rows) (r RunRecord, err error) {
			var started, last string
			var run int64
			if err = rows.Scan(&run, &started, &last, &r.Build, &r.Engine, &r.Machine, &r.Cells); err != nil {
				return r, err
			}
			runs = append(runs, run)
			if r.Started, err = time.Parse(time.RFC3339Nano, started); err == nil && last != "" {
				r.Last, err = time.Parse(time.RFC3339Nano, last)
			}
			return r, err
		})
	}
	if err == nil {
		err = l.devices(r.Runs, runs)
	}
	if err != nil {
		err = fmt.Errorf("%s is damaged: %w", filepath.Join(l.dir, LedgerFile), err)
	}
	return r, err
}

// devices adds what devices told to the records of runs.
func (l *Ledger) devices(records []RunRecord, runs []int64) error {
	has, err := l.hasDevices()
	if err != nil || !has {
		return err
	}
	for i := range records {
		r := &records[i]
		if r.Joules, r.Metered, err = l.energyOf(runs[i]); err != nil {
			return err
		}
		if r.Devices, err = l.devicesOf(runs[i]); err != nil {
			return err
		}
	}
	return nil
}

func collect[T any](db *sql.DB, query string, scan func(*sql.Rows) (T, error), args ...any) (all []T, err error) {
	rows, err := db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

// Parse reads the card as the sweep ran it.
func (r Record) Parse() (*Card, error) {
	c, err := ParseCard(r.Name+".toml", []byte(r.Card))
	for _, s := range r.Settings {
		if err == nil {
			err = c.Set(s)
		}
	}
	return c, err
}

// Results reads the results of the cells that have ended, in the order of the card, one after the other. Nothing else may
// be asked of the ledger in between.
func (l *Ledger) Results() iter.Seq2[Result, error] { return l.results("place") }

// pageRows is how many results are read at once: the ledger is not locked while they are used.
const pageRows = 256

func (l *Ledger) results(order string) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		for last := any(nil); ; {
			page, keys, err := l.page(order, last)
			if err != nil {
				yield(Result{}, fmt.Errorf("%s is damaged: %w", filepath.Join(l.dir, LedgerFile), err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < pageRows {
				return
			}
			last = keys[len(keys)-1]
		}
	}
}

// page reads the results that come after the one of the given key in an order, place or id; from the first for nil.
func (l *Ledger) page(order string, after any) (page []Result, keys []any, err error) {
	has, err := l.hasDevices()
	if err != nil {
		return nil, nil, err
	}
	joules, energy := "NULL", ""
	if has {
		joules, energy = "joules", "LEFT JOIN energy USING (id)"
	}
	rows, err := l.db.Query(`SELECT `+order+`, id, arm, axes, seed, params, d, steps, law, declared,
		coalesce(description ->> '$.split.test', description ->> '$.split.last'), `+joules+` FROM results JOIN cells USING (id) `+energy+`, sweep
		WHERE ?1 IS NULL OR `+order+` > ?1 ORDER BY `+order+` LIMIT `+strconv.Itoa(pageRows), after)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Result
		var key any
		var axes, declared string
		var test int
		if err := rows.Scan(&key, &r.ID, &r.Arm, &axes, &r.Seed, &r.Params, &r.D, &r.Steps, &r.Law, &declared, &test, &r.Joules); err != nil {
			return nil, nil, err
		}
		err := json.Unmarshal([]byte(axes), &r.Axes)
		if err == nil {
			err = strictly([]byte(declared), &r.Declared)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the result of cell %s: %w (without that row, its cell is trained anew)", r.ID, err)
		}
		r.derive(test) // what is derived is computed, not believed
		page, keys = append(page, r), append(keys, key)
	}
	return page, keys, rows.Err()
}

// All reads all results into memory.
func (l *Ledger) All() (all []Result, err error) {
	for r, err := range l.Results() {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
