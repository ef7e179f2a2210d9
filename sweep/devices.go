package sweep

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lockstep/graph"
)

// devicesSchema are the tables of what devices tell; see ledger.sql for the others.
//
//go:embed devices.sql
var devicesSchema string

// readingEvery is the time between two readings of a device that the ledger keeps.
const readingEvery = 30 * time.Second

// meter asks a worker's device how it fares.
type meter struct {
	joules float64 // when it was last asked; 0: it did not tell
	told   time.Time
}

// used is what the device has used, in joules, since it was last asked; NaN if it does not tell. Now and then the ledger keeps what the
// device says. A sweep needs none of it, and gets over an error.
func (w *worker) used() float64 {
	before := w.meter.joules
	w.meter.joules = 0
	s, ok := w.engine.(graph.Sensed)
	if !ok {
		return math.NaN()
	}
	r, err := s.Sense()
	if err != nil {
		return math.NaN()
	}
	w.meter.joules = r.Joules
	if w.ledger != nil && time.Since(w.meter.told) >= readingEvery {
		w.meter.told = time.Now()
		if err := w.ledger.tell(r); err != nil {
			w.progress.Trouble(err)
		}
	}
	if before == 0 || r.Joules < before {
		return math.NaN()
	}
	return r.Joules - before
}

// spend shares what the device has used since it was last asked out among the cells, by their shares; equally, if none has any.
func (j *job) spend(share func(i int) int) {
	used, total := j.used(), 0
	for i := range j.cells {
		total += share(i)
	}
	if total == 0 {
		share, total = alike, len(j.cells)
	}
	for i := range j.cells {
		if n := share(i); n > 0 {
			j.trains[i].joules += used * float64(n) / float64(total)
		}
	}
}

// alike is the share of each cell in what all do alike.
func alike(int) int { return 1 }

// tell keeps what a device says.
func (l *Ledger) tell(r graph.Reading) error {
	text, err := json.Marshal(r)
	if err == nil {
		soon, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the training waits
		defer cancel()
		_, err = l.db.ExecContext(soon, "INSERT INTO readings (run, at, reading) VALUES (?, ?, ?)", l.run, now(), string(text))
	}
	if err != nil {
		err = fmt.Errorf("%s cannot take what %s says: %w; what it holds is safe", filepath.Join(l.dir, LedgerFile), r.Device, err)
	}
	return err
}

// hasDevices tells whether the ledger has the tables of what devices told: one that only earlier builds wrote has not.
func (l *Ledger) hasDevices() (has bool, err error) {
	return has, l.db.QueryRow("SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('energy', 'readings')").Scan(&has)
}

// DeviceRecord is what a device told during a run.
type DeviceRecord struct {
	Device      string   `json:"device"`
	Readings    int      `json:"readings"`
	MeanWatts   float64  `json:"mean_watts"`
	MostWatts   float64  `json:"most_watts"`
	LeastClock  float64  `json:"least_mhz"`
	MostClock   float64  `json:"most_mhz"`
	Temperature float64  `json:"most_celsius"`
	Held        []string `json:"held_by"` // at any time: why the clocks were not higher
}

func (d DeviceRecord) String() string {
	return fmt.Sprintf("%s: %.0f W on average, %.0f W at most, SM clock %.0f to %.0f MHz, held by %s, %.0f C at most (%d readings)",
		d.Device, d.MeanWatts, d.MostWatts, d.LeastClock, d.MostClock, d.HeldBy(), d.Temperature, d.Readings)
}

// HeldBy says why the clocks were not higher.
func (d DeviceRecord) HeldBy() string { return cmp.Or(strings.Join(d.Held, ", "), "nothing") }

// Energy says what the results took, such as "1.23 kJ, 4.1 J a cell"; "" if it is not known.
func (r RunRecord) Energy() string {
	if r.Joules == nil || r.Metered == 0 {
		return ""
	}
	text := fmt.Sprintf("%s, %s a cell", joules(*r.Joules), joules(*r.Joules/float64(r.Metered)))
	if r.Metered < r.Cells {
		text += fmt.Sprintf(" (of %d of %d cells it is known)", r.Metered, r.Cells)
	}
	return text
}

func joules(j float64) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{1e6, "MJ"}, {1e3, "kJ"}} {
		if j >= u.of {
			return fmt.Sprintf("%.3g %s", j/u.of, u.name)
		}
	}
	return fmt.Sprintf("%.3g J", j)
}

// energyOf is what the cells that ended in a run took, in joules, those of which it is known; nil: of none it is.
func (l *Ledger) energyOf(run int64) (joules *float64, cells int, err error) {
	var sum sql.NullFloat64
	err = l.db.QueryRow("SELECT sum(joules), count(*) FROM energy JOIN results USING (id) WHERE run = ?", run).Scan(&sum, &cells)
	if sum.Valid {
		joules = &sum.Float64
	}
	return joules, cells, err
}

// devicesOf is what the devices told during a run.
func (l *Ledger) devicesOf(run int64) (all []DeviceRecord, err error) {
	readings, err := collect(l.db, "SELECT reading FROM readings WHERE run = ? ORDER BY at", func(rows *sql.Rows) (r graph.Reading, err error) {
		var text []byte
		if err = rows.Scan(&text); err == nil {
			err = json.Unmarshal(text, &r)
		}
		return r, err
	}, run)
	if err != nil {
		return nil, err
	}
	for _, r := range readings {
		i := slices.IndexFunc(all, func(d DeviceRecord) bool { return d.Device == r.Device })
		if i < 0 {
			i = len(all)
			all = append(all, DeviceRecord{Device: r.Device, LeastClock: r.Clock})
		}
		d := &all[i]
		d.Readings++
		d.MeanWatts += (r.Watts - d.MeanWatts) / float64(d.Readings)
		d.MostWatts, d.Temperature = max(d.MostWatts, r.Watts), max(d.Temperature, r.Temperature)
		d.LeastClock, d.MostClock = min(d.LeastClock, r.Clock), max(d.MostClock, r.Clock)
		for _, h := range r.Held {
			if !slices.Contains(d.Held, h) {
				d.Held = append(d.Held, h)
			}
		}
	}
	return all, nil
}
